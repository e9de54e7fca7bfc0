"""Files that only their owner can read, since the state contains personal data."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_lock = threading.Lock()
_blocks = 0
_usual_mask = 0


@contextmanager
def private_files() -> Iterator[None]:
    """Give every file that this process creates within the block mode 0600.

    DuckDB creates its write-ahead log again with the first write after each checkpoint, so there is no single
    moment to change the log's mode. It follows the umask of the process, which all threads share: the first
    block sets it, and the last one restores it.
    """
    global _blocks, _usual_mask  # noqa: PLW0603  # as the umask itself: one for the process
    with _lock:
        if _blocks == 0:
            _usual_mask = os.umask(0o077)
        _blocks += 1
    try:
        yield
    finally:
        with _lock:
            _blocks -= 1
            if _blocks == 0:
                os.umask(_usual_mask)


def put_in_place(made: Path, path: Path) -> bool:
    """Give a finished file its name in one step; returns False if the name is taken, by whatever.

    Raises:
        OSError: the folder of `path` does not allow it.
    """
    try:
        os.link(made, path)
    except FileExistsError:
        return False
    except OSError:
        # The file system has no hard links, such as exFAT.
        if os.path.lexists(path):
            return False
        made.rename(path)
    return True
