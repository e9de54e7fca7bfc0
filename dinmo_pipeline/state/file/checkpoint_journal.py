"""A checkpoint that was killed half-way through a block is mended when the state is opened again.

A checkpoint of DuckDB 2.0 writes what is new beside what is there, and then a header that leads to it. But
its metadata blocks, of 64 parts each, are written again in place, with parts added. SIGKILL or a power cut
within that write leaves a block of two halves: its checksum is wrong, and the file opens no more (seen: 1 of
190 kills). So headers and metadata blocks are kept in a file beside the state while a checkpoint may come,
as a rollback journal. Where the headers are still those, the checkpoint did not end, and the blocks are put
back; the write-ahead log then has the rest.
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
# The file that each connection of this process has attached, by the connection's id.
_attached: dict[int, Path] = {}
# Never closed: closing any descriptor of a file frees the lock that DuckDB has on it in this process (POSIX).
_descriptors: dict[Path, tuple[int, int]] = {}


def journal_of(state: Path) -> Path:
    """Where the kept blocks of a state file are."""
    return Path(f"{state}.journal")


def attach(connection: duckdb.DuckDBPyConnection, statement: str, state: Path) -> None:
    """Attach the file by a statement, after mending it; `detached` must follow when it is detached.

    One thread at a time: mending takes the lock that DuckDB takes, and both are the process's.
    """
    with _guard:
        if state not in _attached.values() and journal_of(state).exists():
            _mend(state)
        connection.execute(statement)
        _attached[id(connection)] = state


def detached(connection: duckdb.DuckDBPyConnection) -> None:
    """The connection has no file attached any more."""
    with _guard:
        _attached.pop(id(connection), None)


def keep_blocks(connection: duckdb.DuckDBPyConnection, state: Path) -> None:
    """Keep what a checkpoint of `state`, attached under that name, may write in place."""
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


def drop_blocks(state: Path) -> None:
    """The state was closed as it should be.

    Should another process have it by now, its journal of this moment goes too; it keeps blocks anew before
    it commits and before it closes.
    """
    journal_of(state).unlink(missing_ok=True)


def _mend(state: Path) -> None:
    journal = journal_of(state)
    try:
        file = _descriptor(state)
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        # Held: the journal is that of a process which is alive, or whoever holds it got it right.
        return
    try:
        # Only now it is certain that nobody is at work with it.
        _put_back(file, journal.read_bytes())
        journal.unlink(missing_ok=True)
    except FileNotFoundError:
        # Who closed the file meanwhile took it away.
        return
    finally:
        fcntl.lockf(file, fcntl.LOCK_UN)


def _put_back(file: int, kept: bytes) -> None:
    journal = BytesIO(kept)
    (_, headers), *others = [
        (at, journal.read(length)) for at, length in json.loads(journal.readline())
    ]
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
