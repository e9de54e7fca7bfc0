"""A state whose only connection stays open, so that thousands of syncs need not open a file."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import duckdb

from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.schema.version import migrate


@dataclass(frozen=True)
class KeptState(StateDatabase):
    """The state in memory: its tables, SQL, and transactions, without a file."""

    database: str = "kept in memory"
    _turn: threading.RLock = field(default_factory=threading.RLock)

    def sparing(self) -> "KeptState":
        """The same state: a few rows need no limit, and another connection would not see them."""
        return self

    @contextmanager
    def scratch(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The only connection; threads take turns."""
        with self._turn:
            yield self._connection

    @contextmanager
    def attached(
        self,
        connection: duckdb.DuckDBPyConnection,
        *,
        read_only: bool = False,
    ) -> Iterator[None]:
        """The state is always attached."""
        assert connection is self._connection
        assert read_only in {True, False}
        with self._turn:
            yield

    def _expect_checkpoint(self, connection: duckdb.DuckDBPyConnection) -> None:
        """There is no file."""

    def lose(self) -> None:
        """Empty every table, as if the file had been deleted."""
        with self.transaction() as connection:
            for table in self._tables:
                connection.execute(f"DELETE FROM dinmo.{table}")

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(":memory:")
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET threads = 1")
        # Planning a query takes longer than these few rows.
        connection.execute("PRAGMA disable_optimizer")
        connection.execute("ATTACH ':memory:' AS state")
        connection.execute("USE state")
        migrate(connection, self.database)
        return connection

    @cached_property
    def _tables(self) -> list[str]:
        found = self._connection.execute(
            "SELECT table_name FROM duckdb_tables()"
            " WHERE database_name = 'state' AND schema_name = 'dinmo'"
            " AND table_name <> 'schema_version'"
        ).fetchall()
        return [row[0] for row in found]
