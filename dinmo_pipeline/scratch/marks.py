"""Marks: files that a living process keeps locked, so that those of killed processes are recognised.

The operating system frees the locks of a process that dies, so a mark that can be locked is abandoned. A
mark is locked before it gets its name, and deleted before it is unlocked, so the mark of a living process is
never found unlocked.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import lock_descriptor


@contextmanager
def mark(file: Path) -> Iterator[None]:
    """Have a locked file within the block, or until this process dies."""
    unnamed = file.with_name(f"{file.name}.new")
    descriptor = os.open(unnamed, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        lock_descriptor(descriptor)
        unnamed.rename(file)
        yield
    finally:
        file.unlink(missing_ok=True)
        os.close(descriptor)


@contextmanager
def is_abandoned(file: Path) -> Iterator[bool]:
    """Whether the process that made the mark died. The mark stays locked within the block."""
    try:
        descriptor = os.open(file, os.O_RDWR)
    except FileNotFoundError:
        yield False
        return
    try:
        yield lock_descriptor(descriptor, blocking=False) and file.exists()
    finally:
        os.close(descriptor)
