"""One sync of an activation at a time, also across processes; a killed one leaves no lock."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from dinmo_pipeline.config.declarations import State
from dinmo_pipeline.state.errors import ActivationHeldError, StateUnusableError
from dinmo_pipeline.state.file.locks import activation_lock
from dinmo_pipeline.state.file.paths import lock_folder
from dinmo_pipeline_tests.state.file.other_process import holding_lock

WAITING = "Another sync of vip is running; waiting for it to end …"


@pytest.mark.parametrize("end", ["let_go", "kill"])
def test_a_lock_is_waited_for_and_the_wait_is_reported_once(tmp_path, end):
    """Whether the other process ends normally or is killed."""
    heard = []
    with holding_lock(tmp_path / "locks") as other:

        def on_wait(message: str) -> None:
            heard.append(message)
            getattr(other, end)()

        with activation_lock(tmp_path / "locks", "vip", wait_seconds=60, on_wait=on_wait):
            assert heard == [WAITING]


def test_the_wait_ends_with_an_error(tmp_path):
    """The error says what to do."""
    heard = []
    with (
        holding_lock(tmp_path),
        pytest.raises(ActivationHeldError) as raised,
        activation_lock(tmp_path, "vip", wait_seconds=0.05, on_wait=heard.append),
    ):
        pass
    assert heard == [WAITING]
    assert str(raised.value) == (
        "Another sync of vip has been running for 0.05 seconds, so nothing was changed. Run this again"
        " when it has ended."
    )


def test_threads_exclude_each_other_and_activations_do_not(tmp_path):
    """A second thread waits as well. Another activation's lock is free, and one's own is re-entrant."""

    def take_it():
        with activation_lock(tmp_path, "vip", wait_seconds=0, on_wait=print):
            pass

    with (
        ThreadPoolExecutor(1) as other,
        activation_lock(tmp_path, "vip", wait_seconds=0, on_wait=print),
    ):
        with activation_lock(tmp_path, "churned", wait_seconds=0, on_wait=pytest.fail):
            pass
        take_it()
        with pytest.raises(ActivationHeldError):
            other.submit(take_it).result()
    with activation_lock(tmp_path, "vip", wait_seconds=0, on_wait=pytest.fail):
        pass


def test_a_state_has_one_folder_of_locks_whatever_its_path(tmp_path):
    """Two code locations may reach one file through a link."""
    (tmp_path / "link.duckdb").symlink_to(tmp_path / "state.duckdb")
    assert lock_folder(State(str(tmp_path / "link.duckdb"))) == lock_folder(
        State(str(tmp_path / "state.duckdb"))
    )


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path):
    """A StateUnusableError with the path and the reason."""
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "locks"
    with (
        pytest.raises(StateUnusableError) as raised,
        activation_lock(folder, "vip", wait_seconds=0, on_wait=print),
    ):
        pass
    assert str(raised.value) == (
        f"The folder {folder} of the activation locks cannot be created: [Errno 20] Not a directory:"
        f" '{folder}'. Check `state` in the declarations."
    )
