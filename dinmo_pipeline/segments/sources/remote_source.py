"""A warehouse on a server, read through one connection."""

import re
from collections.abc import Callable, Mapping
from typing import Literal, Protocol, TypeAlias

import pyarrow as pa
from sqlglot import exp

from dinmo_pipeline.segments.errors import MissingTableError, SourceError
from dinmo_pipeline.segments.sources.stopping import Made, Stoppable
from dinmo_pipeline.segments.sources.table_cache import TableCache
from dinmo_pipeline.segments.sql.columns import ColumnType, Table
from dinmo_pipeline.segments.sql.identifiers import (
    split_table_name,
    table_expression,
)
from dinmo_pipeline.segments.sql.statements import refuse_writing
from dinmo_pipeline.segments.sql.writing import select_from, write

RemoteType: TypeAlias = Literal["postgres", "redshift", "snowflake", "bigquery", "databricks"]


class Connection(Protocol):
    """An open connection for reading. It raises SourceError when the server refuses a statement."""

    def judge(self, select: str) -> None:
        """Raise RefusedSqlError if the server does not read a text as one SELECT that only reads."""

    def read(self, sql: str) -> pa.RecordBatchReader:
        """The rows of a statement, streamed."""

    def columns(self, sql: str) -> dict[str, ColumnType]:
        """The columns of a SELECT, in order."""

    def explain(self, sql: str) -> str:
        """The server's plan of a SELECT."""

    def cancel(self) -> None:
        """End the running statement, at the server too; called from another thread."""

    def close(self) -> None:
        """Close the connection."""


# PostgreSQL's SQLSTATEs for unknown tables and schemas, and the other warehouses' words for them.
_MISSING_TABLE = re.compile(
    r"42P01|3F000|does not exist or not authorized|Not found: (Table|Dataset)"
    r"|TABLE_OR_VIEW_NOT_FOUND|SCHEMA_NOT_FOUND"
)
# In these dialects a backslash or backtick inside a quoted name could end it.
_BACKTICK_DIALECTS = ("bigquery", "databricks")


class RemoteSource(TableCache):
    """An open warehouse on a server."""

    def __init__(
        self, dialect: RemoteType, connection: Connection, timeout_seconds: float | None = None
    ) -> None:
        super().__init__()
        self._dialect = dialect
        self._connection = connection
        self._stoppable = Stoppable(connection.cancel, timeout_seconds)

    @property
    def dialect(self) -> str:
        """What sqlglot calls the warehouse's SQL: the name of its type."""
        return self._dialect

    def stoppable(self, work: Callable[[], Made], also_stop: Callable[[], object] = lambda: None) -> Made:
        """Run work that reads from this source, and stop it when it is interrupted."""
        return self._stoppable.run(work, also_stop)

    def close(self) -> None:
        """Close the connection, unless a statement that cannot be stopped still uses it."""
        if not self._stoppable.is_abandoned:
            self._connection.close()

    def judge(self, select: str) -> None:
        """Refuse a `sql` segment that does more than read."""
        refuse_writing(select, self._dialect)
        self._stoppable.run(lambda: self._connection.judge(select))

    def query_columns(self, sql: str) -> Mapping[str, ColumnType]:
        """The columns of a SELECT, in order; the server reads no rows."""
        # WHERE FALSE beside LIMIT 0: BigQuery bills a full scan for a limit alone.
        return self._columns(select_from(sql, condition=" WHERE FALSE LIMIT 0"))

    def batches(self, sql: str) -> pa.RecordBatchReader:
        """The rows of a SELECT, streamed. Read it before the next call."""
        return self._connection.read(sql)

    def count(self, sql: str) -> int:
        """The number of rows of a SELECT."""
        rows = self._read_all(select_from(sql, "COUNT(*)"))
        return int(rows.column(0)[0].as_py())

    def explain(self, sql: str) -> str:
        """The server's plan of a SELECT."""
        return self._stoppable.run(lambda: self._connection.explain(sql))

    def _columns(self, sql: str) -> dict[str, ColumnType]:
        return self._stoppable.run(lambda: self._connection.columns(sql))

    def _read_all(self, sql: str) -> pa.Table:
        return self._stoppable.run(lambda: self._connection.read(sql).read_all())

    def _read_table(self, name: str) -> Table:
        for parts in self._spellings(name):
            try:
                nothing = exp.select("*").from_(table_expression(parts)).where(exp.false()).limit(0)
                return Table(parts, self._columns(write(nothing, self._dialect)))
            except SourceError as error:
                if not _MISSING_TABLE.search(str(error)):
                    raise
        raise MissingTableError(name, self._table_names())

    def _spellings(self, name: str) -> list[tuple[str, ...]]:
        """The ways the warehouse may spell a name: it folds the case of what is not quoted."""
        parts = split_table_name(name)
        unsafe = self._dialect in _BACKTICK_DIALECTS and ("\\" in name or "`" in name)
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
        """The tables there are; none if the warehouse cannot list them without a schema or project."""
        listing = exp.select("table_schema", "table_name").from_("information_schema.tables").limit(10_000)
        try:
            rows = self._read_all(listing.sql(dialect=self._dialect))
        except SourceError:
            return []
        schemas, names = (column.to_pylist() for column in rows.columns)
        return [
            *dict.fromkeys(names),
            *(f"{schema}.{name}" for schema, name in zip(schemas, names, strict=True)),
        ]
