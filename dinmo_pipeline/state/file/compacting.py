"""Rewrite the state file, so that nothing is left in it of rows that were deleted.

DuckDB marks the blocks of deleted rows as free and uses them again one day; until then their bytes stay in
the file, also after CHECKPOINT and VACUUM. A copy holds what is there and nothing else.
"""

import tempfile
import time
from pathlib import Path

import duckdb

from dinmo_pipeline.state.errors import StateBusyError, StateUnusableError
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.file.paths import state_file
from dinmo_pipeline.state.file.private_files import private_files
from dinmo_pipeline.state.sql import literal

_ATTEMPTS = 5
# A process that opened the old file asks for its lock within microseconds; when it is refused it opens the
# path again, which is the new file by then.
_SECONDS_UNTIL_REFUSED = 0.1


def compact(state: StateDatabase) -> bool:
    """Replace the state file by a copy of what is in it; False for MotherDuck, which has no file of ours.

    It takes as much room again while it runs. Nobody writes meanwhile: other processes wait. A process that
    dies here leaves the old file as it was.

    Raises:
        StateBusyError: others write all the time. StateUnusableError: the copy cannot be made.
    """
    path = state_file(state.database)
    if path is None:
        return False
    for _ in range(_ATTEMPTS):
        # Opening for writing and closing puts what a crash left in the write-ahead log into the file.
        with state.transaction():
            pass
        if _replaced(state, path):
            return True
    raise StateBusyError(
        f"The state database {state.database} was written to by others all the time, and still has the"
        " erased rows in its free blocks. Run this again when no sync is running."
    )


def _replaced(state: StateDatabase, path: Path) -> bool:
    """Copy and replace the file while it is held for reading, which keeps every writer out."""
    with state.scratch() as connection, state.attached(connection, read_only=True):
        if Path(f"{path}.wal").exists():
            # Somebody wrote in between and died: the log belongs to the old file.
            return False
        try:
            with (
                private_files(),
                tempfile.TemporaryDirectory(dir=path.parent, prefix=".dinmo-") as aside,
            ):
                copy = Path(aside) / "state.duckdb"
                connection.execute(f"ATTACH {literal(str(copy))} AS compact")
                connection.execute("COPY FROM DATABASE state TO compact")
                connection.execute("DETACH compact")
                copy.replace(path)
        except (OSError, duckdb.Error) as error:
            raise StateUnusableError(
                f"The state database {state.database} cannot be rewritten: {error}."
                " The person is erased from its tables; run this again to erase the bytes as well."
            ) from error
        time.sleep(_SECONDS_UNTIL_REFUSED)
    return True
