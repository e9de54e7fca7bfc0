"""A rollback journal: repairs a state file whose checkpoint was killed in the middle of a block.

A checkpoint of DuckDB 2.0 writes new blocks beside the old ones, then a header that points to them. But it
rewrites metadata blocks, of 64 parts each, in place. SIGKILL or a power cut within that write leaves half a
block: its checksum is wrong, and the file can no longer be opened (seen: 1 of 190 kills). So before a
possible checkpoint, headers and metadata blocks are saved in a file beside the state. If the headers are
still the same later, the checkpoint did not finish, and the blocks are restored. The write-ahead log has the
rest.
"""

import fcntl
import json
import os
import threading
from io import BytesIO
from pathlib import Path

import duckdb

_HEADERS = 3 * 4096
_guard = threading.Lock()
# The file attached by each connection of this process, by the connection's id.
_attached: dict[int, Path] = {}
# Never closed: in POSIX, closing any descriptor of a file frees the lock that DuckDB has on it.
_descriptors: dict[Path, tuple[int, int]] = {}


def journal_of(state: Path) -> Path:
    """The file with the saved blocks of a state file."""
    return Path(f"{state}.journal")


def attach(connection: duckdb.DuckDBPyConnection, statement: str, state: Path) -> None:
    """Attach the file by a statement, after repairing it. Call `detached` when it is detached.

    One thread at a time, since the repair takes the same lock as DuckDB, and locks belong to the process.
    """
    with _guard:
        if state not in _attached.values() and journal_of(state).exists():
            _repair(state)
        connection.execute(statement)
        _attached[id(connection)] = state


def detached(connection: duckdb.DuckDBPyConnection) -> None:
    """Record that the connection no longer has the file attached."""
    with _guard:
        _attached.pop(id(connection), None)


def save_blocks(connection: duckdb.DuckDBPyConnection, state: Path) -> None:
    """Save the blocks that a checkpoint may rewrite in place. The state is attached as `state`."""
    file = _descriptor(state)
    (size,) = connection.execute(
        "SELECT block_size FROM pragma_database_size() WHERE database_name = 'state'"
    ).fetchall()[0]
    blocks = connection.execute("SELECT block_id FROM pragma_metadata_info('state')").fetchall()
    end = os.fstat(file).st_size
    places = [(0, _HEADERS), *((_HEADERS + block * size, size) for (block,) in blocks)]
    places = [(at, length) for at, length in places if at + length <= end]
    kept = [json.dumps(places).encode(), *(os.pread(file, length, at) for at, length in places)]
    fresh = Path(f"{journal_of(state)}.new")
    with fresh.open("wb") as made:
        made.write(kept[0] + b"\n")
        made.writelines(kept[1:])
        made.flush()
        os.fsync(made.fileno())
    fresh.replace(journal_of(state))


def discard_blocks(state: Path) -> None:
    """Delete the saved blocks after the state was closed properly.

    If another process has opened the state by now, its journal is deleted too. It saves blocks again before
    it commits and before it closes.
    """
    journal_of(state).unlink(missing_ok=True)


def _repair(state: Path) -> None:
    journal = journal_of(state)
    try:
        file = _descriptor(state)
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        # The journal belongs to a living process, or the process that holds the lock has repaired the file.
        return
    try:
        # The lock proves that no process works with the file.
        _restore(file, journal.read_bytes())
        journal.unlink(missing_ok=True)
    except FileNotFoundError:
        # The process that closed the file in between has deleted it.
        return
    finally:
        fcntl.lockf(file, fcntl.LOCK_UN)


def _restore(file: int, kept: bytes) -> None:
    journal = BytesIO(kept)
    (_, headers), *others = [(at, journal.read(length)) for at, length in json.loads(journal.readline())]
    if os.pread(file, _HEADERS, 0) != headers:
        return
    for at, content in others:
        if os.pread(file, len(content), at) != content:
            os.pwrite(file, content, at)
    os.fsync(file)


def _descriptor(state: Path) -> int:
    inode = state.stat().st_ino
    known = _descriptors.get(state)
    if known and known[0] == inode:
        return known[1]
    file = os.open(state, os.O_RDWR)
    _descriptors[state] = (inode, file)
    return file
