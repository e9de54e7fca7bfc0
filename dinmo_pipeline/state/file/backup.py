"""Copy a state file while syncs use it, and check the copy.

The bytes are copied while the file is open for reading, which keeps every writer out. With 10 million members
(712 MB) that takes a second. `COPY FROM DATABASE` took 42 s, and each sync would wait that long for its next
write. The copy is flushed and read after the state is closed, so nobody waits for that.
"""

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from dinmo_pipeline.scratch.folders import scratch_folder
from dinmo_pipeline.state.errors import StateBusyError, StateError, StateUnusableError
from dinmo_pipeline.state.file.checkpoint_journal import journal_of, open_descriptor
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.file.paths import state_file
from dinmo_pipeline.state.file.private_files import private_files, put_in_place
from dinmo_pipeline.state.schema.version import installed_version
from dinmo_pipeline.state.sql import one_row

_ATTEMPTS = 5
_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy of a state, every row of which was read.

    Attributes:
        path: The file.
        size_bytes: Its size, as that of the state file.
        schema_version: The version of the state's schema; older releases may refuse it.
        rows: The number of rows of each table of the schema `dinmo`.
        locked_seconds: How long the state was closed to writers.
    """

    path: Path
    size_bytes: int
    schema_version: int
    rows: dict[str, int]
    locked_seconds: float


def back_up(state: StateDatabase, path: Path) -> Backup:
    """Copy the state to a new file that only this user can read. Its schema may be of any version.

    The file appears under its name when it is complete and checked, or not at all.

    Raises:
        StateBusyError: other processes keep writing to the state.
        StateUnusableError: there is no state file, the path is taken or cannot be written, or the state is
            damaged.
        StateVersionError: the state has lost its schema version.
    """
    file = _existing_file(state)
    try:
        _require_free(path)
        if shutil.disk_usage(path.parent).free < file.stat().st_size:
            raise StateUnusableError(
                f"There is not enough space in {path.parent} for a copy of {state.database}"
                f" ({file.stat().st_size:,} bytes). Free space there, or choose another path."
            )
        with private_files(), scratch_folder(path.parent) as aside:
            copy = aside / "state.duckdb"
            made = replace(_copied(state.sparing(), file, copy), path=path)
            _check(copy, made, state.database)
            if not put_in_place(copy, path):
                raise _taken(path)
        _flush(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from error
    return made


def back_up_folder(states: Sequence[StateDatabase], path: Path) -> list[Backup]:
    """Copy the states that exist, of a destination each, to a new folder. It appears when all are checked.

    Destinations share nothing, so their copies need not be of the same moment.

    Raises:
        StateBusyError, StateUnusableError, StateVersionError: as for one state.
    """
    existing = [state for state in states if state_file(state.database).exists()] or list(states)[:1]
    try:
        if os.path.lexists(path):
            raise _taken(path)
        _require_parent(path)
        with scratch_folder(path.parent) as aside:
            copies = aside / "copies"
            copies.mkdir(mode=0o700)
            made = [back_up(state, copies / Path(state.database).name) for state in existing]
            copies.rename(path)
        _flush(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from error
    return [replace(each, path=path / each.path.name) for each in made]


def _existing_file(state: StateDatabase) -> Path:
    file = state_file(state.database)
    if not file.exists():
        raise StateUnusableError(
            f"There is no state file {state.database} yet, so there is nothing to back up. The first sync"
            " creates it. If there should be one, check `state` in the declarations."
        )
    try:
        open_descriptor(file)
    except OSError as error:
        raise StateUnusableError(
            f"The state database {state.database} cannot be opened: {error.strerror}. Run this as the user"
            " who runs the syncs."
        ) from error
    return file


def _require_free(path: Path) -> None:
    if path.is_dir():
        raise StateUnusableError(
            f"{path} is a folder; name a file in it that does not exist yet, such as"
            f" {path / 'state-2026-01-31.duckdb'}."
        )
    if os.path.lexists(path):
        raise _taken(path)
    _require_parent(path)


def _require_parent(path: Path) -> None:
    if not path.parent.is_dir():
        raise StateUnusableError(
            f"There is no folder {path.parent} for the backup. Create it, or choose another path."
        )


def _taken(path: Path) -> StateUnusableError:
    return StateUnusableError(
        f"{path} exists already, and a backup overwrites nothing. Choose another path, or delete it if"
        " you no longer need it."
    )


def _unwritable(path: Path, error: OSError) -> StateUnusableError:
    return StateUnusableError(
        f"The backup {path} cannot be written: {error.strerror}. Free space there, change the folder's"
        " permissions, or choose another path."
    )


def _copied(state: StateDatabase, file: Path, copy: Path) -> Backup:
    for _ in range(_ATTEMPTS):
        with state.scratch() as connection, state.attached(connection, read_only=True, any_schema=True):
            locked_at = time.monotonic()
            if not journal_of(file).exists() and not Path(f"{file}.wal").exists():
                version, rows = _contents(connection)
                if not version:
                    raise StateUnusableError(
                        f"{state.database} contains no state, so there is nothing to back up. Check"
                        " `state` in the declarations."
                    )
                size = _copy_bytes(open_descriptor(file), copy)
                return Backup(copy, size, version, rows, round(time.monotonic() - locked_at, 3))
        # A process died, and part of the state is in the log or journal beside it; or a process is about to
        # delete its journal. Opening the file for writing moves it all into the file.
        with state.scratch() as connection, state.attached(connection, any_schema=True):
            pass
    raise StateBusyError(
        f"Other processes kept writing to the state database {state.database}, so it could not be copied."
        " Run this again."
    )


def _contents(connection: duckdb.DuckDBPyConnection) -> tuple[int, dict[str, int]]:
    """The schema version, and the number of rows of each table, which DuckDB knows without reading them."""
    tables = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = 'state' AND schema_name = 'dinmo'"
        " ORDER BY table_name"
    ).fetchall()
    rows = {name: one_row(connection, f"SELECT count(*) FROM dinmo.{name}")[0] for (name,) in tables}
    return installed_version(connection), rows


def _copy_bytes(state: int, copy: Path) -> int:
    """Copy by the descriptor that stays open: `shutil` would close one of its own, and so free the lock."""
    size = 0
    with copy.open("wb") as made:
        while chunk := os.pread(state, _CHUNK_BYTES, size):
            made.write(chunk)
            size += len(chunk)
    return size


def _check(copy: Path, made: Backup, database: str) -> None:
    """Flush the copy to the disk, open it, and read every row, which verifies the checksum of each block.

    Raises:
        StateUnusableError: it is not equal to the state, or the state is damaged.
    """
    _flush(copy)
    state = StateDatabase(str(copy)).sparing()
    try:
        with state.scratch() as connection, state.attached(connection, read_only=True, any_schema=True):
            found = _contents(connection)
            for table in made.rows:
                connection.execute(f"SELECT bit_xor(hash(t)) FROM dinmo.{table} AS t").fetchall()
    except StateError as error:
        raise StateUnusableError(
            f"The copy of {database} cannot be read, and was deleted: {error.__cause__ or error}. Run this"
            " again. If it fails again, the state file is damaged: keep the backups you have."
        ) from error
    if found != (made.schema_version, made.rows):
        raise StateUnusableError(
            f"The copy of {database} differs from it, and was deleted. Run this again, and report it."
        )


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
