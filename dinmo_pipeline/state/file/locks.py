"""One sync of an activation at a time, whoever starts it: a lock that a crash cannot leave behind."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from filelock import FileLock, Timeout

from dinmo_pipeline.state.errors import ActivationHeldError
from dinmo_pipeline.state.file.paths import make_lock_folder

# So long only takes a sync of many thousands who leave, where Intercom allows few calls.
_WAIT_SECONDS = 3_600.0
# The locks that this thread of work holds: `dinmo sync` has an activation for both of its jobs, and their
# steps, in the same thread, ask for it again.
_held: ContextVar[frozenset[Path]] = ContextVar("_held", default=frozenset())


@contextmanager
def activation_lock(
    folder: Path,
    activation: str,
    *,
    on_wait: Callable[[str], None],
    wait_seconds: float = _WAIT_SECONDS,
) -> Iterator[None]:
    """Hold an activation; the operating system frees the lock when its process ends, however it ends.

    Who holds it already goes on.

    Raises:
        ActivationHeldError: another sync of the activation held it for all of `wait_seconds`.
        StateUnusableError: the folder of the locks cannot be made.
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
                f"Another sync of {activation} has been running for {wait_seconds:g} seconds;"
                " nothing was changed. Run this again when it has ended."
            ) from error
    _held.set(_held.get() | {path})
    try:
        yield
    finally:
        _held.set(_held.get() - {path})
        lock.release()
