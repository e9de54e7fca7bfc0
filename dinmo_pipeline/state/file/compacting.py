"""Rewrite the state file, so that its bytes contain nothing of deleted rows.

DuckDB only marks the blocks of deleted rows as free. Their bytes stay in the file until the blocks are used
again, even after CHECKPOINT and VACUUM. A copy of the file contains only what is there.
"""

import time
from pathlib import Path

import duckdb

from dinmo_pipeline.scratch.folders import scratch_folder
from dinmo_pipeline.state.errors import StateBusyError, StateUnusableError
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.file.paths import state_file
from dinmo_pipeline.state.file.private_files import private_files
from dinmo_pipeline.state.sql import literal, one_row

# DuckDB uses free blocks again. A file is worth rewriting if it becomes this much smaller.
_FREE_SHARE = 0.2
_ATTEMPTS = 5
# A process that opened the old file requests its lock within microseconds. When it is refused, it opens the
# path again, which is the new file by then.
_SECONDS_UNTIL_REFUSED = 0.1


def free_bytes(state: StateDatabase) -> int:
    """The bytes of the state file that are free, if rewriting it is worth the while; else 0."""
    path = state_file(state.database)
    if not path.exists():
        return 0
    with state.reading() as connection:
        free, total = one_row(
            connection,
            "SELECT free_blocks * block_size, total_blocks * block_size FROM pragma_database_size()"
            " WHERE database_name = 'state'",
        )
    return int(free) if free > _FREE_SHARE * total else 0


def compact(state: StateDatabase) -> None:
    """Replace the state file by a copy.

    It temporarily needs the same space on the disk again, and other processes wait until it is done. If the
    process is killed, the old file stays as it was, and the next command that opens it deletes the copy.

    Raises:
        StateBusyError: other processes keep writing to the file.
        StateUnusableError: the copy cannot be made.
    """
    path = state_file(state.database)
    for _ in range(_ATTEMPTS):
        # Opening the file for writing moves what a crash left in the write-ahead log into it.
        with state.transaction():
            pass
        if _replaced(state, path):
            return
    raise StateBusyError(
        f"Other processes kept writing to the state database {state.database}. Its free blocks still"
        " contain the deleted rows. Run this again when no sync is running."
    )


def _replaced(state: StateDatabase, path: Path) -> bool:
    """Copy and replace the file while it is open for reading, which keeps all writers out."""
    with state.scratch() as connection, state.attached(connection, read_only=True):
        if Path(f"{path}.wal").exists():
            # Another process wrote to the file and died: the log belongs to the old file.
            return False
        try:
            with private_files(), scratch_folder(path.parent) as aside:
                copy = aside / "state.duckdb"
                connection.execute(f"ATTACH {literal(str(copy))} AS compact")
                # The newest row of a table is the last one, so rows must keep their order.
                connection.execute("SET preserve_insertion_order = true")
                try:
                    connection.execute("COPY FROM DATABASE state TO compact")
                finally:
                    connection.execute("SET preserve_insertion_order = false")
                connection.execute("DETACH compact")
                copy.replace(path)
        except (OSError, duckdb.Error) as error:
            raise StateUnusableError(
                f"The state database {state.database} cannot be rewritten: {error}."
                " The rows are deleted from its tables. Run this again to erase the bytes as well."
            ) from error
        time.sleep(_SECONDS_UNTIL_REFUSED)
    return True
