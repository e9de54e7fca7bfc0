"""Files that only their owner can read: the state holds personal data."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_blocks = 0
_usual_mask = 0


@contextmanager
def private_files() -> Iterator[None]:
    """Whatever file this process makes in the block gets mode 0600: a database, and its write-ahead log.

    DuckDB makes the log anew with the first write after each checkpoint, by the umask of the process, so
    no single moment to change its mode exists. The umask belongs to all threads: the first block sets it
    and the last one puts it back.
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
