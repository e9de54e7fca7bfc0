"""PostgreSQL and Redshift through ADBC and libpq, every statement in a read-only transaction."""

from typing import Any

from adbc_driver_postgresql import StatementOptions, dbapi

from dinmo_pipeline.segments.sources.adbc_connection import AdbcConnection

_BATCH_BYTES = str(4 << 20)  # the driver's default of 16 MB holds more than a million short rows


class PostgresConnection(AdbcConnection):
    """A connection that runs each statement in a transaction begun as READ ONLY.

    No statement can lift that: PostgreSQL refuses `transaction_read_only = off` after a transaction's first
    query, and a changed session default does not apply to a transaction begun as READ ONLY.
    """

    def __init__(self, connection: Any, title: str, *, use_copy: bool) -> None:
        super().__init__(connection, title, "EXPLAIN")
        self._use_copy = use_copy

    def configure_session(self) -> None:
        """Read quoted text literally and write moments in UTC, whatever the server's defaults."""
        cursor = self._connection.cursor()
        cursor.execute("SET standard_conforming_strings = on")
        cursor.execute("SET timezone = 'UTC'")
        cursor.close()

    def _run(self, cursor: Any, sql: str) -> None:
        # A stream that was left half read still has its transaction; without one this is harmless.
        cursor.execute("ROLLBACK")
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        is_select = not sql.startswith("EXPLAIN")
        cursor.adbc_statement.set_options(
            **{
                StatementOptions.BATCH_SIZE_HINT_BYTES.value: _BATCH_BYTES,
                StatementOptions.USE_COPY.value: str(self._use_copy and is_select).lower(),
            }
        )
        cursor.execute(sql)


def connect_postgres(uri: str) -> PostgresConnection:
    """Connect by a libpq URI: `postgresql://user:password@host:5432/database?sslmode=require`."""
    connection = PostgresConnection(dbapi.connect(uri, autocommit=True), "PostgreSQL", use_copy=True)
    connection.configure_session()
    return connection


def connect_redshift(uri: str) -> PostgresConnection:
    """Connect by a libpq URI, without COPY: Redshift does not offer it to clients."""
    return PostgresConnection(dbapi.connect(uri, autocommit=True), "Redshift", use_copy=False)
