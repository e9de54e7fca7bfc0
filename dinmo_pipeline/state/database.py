"""Opening the state file: one writing process at a time, waited for; never open across an HTTP call."""

import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from dinmo_pipeline.state.errors import StateBusyError, StateUnusableError
from dinmo_pipeline.state.schema import migrate, require_current
from dinmo_pipeline.state.sql import literal

# DuckDB's words for a lock held by another process, 1.5 and 2.0 alike.
_LOCKED = "Could not set lock on file"
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class StateDatabase:
    """The state database: a file path, or `md:…`.

    `wait_seconds` bounds the wait for another process; `on_wait` hears once, in words, that we wait.
    """

    database: str
    wait_seconds: float = 120.0
    on_wait: Callable[[str], None] = lambda _message: None

    @contextmanager
    def scratch(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection with temporary tables only, for work that must not keep the state locked.

        What is made in it can be used while the state is attached, and outlives that.
        """
        with tempfile.TemporaryDirectory(prefix="dinmo-") as spill:
            connection = duckdb.connect(":memory:")
            try:
                # Standard output belongs to --json; times are UTC whatever the machine's zone.
                connection.execute("SET enable_progress_bar = false")
                connection.execute("SET TimeZone = 'UTC'")
                connection.execute(f"SET temp_directory = {literal(spill)}")
                yield connection
            finally:
                connection.close()

    @contextmanager
    def attached(
        self, connection: duckdb.DuckDBPyConnection, *, read_only: bool = False
    ) -> Iterator[None]:
        """Have the state in a scratch connection, its schema current, for the time of the block.

        A state that does not exist yet is empty to a reader, and made for a writer.

        Raises:
            StateBusyError, StateVersionError, StateUnusableError: see errors.py.
        """
        if read_only and self._is_file and not Path(self.database).exists():
            connection.execute("ATTACH ':memory:' AS state")
            read_only = False
        else:
            self._attach(connection, read_only=read_only)
        try:
            connection.execute("USE state")
            if read_only:
                require_current(connection, self.database)
            else:
                migrate(connection, self.database)
            yield
        finally:
            connection.execute("USE memory")
            connection.execute("DETACH state")

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
            connection.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that cannot write to the state; temporary tables can be made in it."""
        with self.scratch() as connection, self.attached(connection, read_only=True):
            yield connection

    @property
    def _is_file(self) -> bool:
        return not self.database.startswith(("md:", "motherduck:"))

    def _attach(self, connection: duckdb.DuckDBPyConnection, *, read_only: bool) -> None:
        if self._is_file and not read_only:
            self._create_private_folder()
        statement = f"ATTACH {literal(self.database)} AS state" + (
            " (READ_ONLY)" if read_only else ""
        )
        deadline = time.monotonic() + self.wait_seconds
        pause = _FIRST_PAUSE_SECONDS
        told = False
        while True:
            try:
                connection.execute(statement)
            except duckdb.Error as error:
                if _LOCKED not in str(error):
                    raise StateUnusableError(
                        f"The state database {self.database} cannot be opened:"
                        f" {_first_line(error)}. Check `state: {{database: …}}` in the declarations."
                    ) from error
                if time.monotonic() >= deadline:
                    raise StateBusyError(
                        f"The state database {self.database} was in use by another process for"
                        f" {self.wait_seconds:.0f} seconds. Close the program that holds it open"
                        " (a DuckDB shell, a notebook) and run this again: nothing was changed."
                    ) from error
                if not told:
                    self.on_wait(f"Waiting for {self.database}, in use by another process …")
                    told = True
                time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  # spreads the waiters
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            else:
                return

    def _create_private_folder(self) -> None:
        """Make the folder and the file, readable by its owner alone: it holds personal data."""
        path = Path(self.database)
        if path.exists():
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # DuckDB creates files with the process's umask; ask for 0600 while it does.
            before = os.umask(0o077)
            try:
                duckdb.connect(self.database).close()
            finally:
                os.umask(before)
        except (OSError, duckdb.Error) as error:
            raise StateUnusableError(
                f"The state database {self.database} cannot be created: {_first_line(error)}."
            ) from error


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")
