"""Which runs are alive, as files beside the locks: what a killed run leaves behind.

A run holds a lock on its mark until it takes the mark away. The operating system frees the lock of a process
that dies, so a mark that can be locked belongs to a dead run. A mark is locked before it has its name, and
taken away before its lock is freed: nobody finds that of a live run free.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import lock_descriptor

from dinmo_pipeline.state.lock_folder import make_lock_folder

_SUFFIX = ".run"


@contextmanager
def run_mark(folder: Path, run_id: str) -> Iterator[None]:
    """Mark a run as alive. Within its mark, the same run needs no other.

    Raises:
        StateUnusableError: the folder of the locks cannot be made.
    """
    make_lock_folder(folder)
    mark = folder / f"{run_id}{_SUFFIX}"
    if mark.exists():
        yield
        return
    unnamed = mark.with_suffix(".new")
    descriptor = os.open(unnamed, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        lock_descriptor(descriptor)
        unnamed.rename(mark)
        yield
    finally:
        mark.unlink(missing_ok=True)
        os.close(descriptor)


def dead_runs(folder: Path) -> Iterator[tuple[str, Path]]:
    """The runs that were killed, each with its mark; nobody else sees the mark of the one at hand."""
    for mark in sorted(folder.glob(f"*{_SUFFIX}")):
        try:
            descriptor = os.open(mark, os.O_RDWR)
        except FileNotFoundError:  # its run ended
            continue
        try:
            if lock_descriptor(descriptor, blocking=False) and mark.exists():
                yield mark.stem, mark
        finally:
            os.close(descriptor)
