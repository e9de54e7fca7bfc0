"""One sync of an activation at a time, whoever starts it: a lock that a crash cannot leave behind."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from dinmo_pipeline.state.errors import StateBusyError, StateUnusableError


@contextmanager
def activation_lock(
    folder: Path,
    activation: str,
    *,
    wait_seconds: float,
    on_wait: Callable[[str], None],
) -> Iterator[None]:
    """Hold an activation; the operating system frees the lock when its process ends, however it ends.

    Raises:
        StateBusyError: another sync of the activation held it for all of `wait_seconds`.
        StateUnusableError: the folder of the locks cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StateUnusableError(
            f"The folder {folder} of the activation locks cannot be made: {error}. Check"
            " `state: {database: …}` in the declarations."
        ) from error
    lock = FileLock(folder / f"{activation}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        on_wait(f"Another sync of {activation} is running; waiting for it to end …")
        try:
            lock.acquire(timeout=wait_seconds)
        except Timeout as error:
            raise StateBusyError(
                f"Another sync of {activation} has been running for {wait_seconds:g} seconds;"
                " nothing was changed. Run this again when it has ended."
            ) from error
    try:
        yield
    finally:
        lock.release()
