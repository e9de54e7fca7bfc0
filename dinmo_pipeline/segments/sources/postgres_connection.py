"""PostgreSQL and Redshift, through the ADBC driver on libpq: every statement in a read-only transaction."""

from typing import Any

from adbc_driver_postgresql import StatementOptions, dbapi

from dinmo_pipeline.segments.sources.adbc_connection import AdbcConnection

_BATCH_BYTES = str(4 << 20)  # the driver's default of 16 MB holds more than a million short rows


class PostgresConnection(AdbcConnection):
    """A connection whose every statement runs in a transaction begun as READ ONLY.

    A statement cannot lift that: PostgreSQL refuses `transaction_read_only = off` after the first query, and
    a changed default of the session does not reach a transaction that says it itself.
    """

    def __init__(self, connection: Any, title: str, *, copies: bool) -> None:
        super().__init__(connection, title, "EXPLAIN")
        self._copies = copies

    def settle(self) -> None:
        """Take quoted text as it stands and write moments in UTC, whatever the server's default is."""
        cursor = self._connection.cursor()
        cursor.execute("SET standard_conforming_strings = on")
        cursor.execute("SET timezone = 'UTC'")
        cursor.close()

    def _run(self, cursor: Any, sql: str) -> None:
        cursor.execute(
            "ROLLBACK"
        )  # ends a stream that was left half read, and is harmless without one
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        is_select = not sql.startswith("EXPLAIN")
        cursor.adbc_statement.set_options(
            **{
                StatementOptions.BATCH_SIZE_HINT_BYTES.value: _BATCH_BYTES,
                StatementOptions.USE_COPY.value: str(self._copies and is_select).lower(),
            }
        )
        cursor.execute(sql)


def connect_postgres(uri: str) -> PostgresConnection:
    """Connect by a libpq URI: `postgresql://user:password@host:5432/database?sslmode=require`."""
    connection = PostgresConnection(dbapi.connect(uri, autocommit=True), "PostgreSQL", copies=True)
    connection.settle()
    return connection


def connect_redshift(uri: str) -> PostgresConnection:
    """Connect by a libpq URI; Redshift has no COPY to the client, so rows come by the plain protocol."""
    return PostgresConnection(dbapi.connect(uri, autocommit=True), "Redshift", copies=False)
