"""A rollback journal: repairs a state file whose checkpoint was killed in the middle of a block.

A checkpoint of DuckDB 2.0 writes new blocks beside the old ones, then a header that points to them. But it
rewrites metadata blocks, of 64 parts each, in place. SIGKILL or a power cut within that write leaves half a
block: its checksum is wrong, and the file can no longer be opened (seen: 1 of 190 kills). So before a
possible checkpoint, headers and metadata blocks are saved in a file beside the state. If the headers are
still the same later, the checkpoint did not finish, and the blocks are restored. The write-ahead log has the
rest.

What a checkpoint rewrites in place depends on DuckDB's layout, so the journal is written and applied only for
versions on which that was proven. A journal that is damaged, or of another version, is set aside.
"""

import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Callable
from functools import cache
from itertools import count
from pathlib import Path

import duckdb

# The minor versions on which kills within a checkpoint were tried.
PROVEN_VERSIONS = ("1.5", "2.0")
_HEADERS = 3 * 4096
_guard = threading.Lock()
# The file attached by each connection of this process, by the connection's id.
_attached: dict[int, Path] = {}
# The headers of each file whose blocks are in its journal at present.
_saved: dict[Path | None, bytes] = {}
# Never closed: in POSIX, closing any descriptor of a file frees the lock that DuckDB has on it.
_descriptors: dict[Path, tuple[int, int]] = {}


def journal_of(state: Path) -> Path:
    """The file with the saved blocks of a state file."""
    return Path(f"{state}.journal")


class DamagedJournalError(Exception):
    """A journal cannot be applied; the message says why."""


def attach(
    connection: duckdb.DuckDBPyConnection, statement: str, state: Path, warn: Callable[[str], None]
) -> None:
    """Attach the file by a statement, after repairing it. Call `detached` when it is detached.

    `warn` gets a sentence if there is a journal that cannot be applied, which is set aside.

    One thread at a time, since the repair takes the same lock as DuckDB, and locks belong to the process.
    """
    with _guard:
        if state not in _attached.values() and journal_of(state).exists():
            _repair(state, warn)
        connection.execute(statement)
        _attached[id(connection)] = state


def detached(connection: duckdb.DuckDBPyConnection) -> None:
    """Record that the connection no longer has the file attached."""
    with _guard:
        _saved.pop(_attached.pop(id(connection), None), None)


def save_blocks(connection: duckdb.DuckDBPyConnection, state: Path, warn: Callable[[str], None]) -> None:
    """Save the blocks that a checkpoint may rewrite in place. The state is attached as `state`.

    On a version of DuckDB on which that was not proven, `warn` gets a sentence, once, and nothing is saved.
    """
    if not _is_proven(duckdb.__version__):
        _warn_once(warn, duckdb.__version__)
        return
    file = open_descriptor(state)
    headers = os.pread(file, _HEADERS, 0)
    if _saved.get(state) == headers and journal_of(state).exists():
        # No checkpoint has happened since the blocks were saved, so they are still those of the file. Another
        # process that closed the state late may have deleted them.
        return
    (size,) = connection.execute(
        "SELECT block_size FROM pragma_database_size() WHERE database_name = 'state'"
    ).fetchall()[0]
    blocks = connection.execute("SELECT block_id FROM pragma_metadata_info('state')").fetchall()
    end = os.fstat(file).st_size
    places = [(0, _HEADERS), *((_HEADERS + block * size, size) for (block,) in blocks)]
    places = [(at, length) for at, length in places if at + length <= end]
    saved = [os.pread(file, length, at) for at, length in places]
    described = {"duckdb": duckdb.__version__, "places": places, "digest": _digest(saved)}
    fresh = Path(f"{journal_of(state)}.new")
    with fresh.open("wb") as made:
        made.write(json.dumps(described).encode() + b"\n")
        made.writelines(saved)
        made.flush()
        os.fsync(made.fileno())
    fresh.replace(journal_of(state))
    _saved[state] = headers


def discard_blocks(state: Path) -> None:
    """Delete the saved blocks after the state was closed properly.

    If another process has opened the state by now, its journal is deleted too. It saves blocks again before
    it commits and before it closes.
    """
    _saved.pop(state, None)
    journal_of(state).unlink(missing_ok=True)


def _repair(state: Path, warn: Callable[[str], None]) -> None:
    journal = journal_of(state)
    try:
        file = open_descriptor(state)
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        # The journal belongs to a living process, or the process that holds the lock has repaired the file.
        return
    try:
        # The lock proves that no process works with the file.
        _restore(file, journal.read_bytes())
        journal.unlink(missing_ok=True)
    except DamagedJournalError as error:
        warn(f"The journal {journal} {error}, so it is set aside as {_set_aside(journal).name}.")
    except FileNotFoundError:
        # The process that closed the file in between has deleted it.
        return
    finally:
        fcntl.lockf(file, fcntl.LOCK_UN)


def _restore(file: int, kept: bytes) -> None:
    (_, headers), *others = _read(kept)
    if os.pread(file, _HEADERS, 0) != headers:
        return
    for at, content in others:
        if os.pread(file, len(content), at) != content:
            os.pwrite(file, content, at)
    os.fsync(file)


def _read(kept: bytes) -> list[tuple[int, bytes]]:
    """The saved blocks, each with its place; the first are the headers.

    Raises:
        DamagedJournalError: it is not a whole journal of ours, or of a version on which it was not proven.
    """
    line, _, content = kept.partition(b"\n")
    try:
        described = json.loads(line)
        # Journals of the first releases have neither version nor digest.
        known = described if isinstance(described, dict) else {"places": described}
        places = [(int(at), int(length)) for at, length in known["places"]]
    except (ValueError, TypeError, KeyError):
        raise DamagedJournalError("is damaged") from None
    version = known.get("duckdb", PROVEN_VERSIONS[-1])
    if not _is_proven(str(version)):
        raise DamagedJournalError(f"was written with DuckDB {version}, for which it was not proven")
    blocks, start = [], 0
    for at, length in places:
        blocks.append((at, content[start : start + length]))
        start += length
    is_whole = bool(places) and places[0] == (0, _HEADERS) and start == len(content)
    if not is_whole or known.get("digest", "") not in ("", _digest([block for _, block in blocks])):
        raise DamagedJournalError("is damaged")
    return blocks


def _set_aside(journal: Path) -> Path:
    """Rename a journal to a name that is free."""
    names = (journal.with_name(f"{journal.name}.damaged{number or ''}") for number in count())
    free = next(name for name in names if not name.exists())
    return journal.rename(free)


def _digest(blocks: list[bytes]) -> str:
    return hashlib.sha256(b"".join(blocks)).hexdigest()


def _is_proven(version: str) -> bool:
    return f"{version}.".startswith(tuple(f"{proven}." for proven in PROVEN_VERSIONS))


@cache
def _warn_once(warn: Callable[[str], None], version: str) -> None:
    warn(
        f"DuckDB {version} is newer than the journal of checkpoints was proven for"
        f" ({' and '.join(PROVEN_VERSIONS)}): a process that is killed in a checkpoint may damage the state"
        " file. Keep backups, or install a version that was proven."
    )


def open_descriptor(state: Path) -> int:
    """A descriptor of the file, which nobody may close: that would free the lock that DuckDB has on it.

    Raises:
        OSError: the file cannot be opened.
    """
    inode = state.stat().st_ino
    known = _descriptors.get(state)
    if known and known[0] == inode:
        return known[1]
    file = os.open(state, os.O_RDWR)
    _descriptors[state] = (inode, file)
    return file
