"""Opening the state file: one writing process at a time, waited for; never open across an HTTP call."""

import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import duckdb

from dinmo_pipeline.state.errors import StateBusyError, StateMemoryError, StateUnusableError
from dinmo_pipeline.state.file.checkpoint_journal import (
    attach,
    detached,
    drop_blocks,
    journal_of,
    keep_blocks,
)
from dinmo_pipeline.state.file.engines import engine_connection
from dinmo_pipeline.state.file.paths import state_file
from dinmo_pipeline.state.file.private_files import private_files
from dinmo_pipeline.state.schema.version import installed_version, migrate, require_current
from dinmo_pipeline.state.sql import literal

# DuckDB's words, 1.5 and 2.0 alike, for a file held by another process, and by another connection of
# this one (a thread).
_BUSY = ("Could not set lock on file", "Unique file handle conflict")
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 0.5
# 64 MB suffice for 10 million members and an empty ledger, 512 MB for one as large.
_SPARING = "64MB"
_MORE_MEMORY: Mapping[str | None, str | None] = {_SPARING: "512MB", "512MB": None}
_THREADS_WITH_A_LIMIT = 2

Made = TypeVar("Made")


@dataclass(frozen=True)
class StateDatabase:
    """The state database: a file path, or `md:…`.

    `wait_seconds` bounds the wait for another process; `on_wait` hears once, in words, that we wait.
    `memory_limit` is DuckDB's setting, such as `1GB`; DuckDB's own default is 80 % of the machine. What
    does not fit goes to a temporary folder. With a limit there are two threads, since each takes its part.
    """

    database: str
    wait_seconds: float = 120.0
    on_wait: Callable[[str], None] = lambda _message: None
    memory_limit: str | None = None

    def sparing(self) -> "StateDatabase":
        """The same state for work that goes on for long beside others: DuckDB takes 64 MB of memory."""
        return replace(self, memory_limit=_SPARING)

    @contextmanager
    def scratch(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection with temporary tables only, for work that must not keep the state locked.

        What is made in it can be used while the state is attached, and outlives that.

        Raises:
            StateMemoryError: the memory does not suffice for what is done with it.
            StateUnusableError: DuckDB refuses it: a damaged file, a full disk.
        """
        try:
            with engine_connection() as connection:
                self._configure(connection)
                yield connection
        except duckdb.OutOfMemoryException as error:
            raise StateMemoryError(
                f"The state database {self.database} needs more memory than there is:"
                f" {_first_line(error)}. Run fewer activations at a time, or on a larger machine."
            ) from error
        except duckdb.Error as error:
            raise StateUnusableError(
                f"The state database {self.database} cannot be used: {_first_line(error)}. If it is"
                " damaged or was changed by hand, put back a backup; or move it away and run"
                " `dinmo reconcile ACTIVATION --repair` before the next sync."
            ) from error

    def _configure(self, connection: duckdb.DuckDBPyConnection) -> None:
        # Standard output belongs to --json; times are UTC whatever the machine's zone.
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET TimeZone = 'UTC'")
        # Tables have no order here; keeping one would cost memory (DuckDB's own advice).
        connection.execute("SET preserve_insertion_order = false")
        if self.memory_limit:
            connection.execute(f"SET memory_limit = {literal(self.memory_limit)}")
            connection.execute(f"SET threads = {_THREADS_WITH_A_LIMIT}")
        else:
            connection.execute("RESET memory_limit")
            connection.execute("RESET threads")

    @contextmanager
    def attached(
        self, connection: duckdb.DuckDBPyConnection, *, read_only: bool = False
    ) -> Iterator[None]:
        """Have the state in a scratch connection, its schema current, for the time of the block.

        A state that does not exist yet is empty to a reader, and made for a writer.

        Raises:
            StateBusyError, StateVersionError, StateUnusableError: see errors.py.
        """
        with nullcontext() if read_only else private_files():
            self._attach(connection, read_only=read_only)
            try:
                connection.execute("USE state")
                if not read_only:
                    self._expect_checkpoint(connection)
                self._ensure_schema(connection, read_only=read_only)
                yield
                if not read_only:
                    self._expect_checkpoint(connection)
            finally:
                connection.execute("USE memory")
                self._detach(connection)
            if not read_only and self._file:
                drop_blocks(self._file)

    @contextmanager
    def transaction(
        self, connection: duckdb.DuckDBPyConnection | None = None
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """The state in one transaction: committed at the end, undone on an error.

        It uses the given scratch connection, or one of its own.
        """
        if connection is None:
            with self.scratch() as own, self.transaction(own):
                yield own
            return
        with self.attached(connection):
            connection.execute("BEGIN")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            self._expect_checkpoint(connection)
            connection.execute("COMMIT")

    def transact(self, work: Callable[[duckdb.DuckDBPyConnection], Made]) -> Made:
        """What `work` makes of the state, in a transaction of its own.

        Where the memory of a sparing state does not suffice, such as for a join of many millions, it begins
        again with more.
        """
        try:
            with self.transaction() as connection:
                return work(connection)
        except StateMemoryError:
            if self.memory_limit not in _MORE_MEMORY:
                raise
        return replace(self, memory_limit=_MORE_MEMORY[self.memory_limit]).transact(work)

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that cannot write to the state; temporary tables can be made in it."""
        with self.scratch() as connection, self.attached(connection, read_only=True):
            yield connection

    @property
    def _file(self) -> Path | None:
        """The file, in one spelling: by it DuckDB knows that this process has it open already."""
        return state_file(self.database)

    def _expect_checkpoint(self, connection: duckdb.DuckDBPyConnection) -> None:
        """DuckDB makes a checkpoint when it detaches, and after a large commit."""
        if self._file:
            keep_blocks(connection, self._file)

    def _attach(self, connection: duckdb.DuckDBPyConnection, *, read_only: bool) -> None:
        file = self._file
        if file and not file.exists():
            if read_only:
                connection.execute("ATTACH ':memory:' AS state")
                return
            self._create(file)
        self._attach_when_free(connection, str(file or self.database), read_only=read_only)

    def _ensure_schema(self, connection: duckdb.DuckDBPyConnection, *, read_only: bool) -> None:
        if not read_only:
            migrate(connection, self.database)
        elif installed_version(connection):
            require_current(connection, self.database)
        else:
            # No sync was here yet: the reader gets an empty state of its own.
            connection.execute("USE memory")
            connection.execute("DETACH state")
            connection.execute("ATTACH ':memory:' AS state")
            connection.execute("USE state")
            migrate(connection, self.database)

    def _attach_when_free(
        self, connection: duckdb.DuckDBPyConnection, location: str, *, read_only: bool
    ) -> None:
        mode = " (READ_ONLY)" if read_only else ""
        statement = f"ATTACH {literal(location)} AS state{mode}"
        deadline = time.monotonic() + self.wait_seconds
        pause = _FIRST_PAUSE_SECONDS
        told = False
        while True:
            try:
                self._attach_now(connection, statement)
            except duckdb.Error as error:
                if not any(words in str(error) for words in _BUSY):
                    raise StateUnusableError(
                        f"The state database {self.database} cannot be opened:"
                        f" {_first_line(error)}. Check `state: {{database: …}}` in the declarations."
                    ) from error
                if time.monotonic() >= deadline:
                    raise StateBusyError(
                        f"The state database {self.database} was in use by another process for"
                        f" {self.wait_seconds:g} seconds. Close the program that holds it open"
                        " (a DuckDB shell, a notebook) and run this again: nothing was changed."
                    ) from error
                if not told:
                    self.on_wait(f"Waiting for {self.database}, in use by another process …")
                    told = True
                time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  # spreads the waiters
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            else:
                if read_only or not self._file or not journal_of(self._file).exists():
                    return
                # Whoever had it was killed after we looked.
                self._detach(connection)

    def _attach_now(self, connection: duckdb.DuckDBPyConnection, statement: str) -> None:
        if self._file:
            attach(connection, statement, self._file)
        else:
            connection.execute(statement)

    def _detach(self, connection: duckdb.DuckDBPyConnection) -> None:
        try:
            connection.execute("DETACH state")
        finally:
            detached(connection)

    def _create(self, path: Path) -> None:
        """Make the file whole in a folder of its own, then put it in its place in one step.

        A process that dies here leaves no half-made file, and of two that come first one wins.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=path.parent, prefix=".dinmo-") as aside:
                made = Path(aside) / "state.duckdb"
                with duckdb.connect(str(made)) as connection:
                    migrate(connection, self.database)
                _put_in_place(made, path)
        except (OSError, duckdb.Error) as error:
            raise StateUnusableError(
                f"The state database {self.database} cannot be created: {_first_line(error)}."
                " Check `state: {database: …}` in the declarations."
            ) from error


def _put_in_place(made: Path, path: Path) -> None:
    try:
        os.link(made, path)
    except FileExistsError:
        return
    except OSError:
        # A file system without hard links, such as exFAT.
        if not path.exists():
            made.rename(path)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".!")
