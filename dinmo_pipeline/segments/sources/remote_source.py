"""A warehouse on a server: which connection serves which, and what all of them have in common."""

import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import pyarrow as pa
from sqlglot import exp

from dinmo_pipeline.segments.errors import MissingTableError, SourceError
from dinmo_pipeline.segments.sql.columns import ColumnType, Table
from dinmo_pipeline.segments.sql.identifiers import (
    split_table_name,
    table_expression,
)
from dinmo_pipeline.segments.sql.key_sets import derived
from dinmo_pipeline.segments.sql.statements import RefusedSqlError, parse_select
from dinmo_pipeline.segments.sql.writing import write
from dinmo_pipeline.text.wording import nearest

RemoteType: TypeAlias = Literal["postgres", "redshift", "snowflake", "bigquery", "databricks"]


class Connection(Protocol):
    """An open connection that reads. It raises SourceError for what the server refuses."""

    def read(self, sql: str) -> pa.RecordBatchReader:
        """The rows of a statement, streamed."""

    def columns(self, sql: str) -> dict[str, ColumnType]:
        """The columns of a SELECT, in order."""

    def explain(self, sql: str) -> str:
        """The server's plan of a SELECT."""

    def close(self) -> None:
        """Give the connection back."""


@dataclass(frozen=True, slots=True)
class Warehouse:
    """How a kind of warehouse is reached: the extra that brings its driver, and who connects."""

    title: str
    extra: str
    driver: str
    connector: str
    connect: str


# The connectors are named, not imported: each imports a driver that may not be installed.
_SOURCES = "dinmo_pipeline.segments.sources"
WAREHOUSES: Mapping[RemoteType, Warehouse] = {
    "postgres": Warehouse(
        "PostgreSQL",
        "postgres",
        "adbc_driver_postgresql.dbapi",
        f"{_SOURCES}.postgres_connection",
        "connect_postgres",
    ),
    "redshift": Warehouse(
        "Redshift",
        "redshift",
        "adbc_driver_postgresql.dbapi",
        f"{_SOURCES}.postgres_connection",
        "connect_redshift",
    ),
    "snowflake": Warehouse(
        "Snowflake",
        "snowflake",
        "adbc_driver_snowflake.dbapi",
        f"{_SOURCES}.adbc_connection",
        "connect_snowflake",
    ),
    "bigquery": Warehouse(
        "BigQuery",
        "bigquery",
        "adbc_driver_bigquery.dbapi",
        f"{_SOURCES}.adbc_connection",
        "connect_bigquery",
    ),
    "databricks": Warehouse(
        "Databricks",
        "databricks",
        "databricks.sql",
        f"{_SOURCES}.databricks_connection",
        "connect_databricks",
    ),
}

# PostgreSQL's SQLSTATEs of unknown tables and schemas, and what the others say instead.
_MISSING_TABLE = re.compile(
    r"42P01|3F000|does not exist or not authorized|Not found: (Table|Dataset)"
    r"|TABLE_OR_VIEW_NOT_FOUND|SCHEMA_NOT_FOUND"
)
# In these dialects a backslash or backtick inside of a quoted name could end it.
_BACKTICKS = ("bigquery", "databricks")


class RemoteSource:
    """A warehouse on a server, read through one connection."""

    def __init__(self, dialect: RemoteType, connection: Connection) -> None:
        self._dialect = dialect
        self._connection = connection
        self._tables: dict[str, Table] = {}

    @property
    def dialect(self) -> str:
        """What sqlglot calls the warehouse's SQL: the name of its type."""
        return self._dialect

    def table(self, name: str) -> Table:
        """The table declared as `name`, spelled as the warehouse spells it."""
        if name not in self._tables:
            self._tables[name] = self._read_table(name)
        return self._tables[name]

    def columns(self, table: str) -> Mapping[str, ColumnType]:
        """The columns of a table, in order."""
        return self.table(table).columns

    def query_columns(self, sql: str) -> Mapping[str, ColumnType]:
        """The columns that a SELECT gives, in order; the server reads no row for it."""
        return self._columns_of(derived(self._parsed(sql), "rows"))

    def batches(self, sql: str) -> pa.RecordBatchReader:
        """The rows of a SELECT, streamed. Read it before the next call."""
        self._parsed(sql)
        return self._connection.read(sql)

    def count(self, sql: str) -> int:
        """How many rows a SELECT gives."""
        counting = exp.select(exp.Count(this=exp.Star())).from_(derived(self._parsed(sql), "rows"))
        rows = self._connection.read(write(counting, self._dialect)).read_all()
        return int(rows.column(0)[0].as_py())

    def explain(self, sql: str) -> str:
        """The server's plan of a SELECT."""
        self._parsed(sql)
        return self._connection.explain(sql)

    def _parsed(self, sql: str) -> exp.Query:
        try:
            return parse_select(sql, self._dialect)
        except RefusedSqlError as error:
            raise SourceError(f"The statement {error}.") from error

    def _columns_of(self, origin: exp.Expr) -> dict[str, ColumnType]:
        # WHERE FALSE beside LIMIT 0: BigQuery bills a whole scan for a limit alone.
        nothing = exp.select("*").from_(origin).where(exp.false()).limit(0)
        return self._connection.columns(write(nothing, self._dialect))

    def _read_table(self, name: str) -> Table:
        for parts in self._spellings(name):
            try:
                return Table(parts, self._columns_of(table_expression(parts)))
            except SourceError as error:
                if not _MISSING_TABLE.search(str(error)):
                    raise
        raise MissingTableError(name, nearest(name, self._table_names(), limit=3))

    def _spellings(self, name: str) -> list[tuple[str, ...]]:
        """How the warehouse may spell a name: without quotes it folds upper and lower case."""
        parts = split_table_name(name)
        unsafe = self._dialect in _BACKTICKS and ("\\" in name or "`" in name)
        if parts is None or unsafe:
            return []
        written = tuple(part for part, _ in parts)
        match self._dialect:
            case "postgres" | "redshift":
                folded = tuple(part if quoted else part.lower() for part, quoted in parts)
                return list(dict.fromkeys([written, folded]))
            case "snowflake":
                folded = tuple(part if quoted else part.upper() for part, quoted in parts)
                return list(dict.fromkeys([folded, written]))
        return [written]

    def _table_names(self) -> list[str]:
        """What tables there are; none where the warehouse does not say without more to go by."""
        listing = (
            exp.select("table_schema", "table_name")
            .from_("information_schema.tables")
            .limit(10_000)
        )
        try:
            rows = self._connection.read(listing.sql(dialect=self._dialect)).read_all()
        except SourceError:
            return []
        schemas, names = (column.to_pylist() for column in rows.columns)
        return [
            *dict.fromkeys(names),
            *(f"{schema}.{name}" for schema, name in zip(schemas, names, strict=True)),
        ]


@contextmanager
def open_remote(type_: RemoteType, uri: str) -> Iterator[RemoteSource]:
    """Connect to a warehouse for reading.

    Raises:
        SourceError: the driver is not installed, or the server cannot be reached or refuses us.
    """
    warehouse = WAREHOUSES[type_]
    try:
        importlib.import_module(warehouse.driver)
    except ImportError as error:
        raise SourceError(
            f"{warehouse.title} needs a driver that is not installed:"
            f" pip install 'dinmo-pipeline[{warehouse.extra}]'"
        ) from error
    connect: Callable[[str], Any] = getattr(
        importlib.import_module(warehouse.connector), warehouse.connect
    )
    try:
        connection: Connection = connect(uri)
    except SourceError:
        raise
    except Exception as error:  # noqa: BLE001 - each driver has errors of its own
        # The driver's text may quote the URI, and so may its traceback: neither is passed on.
        raise SourceError(f"{warehouse.title} cannot be reached: {_reason(str(error))}") from None
    try:
        yield RemoteSource(type_, connection)
    finally:
        connection.close()


_REASONS = (
    (
        r"password authentication failed|incorrect username or password|invalid.*token|401",
        "it refuses the credentials",
    ),
    (
        r"could not translate host name|no such host|name or service",
        "the host of the URI is unknown",
    ),
    (r"connection refused", "no server listens at the host and port of the URI"),
    (r"timeout|timed out", "it does not answer in time"),
    (r"no pg_hba.conf entry", "it accepts no connection from here for this user"),
    (r"(role|database) .* does not exist", "it has no such user or database"),
    (r"ssl|tls|certificate", "the encrypted connection fails"),
    (r"no such file", "no server listens at the socket of the URI"),
)


def _reason(text: str) -> str:
    """Why a connection failed, in words of ours: what the driver says may hold a part of the URI."""
    for pattern, reason in _REASONS:
        if re.search(pattern, text, re.IGNORECASE | re.DOTALL):
            return reason
    return "its URI is not understood, or the server is of another kind (see docs/reference/sources.md)"
