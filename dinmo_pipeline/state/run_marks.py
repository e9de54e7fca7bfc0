"""Which run holds an activation, as a file beside its lock: what a killed run leaves behind.

A lock is freed when its process dies, and tells nothing then. A mark is made after the lock was taken and
taken away before it is freed; so a mark whose activation can be locked belongs to a process that died.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SUFFIX = ".run"


@contextmanager
def run_mark(folder: Path, activation: str, run_id: str) -> Iterator[None]:
    """Mark a run as the one that holds the activation, which the caller has locked."""
    mark = folder / f"{activation}.{run_id}{_SUFFIX}"
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        # The same run, further out: it takes its mark away itself.
        yield
        return
    try:
        yield
    finally:
        mark.unlink(missing_ok=True)


def marked_activations(folder: Path) -> set[str]:
    """The activations that a run holds, or held when its process died."""
    return {mark.name.partition(".")[0] for mark in folder.glob(f"*{_SUFFIX}")}


def marked_runs(folder: Path, activation: str) -> dict[str, Path]:
    """The marks of an activation by run id. Whoever has its lock, and no run, sees dead runs only."""
    marks = folder.glob(f"{activation}.*{_SUFFIX}")
    return {mark.name.removesuffix(_SUFFIX).partition(".")[2]: mark for mark in marks}
