"""Opens the state file: one writing process at a time, and never open during an HTTP call."""

import random
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TypeVar

import duckdb

from dinmo_pipeline.scratch.folders import remove_abandoned, scratch_folder
from dinmo_pipeline.state.errors import (
    StateBusyError,
    StateMemoryError,
    StateUnusableError,
    StateVersionError,
)
from dinmo_pipeline.state.file.checkpoint_journal import (
    attach,
    detached,
    discard_blocks,
    journal_of,
    save_blocks,
)
from dinmo_pipeline.state.file.engines import engine_connection
from dinmo_pipeline.state.file.paths import state_file
from dinmo_pipeline.state.file.private_files import private_files, put_in_place
from dinmo_pipeline.state.schema.version import installed_version, migrate, require_current
from dinmo_pipeline.state.sql import literal

# What DuckDB 1.5 and 2.0 say about a file that another process has open, and about one that another
# connection of this process (a thread) has open.
_BUSY = ("Could not set lock on file", "Unique file handle conflict")
_NO_SPACE = "No space left on device"
_FIRST_PAUSE_SECONDS = 0.02
_MAX_PAUSE_SECONDS = 0.5
# 64 MB are enough for 10 million members and an empty ledger, 512 MB for a ledger of the same size.
_SMALL_MEMORY = "64MB"
_LARGER_MEMORY: Mapping[str | None, str | None] = {_SMALL_MEMORY: "512MB", "512MB": None}

Made = TypeVar("Made")


@dataclass(frozen=True)
class StateDatabase:
    """The state database.

    Attributes:
        database: the path of a file.
        wait_seconds: the longest wait for another process.
        on_wait: gets a sentence, once, when there is a wait or another thing that a person should know.
        others: the files of the other destinations, if each has one.
        memory_limit: DuckDB's setting, such as `1GB`; None for DuckDB's default, 80 % of the machine. What
            does not fit goes to a temporary folder. With a limit DuckDB gets two threads, since each thread
            needs memory.
        fence: called before each commit; raises a StateError if this process may not write any more.
    """

    database: str
    wait_seconds: float = 120.0
    on_wait: Callable[[str], None] = lambda _message: None
    memory_limit: str | None = None
    others: tuple[str, ...] = ()
    fence: Callable[[duckdb.DuckDBPyConnection], None] = lambda _connection: None

    def sparing(self) -> "StateDatabase":
        """The same state for long work beside other runs: DuckDB uses only 64 MB of memory."""
        return replace(self, memory_limit=_SMALL_MEMORY)

    @contextmanager
    def scratch(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection with only temporary tables, for work that must not keep the state locked.

        Its tables can be used while the state is attached, and remain afterwards.

        Raises:
            StateMemoryError: the work in it needs more memory.
            StateUnusableError: DuckDB refuses the work, for example because of a damaged file or a full disk.
        """
        try:
            with engine_connection(self.memory_limit) as connection:
                yield connection
        except duckdb.OutOfMemoryException as error:
            raise StateMemoryError(
                f"The state database {self.database} needs more memory than is available:"
                f" {_first_line(error)}. Run fewer activations at a time, or use a larger machine."
            ) from error
        except duckdb.Error as error:
            if _NO_SPACE in str(error):
                raise StateUnusableError(
                    f"The state database {self.database} cannot be written: the disk is full"
                    f" ({_first_line(error)}). Free space, then run this again: nothing is lost."
                ) from error
            raise StateUnusableError(
                f"The state database {self.database} cannot be used: {_first_line(error)}. If it is"
                " damaged or was changed by hand, restore a backup. Or move it away and run"
                " `dinmo reconcile ACTIVATION --repair` before the next sync."
            ) from error

    @contextmanager
    def attached(
        self, connection: duckdb.DuckDBPyConnection, *, read_only: bool = False, any_schema: bool = False
    ) -> Iterator[None]:
        """Attach the state, with a current schema, to a scratch connection within the block.

        If it does not exist yet, a reader sees an empty state, and a writer creates it. With `any_schema` an
        older or newer schema is neither migrated nor refused.

        Raises:
            StateBusyError, StateVersionError, StateUnusableError: see errors.py.
        """
        with nullcontext() if read_only else private_files():
            self._attach(connection, read_only=read_only)
            try:
                connection.execute("USE state")
                if not read_only:
                    self._expect_checkpoint(connection)
                if not any_schema:
                    self._ensure_schema(connection, read_only=read_only)
                yield
                if not read_only:
                    self._expect_checkpoint(connection)
            except BaseException:
                # After a full disk DuckDB cannot detach either, which must not hide the reason.
                with suppress(duckdb.Error):
                    self._leave(connection)
                raise
            self._leave(connection)
            if not read_only:
                discard_blocks(self._file)

    @contextmanager
    def transaction(
        self, connection: duckdb.DuckDBPyConnection | None = None
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the state for one transaction, committed at the end and rolled back on an error.

        It uses the given scratch connection, or a new one.
        """
        if connection is None:
            with self.scratch() as own, self.transaction(own):
                yield own
            return
        with self.attached(connection):
            connection.execute("BEGIN")
            try:
                yield connection
                self.fence(connection)
            except BaseException:
                with suppress(duckdb.Error):
                    connection.execute("ROLLBACK")
                raise
            self._expect_checkpoint(connection)
            connection.execute("COMMIT")

    def transact(self, work: Callable[[duckdb.DuckDBPyConnection], Made]) -> Made:
        """Run `work` in a transaction of its own, and return its result.

        If the memory of a sparing state is not enough, for example to join many millions of rows, `work`
        starts again with more.
        """
        try:
            with self.transaction() as connection:
                return work(connection)
        except StateMemoryError:
            if self.memory_limit not in _LARGER_MEMORY:
                raise
        return replace(self, memory_limit=_LARGER_MEMORY[self.memory_limit]).transact(work)

    def migrate(self) -> None:
        """Bring the file of an earlier release to the current schema, which a reader cannot.

        Raises:
            StateVersionError: the file was written by a newer release.
        """
        try:
            with self.reading():
                return
        except StateVersionError:
            with self.transaction():
                pass

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that cannot write to the state, but can have temporary tables."""
        with self.scratch() as connection, self.attached(connection, read_only=True):
            yield connection

    @property
    def _file(self) -> Path:
        """The file, always spelled the same: by it DuckDB knows that this process already has it open."""
        return state_file(self.database)

    def _expect_checkpoint(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Save blocks, since DuckDB makes a checkpoint when it detaches and after a large commit."""
        try:
            save_blocks(connection, self._file, self.on_wait)
        except OSError as error:
            raise StateUnusableError(
                f"The state database {self.database} cannot be written: {error.strerror}. Free space on the"
                " disk, then run this again: nothing is lost."
            ) from error

    def _attach(self, connection: duckdb.DuckDBPyConnection, *, read_only: bool) -> None:
        file = self._file
        if "?" in str(file):
            raise StateUnusableError(
                f"The state database {self.database} cannot be opened: its path {str(file)!r} contains `?`,"
                " which DuckDB takes for the beginning of options. Rename the file or folder, or choose"
                " another path for `state` in the declarations."
            )
        if not file.exists():
            if read_only:
                connection.execute("ATTACH ':memory:' AS state")
                return
            self._create(file)
        _clean_up_beside(file)
        self._attach_when_free(connection, read_only=read_only)

    def _ensure_schema(self, connection: duckdb.DuckDBPyConnection, *, read_only: bool) -> None:
        if not read_only:
            migrate(connection, self.database)
        elif installed_version(connection):
            require_current(connection, self.database)
        else:
            # Before the first sync, a reader gets an empty state of its own.
            connection.execute("USE memory")
            connection.execute("DETACH state")
            connection.execute("ATTACH ':memory:' AS state")
            connection.execute("USE state")
            migrate(connection, self.database)

    def _attach_when_free(self, connection: duckdb.DuckDBPyConnection, *, read_only: bool) -> None:
        mode = " (READ_ONLY)" if read_only else ""
        statement = f"ATTACH {literal(str(self._file))} AS state{mode}"
        deadline = time.monotonic() + self.wait_seconds
        pause = _FIRST_PAUSE_SECONDS
        reported = False
        while True:
            try:
                attach(connection, statement, self._file, self.on_wait)
            except duckdb.Error as error:
                if not any(words in str(error) for words in _BUSY):
                    raise StateUnusableError(
                        f"The state database {self.database} cannot be opened:"
                        f" {_first_line(error)}. Check `state` in the declarations."
                    ) from error
                if time.monotonic() >= deadline:
                    raise StateBusyError(
                        f"The state database {self.database} was in use by another process for"
                        f" {self.wait_seconds:g} seconds, so nothing was changed. Close the program that has"
                        " it open (a DuckDB shell, a notebook) and run this again."
                    ) from error
                if not reported:
                    self.on_wait(f"Waiting for {self.database}, which another process is using …")
                    reported = True
                time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  # spreads the waiters
                pause = min(pause * 2, _MAX_PAUSE_SECONDS)
            else:
                if read_only or not journal_of(self._file).exists():
                    return
                # Another process opened it and was killed after our check for a journal.
                self._detach(connection)

    def _leave(self, connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("USE memory")
        self._detach(connection)

    def _detach(self, connection: duckdb.DuckDBPyConnection) -> None:
        try:
            connection.execute("DETACH state")
        finally:
            detached(connection)

    def _create(self, path: Path) -> None:
        """Create the complete file in a temporary folder, then move it into place in one step.

        So a killed process leaves no incomplete file, and of two processes that create it one wins.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with scratch_folder(path.parent) as aside:
                made = aside / "state.duckdb"
                with duckdb.connect(str(made)) as connection:
                    migrate(connection, self.database)
                put_in_place(made, path)
        except (OSError, duckdb.Error) as error:
            raise StateUnusableError(
                f"The state database {self.database} cannot be created: {_first_line(error)}."
                " Check `state` in the declarations."
            ) from error


@cache
def _clean_up_beside(file: Path) -> None:
    """Once per process: delete copies of killed processes, and make a restored file private again."""
    remove_abandoned(file.parent)
    with suppress(OSError):  # it belongs to another user
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            file.chmod(0o600)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".!")
