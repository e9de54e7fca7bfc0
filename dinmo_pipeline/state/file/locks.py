"""Locks that allow one sync of an activation at a time, and that do not outlive a crash."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from filelock import FileLock, Timeout

from dinmo_pipeline.state.errors import ActivationHeldError
from dinmo_pipeline.state.file.paths import make_lock_folder

# Only a sync that untags many thousands, where Intercom allows few calls, takes this long.
_WAIT_SECONDS = 3_600.0
# The locks that this thread holds. `dinmo sync` locks an activation for both of its jobs, and their steps
# lock it again in the same thread.
_held: ContextVar[frozenset[Path]] = ContextVar("_held", default=frozenset())


def is_locked(folder: Path, activation: str) -> bool:
    """Whether a process works on an activation; False also if the lock's file cannot be opened."""
    path = folder / f"{activation}.lock"
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False


@contextmanager
def activation_lock(
    folder: Path,
    activation: str,
    *,
    on_wait: Callable[[str], None],
    wait_seconds: float = _WAIT_SECONDS,
) -> Iterator[None]:
    """Lock an activation. Re-entrant; the operating system frees the lock when the process ends.

    Raises:
        ActivationHeldError: another sync held the lock for all of `wait_seconds`.
        StateUnusableError: the folder of the locks cannot be created.
    """
    make_lock_folder(folder)
    path = folder / f"{activation}.lock"
    if path in _held.get():
        yield
        return
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        on_wait(f"Another sync of {activation} is running; waiting for it to end …")
        try:
            lock.acquire(timeout=wait_seconds)
        except Timeout as error:
            raise ActivationHeldError(
                f"Another sync of {activation} has been running for {wait_seconds:g} seconds, so"
                " nothing was changed. Run this again when it has ended."
            ) from error
    _held.set(_held.get() | {path})
    try:
        yield
    finally:
        _held.set(_held.get() - {path})
        lock.release()
