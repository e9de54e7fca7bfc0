"""Several processes and threads on one state file: they wait, report it once, and go on or give up."""

import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from dinmo_pipeline.state.errors import StateBusyError
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline_tests.state.file.other_process import INSERT, OtherProcess, holding_state

COUNT = "SELECT count(*) FROM dinmo.signup_looks"


def _patient(path: Path, other: OtherProcess, heard: list[str]) -> StateDatabase:
    """A state whose wait ends the other process's work."""

    def on_wait(message: str) -> None:
        heard.append(message)
        other.let_go()

    return StateDatabase(str(path), on_wait=on_wait)


def test_a_writer_waits_for_a_writer(tmp_path):
    """It reports the wait once, and sees what the other one wrote."""
    path, heard = tmp_path / "state.duckdb", []
    with holding_state(path, INSERT.format(destination="other")) as other:
        state = _patient(path, other, heard)
        with state.transaction() as connection:
            connection.execute(INSERT.format(destination="main"))
            assert connection.execute(COUNT).fetchall() == [(2,)]
    assert heard == [f"Waiting for {path}, which another process is using …"]


def test_a_reader_waits_for_a_writer(tmp_path):
    """It reports the wait once, and reads what the other one wrote."""
    path, heard = tmp_path / "state.duckdb", []
    with (
        holding_state(path, INSERT.format(destination="other")) as other,
        _patient(path, other, heard).reading() as connection,
    ):
        assert connection.execute(COUNT).fetchall() == [(1,)]
    assert heard == [f"Waiting for {path}, which another process is using …"]


def test_a_writer_waits_for_a_reader(tmp_path):
    """DuckDB lets no process write what another one reads."""
    path, heard = tmp_path / "state.duckdb", []
    with StateDatabase(str(path)).transaction():
        pass
    with (
        holding_state(path, read_only=True) as other,
        _patient(path, other, heard).transaction() as connection,
    ):
        assert connection.execute(COUNT).fetchall() == [(0,)]
    assert heard == [f"Waiting for {path}, which another process is using …"]


def test_readers_do_not_wait_for_each_other(tmp_path):
    """Two processes read at the same time."""
    path, heard = tmp_path / "state.duckdb", []
    with StateDatabase(str(path)).transaction():
        pass
    with (
        holding_state(path, read_only=True),
        StateDatabase(str(path), on_wait=heard.append).reading() as connection,
    ):
        assert connection.execute(COUNT).fetchall() == [(0,)]
    assert heard == []


@pytest.mark.parametrize("read_only", [False, True])
def test_the_wait_ends_with_an_error(tmp_path, read_only):
    """The error says what to do."""
    path = tmp_path / "state.duckdb"
    state = StateDatabase(str(path), wait_seconds=0.05)
    with holding_state(path), state.scratch() as connection:
        with (
            pytest.raises(StateBusyError) as raised,
            state.attached(connection, read_only=read_only),
        ):
            pass
        # The connection is as it was.
        assert connection.execute("SELECT 1").fetchall() == [(1,)]
    assert str(raised.value) == (
        f"The state database {path} was in use by another process for 0.05 seconds, so nothing was"
        " changed. Close the program that has it open (a DuckDB shell, a notebook) and run this again."
    )


@pytest.mark.parametrize("spelling", ["state.duckdb", "link.duckdb"])
def test_threads_wait_for_each_other(tmp_path, spelling):
    """Two threads of one process, however they spell the path."""
    path = tmp_path / "state.duckdb"
    (tmp_path / "link.duckdb").symlink_to(path)
    inside, told, heard = threading.Event(), threading.Event(), []

    def hold() -> None:
        with StateDatabase(str(path)).transaction() as connection:
            connection.execute(INSERT.format(destination="other"))
            inside.set()
            told.wait()

    def on_wait(message: str) -> None:
        heard.append(message)
        told.set()

    with ExitStack() as stack:
        thread = threading.Thread(target=hold)
        thread.start()
        stack.callback(thread.join)
        stack.callback(told.set)
        inside.wait()
        with StateDatabase(str(tmp_path / spelling), on_wait=on_wait).transaction() as connection:
            assert connection.execute(COUNT).fetchall() == [(1,)]
    assert heard == [f"Waiting for {tmp_path / spelling}, which another process is using …"]


def test_many_threads_lose_no_update(tmp_path):
    """Each waits for its turn, even if none of them finds a file yet."""
    path = tmp_path / "state.duckdb"
    failures: list[Exception] = []

    def write(number: int) -> None:
        try:
            with StateDatabase(str(path)).transaction() as connection:
                connection.execute(INSERT.format(destination=number))
        except Exception as error:  # noqa: BLE001  # of a thread, to be shown by the test
            failures.append(error)

    threads = [threading.Thread(target=write, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with StateDatabase(str(path)).reading() as connection:
        assert connection.execute(COUNT).fetchall() == [(6,)]
