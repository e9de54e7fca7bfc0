"""What Dagster 1.13 leaves behind when it deletes a run, and how to remove that too.

`DagsterInstance.delete_run` removes the run, its tags and its events. It leaves the compute logs
(dagster#4498), the evaluations of asset checks, and with SQLite the file of the run's events: empty, but with
0.15 MB most of what a run takes. Nothing public removes those, so what knows Dagster's storages from inside
is here.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from uuid import UUID

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager

_BESIDE_A_DATABASE = ("", "-wal", "-shm")
_IDS_PER_QUERY = 500
# SQLite uses free pages again. A database is rewritten only if it would become this much smaller.
_FREE_SHARE = 0.2


def delete_run_and_leftovers(
    instance: dg.DagsterInstance, run_id: str, checks: Iterable[dg.AssetCheckKey]
) -> int:
    """Delete a run with its events, compute logs, files, and evaluations of `checks`.

    Returns the bytes of the files. If the process is killed midway, the run is still there and can be deleted
    again, or only its file of events is left, which `abandoned_files` finds.
    """
    freed = bytes_of(instance, run_id)
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    _delete_check_evaluations(instance, run_id, checks)
    instance.delete_run(run_id)
    for path in _event_files(instance, run_id):
        path.unlink(missing_ok=True)
    return freed


def bytes_of(instance: dg.DagsterInstance, run_id: str) -> int:
    """The bytes in files of a run: its compute logs on this machine, and with SQLite its events."""
    return sum(_size(path) for path in (*_captured_logs(instance, run_id), *_event_files(instance, run_id)))


def abandoned_files(instance: dg.DagsterInstance, before: datetime) -> Iterator[Path]:
    """The files of events, last written before a time, of runs that no longer exist; they contain no event.

    Dagster's UI leaves one for every run that a person deletes there.
    """
    storage = instance.event_log_storage
    if not isinstance(storage, SqliteEventLogStorage):
        return
    old = [
        run_id
        for run_id in storage.get_all_run_ids()
        if _is_run_id(run_id) and _changed(Path(storage.path_for_shard(run_id))) < before.timestamp()
    ]
    for first in range(0, len(old), _IDS_PER_QUERY):
        ids = old[first : first + _IDS_PER_QUERY]
        known = {run.run_id for run in instance.get_runs(dg.RunsFilter(run_ids=ids))}
        for run_id in ids:
            path = Path(storage.path_for_shard(run_id))
            if run_id not in known and _has_no_event(path):
                yield path


def database_bytes(database: Path) -> int:
    """The bytes of a SQLite database with its journals."""
    return sum(map(_size, _files_of(database)))


def remove_files(database: Path) -> int:
    """Delete a SQLite database with its journals; returns their bytes."""
    freed = database_bytes(database)
    for path in _files_of(database):
        path.unlink(missing_ok=True)
    return freed


def shrinkable(instance: dg.DagsterInstance) -> dict[Path, int]:
    """The SQLite databases of all runs that are worth rewriting, with the bytes that are free in them."""
    storage = instance.event_log_storage
    if not isinstance(storage, SqliteEventLogStorage):
        return {}
    index = Path(storage.path_for_shard("index"))
    history = index.parent
    databases = (index, history.with_suffix(".db"), history.parents[1] / "schedules" / "schedules.db")
    free = {path: _free_bytes(path) for path in databases if path.exists()}
    return {path: found for path, found in free.items() if found > _FREE_SHARE * _size(path)}


def shrink(database: Path) -> int:
    """Rewrite a SQLite database without its free pages; returns the bytes by which it became smaller.

    Processes that write to it wait, and it temporarily needs the same space on the disk again.

    Raises:
        sqlite3.Error: another process kept it busy, or the disk is full. The database is as it was.
    """
    before = _size(database)
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        connection.execute("VACUUM")
        # The pages come back to the file system when the journal has been moved into the file.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return max(before - _size(database), 0)


def _delete_check_evaluations(
    instance: dg.DagsterInstance, run_id: str, checks: Iterable[dg.AssetCheckKey]
) -> None:
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        return
    keys = list(checks)
    columns = AssetCheckExecutionsTable.c
    with storage.index_connection() as connection:
        # The index begins with the asset and the name.
        connection.execute(
            AssetCheckExecutionsTable.delete()
            .where(columns.asset_key.in_({key.asset_key.to_string() for key in keys}))
            .where(columns.check_name.in_({key.name for key in keys}))
            .where(columns.run_id == run_id)
        )


def _event_files(instance: dg.DagsterInstance, run_id: str) -> list[Path]:
    storage = instance.event_log_storage
    if not isinstance(storage, SqliteEventLogStorage) or not _is_run_id(run_id):
        return []
    return _files_of(Path(storage.path_for_shard(run_id)))


def _files_of(database: Path) -> list[Path]:
    return [Path(f"{database}{suffix}") for suffix in _BESIDE_A_DATABASE]


def _is_run_id(name: str) -> bool:
    """Whether a name is that of a run: the index of all events lies in the same folder."""
    with suppress(ValueError):
        return str(UUID(name)) == name
    return False


def _captured_logs(instance: dg.DagsterInstance, run_id: str) -> list[Path]:
    logs = instance.compute_log_manager
    if not isinstance(logs, LocalComputeLogManager):
        return []
    folder = Path(logs.get_captured_local_path([run_id, "any"], "out")).parent
    return [path for path in folder.rglob("*") if path.is_file()]


def _has_no_event(database: Path) -> bool:
    """Whether a database is one of Dagster's events, and empty."""
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute("SELECT count(*) FROM event_logs").fetchone()
    except sqlite3.Error:
        return False
    return bool(found == (0,))


def _free_bytes(database: Path) -> int:
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        ((pages,),) = connection.execute("PRAGMA freelist_count").fetchall()
        ((size,),) = connection.execute("PRAGMA page_size").fetchall()
    return int(pages) * int(size)


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _changed(path: Path) -> float:
    with suppress(FileNotFoundError):
        return path.stat().st_mtime
    return float("inf")
