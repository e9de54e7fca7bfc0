"""A file that a living process holds a lock on: what a killed one leaves behind is told from the rest.

The operating system frees the lock of a process that dies, so a mark that can be locked was left by one. A
mark is locked before it has its name, and taken away before its lock is freed: nobody finds that of a living
process free.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import lock_descriptor


@contextmanager
def mark(file: Path) -> Iterator[None]:
    """Have a file that nobody else makes, for the block, or until this process dies."""
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
    """Whether the process that made the mark died; if so, nobody else hears it within the block."""
    try:
        descriptor = os.open(file, os.O_RDWR)
    except FileNotFoundError:
        yield False
        return
    try:
        yield lock_descriptor(descriptor, blocking=False) and file.exists()
    finally:
        os.close(descriptor)
