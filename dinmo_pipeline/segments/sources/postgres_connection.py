"""PostgreSQL and Redshift through ADBC and libpq, every statement in a read-only transaction."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import adbc_driver_manager
from adbc_driver_postgresql import StatementOptions, dbapi

from dinmo_pipeline.segments.sources.adbc_connection import AdbcConnection
from dinmo_pipeline.segments.sql import literals
from dinmo_pipeline.segments.sql.columns import ColumnType
from dinmo_pipeline.segments.sql.statements import RefusedSqlError, called_names

# PostgreSQL's own objects have numbers below 16,384; `A` are arrays.
_EXTENSION_TYPES = """
    SELECT typname::text, 'unnamed<oid:' || oid || '>' FROM pg_catalog.pg_type
    WHERE oid >= 16384 AND typtype IN ('b', 'e') AND typcategory <> 'A'
      AND ARRAY[typname::text, 'unnamed<oid:' || oid || '>'] && ARRAY[{}]
"""
_VOLATILE = """
    SELECT DISTINCT proname::text FROM pg_catalog.pg_proc
    WHERE provolatile = 'v' AND lower(proname) IN ({}) ORDER BY 1
"""
# Volatile, but they only return something; `system` and `bernoulli` sample a table.
_HARMLESS = frozenset(
    {
        *("random", "random_normal", "gen_random_uuid", "uuidv4", "uuidv7", "uuid_generate_v1"),
        *("array_sample", "array_shuffle", "gen_random_bytes", "gen_salt", "uuid_generate_v1mc"),
        *("uuid_generate_v4", "clock_timestamp", "timeofday", "current_query", "currval", "lastval"),
        *("bernoulli", "system", "pg_relation_size", "pg_table_size", "pg_total_relation_size"),
        *("pg_indexes_size", "pg_database_size", "pg_is_in_recovery", "pg_partition_tree"),
        *("pg_partition_ancestors", "pg_sequence_last_value"),
    }
)
_BATCH_BYTES = str(4 << 20)  # the driver's default of 16 MB holds more than a million short rows


class PostgresConnection(AdbcConnection):
    """A connection that runs each statement in a transaction begun as READ ONLY.

    No statement can lift that: PostgreSQL refuses `transaction_read_only = off` after a transaction's first
    query, and a changed session default does not apply to a transaction begun as READ ONLY.
    """

    def __init__(self, connection: Any, dialect: str, title: str, *, use_copy: bool) -> None:
        super().__init__(connection, dialect, title, "EXPLAIN")
        self._use_copy = use_copy

    def configure_session(self) -> None:
        """Read quoted text literally and write moments in UTC, whatever the server's defaults."""
        cursor = self._connection.cursor()
        cursor.execute("SET standard_conforming_strings = on")
        cursor.execute("SET timezone = 'UTC'")
        # A process that is killed cannot cancel its query: the server notices, from PostgreSQL 14 on.
        with suppress(adbc_driver_manager.Error):
            cursor.execute("SET client_connection_check_interval = '2s'")
        cursor.close()

    def judge(self, select: str) -> None:
        """Refuse a text that is not one statement by itself, or that calls a volatile function.

        A read-only transaction does not stop functions with effects, such as `pg_terminate_backend`. The
        server's catalogue says which they are: it takes a function to be volatile unless declared otherwise.
        """
        if self._use_copy:
            # Alone, the server would not accept `SELECT 1) TO STDOUT; DROP TABLE …; COPY (SELECT 1`.
            self._prepare(select)
        names = called_names(select, self._dialect)
        listed = ", ".join(literals.text(name).sql(dialect="postgres") for name in sorted(names))
        rows = self.read(_VOLATILE.format(listed)).read_all() if names else None
        for name in rows.column(0).to_pylist() if rows else ():
            if name not in _HARMLESS:
                raise RefusedSqlError(
                    f"must only read tables, but calls {name}(), which PostgreSQL calls volatile. If it is"
                    f" your own and only reads, declare it so: ALTER FUNCTION {name} STABLE."
                )

    def _prepare(self, select: str) -> None:
        """Let the server parse a text, without running it."""
        self._close_cursor()
        cursor = self._connection.cursor()
        try:
            cursor.execute("ROLLBACK")  # or the refusal of an earlier text would refuse this one
            cursor.adbc_execute_schema(select)
        except adbc_driver_manager.Error as error:
            raise self._refused(error) from None
        finally:
            cursor.close()

    def columns(self, sql: str) -> dict[str, ColumnType]:
        """The columns of a SELECT, in order; types of extensions, and domains over them, are text.

        The driver has only bytes for such a type. The server casts every type to text.
        """
        columns = super().columns(sql)
        unknown = {type_.type for type_ in columns.values() if type_.kind == "other"}
        foreign = self._types_of_extensions(unknown) if unknown else {}
        return {
            name: foreign.get(type_.type, type_) if type_.kind == "other" else type_
            for name, type_ in columns.items()
        }

    def _types_of_extensions(self, names: Iterable[str]) -> dict[str, ColumnType]:
        """Those of the named types that neither PostgreSQL nor the driver defines, and that are one value.

        The driver calls a type that was created since it connected `unnamed<oid:16385>`.
        """
        listed = ", ".join(literals.text(name).sql(dialect="postgres") for name in names)
        rows = self.read(_EXTENSION_TYPES.format(listed)).read_all()
        names_of_types, unnamed = (column.to_pylist() for column in rows.columns)
        types = [ColumnType("text", name, as_text=True, is_foreign=True) for name in names_of_types]
        return dict(zip((*names_of_types, *unnamed), (*types, *types), strict=True))

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
    connection = PostgresConnection(
        dbapi.connect(uri, autocommit=True), "postgres", "PostgreSQL", use_copy=True
    )
    connection.configure_session()
    return connection


def connect_redshift(uri: str) -> PostgresConnection:
    """Connect by a libpq URI, without COPY: Redshift does not offer it to clients."""
    return PostgresConnection(dbapi.connect(uri, autocommit=True), "redshift", "Redshift", use_copy=False)
