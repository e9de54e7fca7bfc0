"""An engine is reused, without anything of its last use."""

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from dinmo_pipeline.state.errors import StateUnusableError
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline_tests.state.file.other_process import holding_state


@pytest.fixture
def state(tmp_path):
    """A state that has its schema."""
    state = StateDatabase(str(tmp_path / "state.duckdb"))
    with state.transaction():
        pass
    return state


def spill_of(connection):
    """The folder of an engine, which identifies it."""
    return connection.execute("SELECT current_setting('temp_directory')").fetchone()[0]


def test_an_engine_is_reused_empty(state):
    """Temporary tables, registered rows, and the attached state belong to one use."""
    with state.transaction() as connection:
        first = spill_of(connection)
        connection.execute("CREATE TEMP TABLE mine AS FROM range(1_000)")
        connection.register("rows", duckdb.sql("SELECT 1 AS a").to_arrow_table())
        connection.execute("FROM rows, mine")
    with state.scratch() as connection:
        assert spill_of(connection) == first
        tables = "SELECT table_name FROM information_schema.tables"
        assert connection.execute(tables).fetchall() == []
        assert "state" not in {row[1] for row in connection.execute("PRAGMA database_list").fetchall()}
        for table in ("mine", "rows"):
            with pytest.raises(duckdb.CatalogException):
                connection.execute(f"FROM {table}")


def test_an_engine_has_the_memory_limit_of_its_use(state):
    """Not that of the previous use."""
    with state.scratch() as connection:
        usual = settings_of(connection)
    with state.sparing().scratch() as connection:
        assert settings_of(connection) == ("61.0 MiB", 2)
    with state.scratch() as connection:
        assert settings_of(connection) == usual


def settings_of(connection):
    """Memory limit and threads."""
    settings = "SELECT current_setting('memory_limit'), current_setting('threads')"
    return connection.execute(settings).fetchone()


def test_two_uses_at_a_time_have_two_engines(state):
    """In one thread or in several."""
    with ThreadPoolExecutor(1) as other, state.scratch() as one, state.scratch() as another:
        one.execute("SET memory_limit = '1GB'")

        def third():
            with state.scratch() as connection:
                return spill_of(connection)

        assert len({spill_of(one), spill_of(another), other.submit(third).result()}) == 3


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (duckdb.IOException("no disk"), StateUnusableError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_an_engine_is_not_reused_after_an_error(state, error, told):
    """Whatever the error was. Its folder is deleted."""
    used = []

    def fails():
        with state.scratch() as connection:
            used.append(spill_of(connection))
            raise error

    with pytest.raises(told):
        fails()
    assert not Path(used[0]).exists()
    with state.scratch() as connection:
        assert spill_of(connection) != used[0]


def test_the_next_process_removes_what_a_killed_one_spilled(state, tmp_path, monkeypatch):
    """And nothing of a living process."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    file = Path(state.database)
    with holding_state(file, read_only=True) as killed:
        (left,) = folder.iterdir()
        assert left.stat().st_mode & 0o777 == 0o700
        killed.kill()
        assert left.exists()
        with holding_state(file, read_only=True):
            (alive,) = folder.iterdir()
            assert alive != left
            with holding_state(file, read_only=True):
                assert alive in set(folder.iterdir())
    with holding_state(file, read_only=True) as ends:
        ends.let_go()
        ends.wait()
        assert list(folder.iterdir()) == []


def test_a_forked_process_creates_its_own_engine(state):
    """It has a copy of the engine without its threads."""
    with state.scratch() as connection:
        mine = spill_of(connection)
    fork = multiprocessing.get_context("fork")
    queue = fork.SimpleQueue()

    def in_the_fork():
        with state.scratch() as connection:
            connection.execute("CREATE TEMP TABLE mine AS FROM range(1_000_000)")
            queue.put(spill_of(connection))

    process = fork.Process(target=in_the_fork)
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert queue.get() != mine
