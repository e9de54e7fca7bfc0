"""A DuckDB file as source, opened read-only, and the DuckDB connection behind other files."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from sqlglot import exp

from dinmo_pipeline.segments.errors import MissingTableError, SourceError, SourceUnavailableError
from dinmo_pipeline.segments.sources.duckdb_judge import judge_select
from dinmo_pipeline.segments.sources.redaction import without_values
from dinmo_pipeline.segments.sources.stopping import Made, Stoppable
from dinmo_pipeline.segments.sources.stream import failed_while_sending, with_source_errors
from dinmo_pipeline.segments.sources.table_cache import TableCache
from dinmo_pipeline.segments.sql.columns import ColumnType, Table, by_name, column_type_of_sql
from dinmo_pipeline.segments.sql.identifiers import (
    look_up,
    split_table_name,
    table_expression,
)
from dinmo_pipeline.segments.sql.statements import RefusedSqlError
from dinmo_pipeline.segments.sql.writing import select_from

DIALECT = "duckdb"
ROWS_PER_BATCH = 100_000
_POLL_SECONDS = 0.2

# Only the database file itself may be read, and no extension may be loaded.
SEALED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "allow_community_extensions": False,
    # Without this, a table that is not there is looked for among the variables of our own functions.
    "python_enable_replacements": False,
}


class DuckDBSource(TableCache):
    """An open DuckDB connection that runs single SELECT statements only, one at a time."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, timeout_seconds: float | None = None) -> None:
        super().__init__()
        self._connection = connection
        # A cursor is a connection of its own: to interrupt the first connection would not stop it.
        self._running = connection
        self._stoppable = Stoppable(self._interrupt, timeout_seconds)

    @property
    def dialect(self) -> str:
        """`duckdb`."""
        return DIALECT

    def stoppable(self, work: Callable[[], Made], also_stop: Callable[[], object] = lambda: None) -> Made:
        """Run work that reads from this source, and stop it when it is interrupted."""
        return self._stoppable.run(work, also_stop)

    def close(self) -> None:
        """Close the connection, unless a statement that cannot be stopped still uses it."""
        if not self._stoppable.is_abandoned:
            self._connection.close()

    def _interrupt(self) -> None:
        self._running.interrupt()

    def judge(self, select: str) -> None:
        """Refuse a `sql` segment that does more than read."""
        self._before(select)
        try:
            judge_select(self._connection, select)
        except duckdb.Error as error:
            raise RefusedSqlError(f"does not parse: {without_values(str(error))}") from None

    def query_columns(self, sql: str) -> Mapping[str, ColumnType]:
        """The columns of a SELECT, in order; DuckDB binds it and runs nothing."""
        self._before(sql)
        # DuckDB renames the second of two equal names in a subquery, and would read the first.
        names = [name for name, *_ in self._rows(f"DESCRIBE {sql}")]
        types = [column_type_of_sql(row[1], DIALECT) for row in self._rows(f"DESCRIBE {select_from(sql)}")]
        return by_name(zip(names, types, strict=True))

    def batches(self, sql: str) -> pa.RecordBatchReader:
        """The rows of a SELECT, streamed; the reader has a cursor of its own until it is read."""
        try:
            cursor = self._cursor()
            reader = cursor.sql(self._one_select(sql)).to_arrow_reader(ROWS_PER_BATCH)
        except duckdb.Error as error:
            raise self._refused(error) from None
        return with_source_errors(reader, self._failed_while_sending, cursor.close)

    def count(self, sql: str) -> int:
        """The number of rows of a SELECT."""
        return int(self._rows(self._one_select(select_from(sql, "COUNT(*)")))[0][0])

    def explain(self, sql: str) -> str:
        """DuckDB's plan of a SELECT."""
        rows = self._rows(f"EXPLAIN {self._one_select(sql)}")
        return "\n".join(str(text) for _, text in rows)

    def _read_table(self, name: str) -> Table:
        parts = split_table_name(name)
        if parts is None:
            raise MissingTableError(name, ())
        names = tuple(part for part, _ in parts)
        selecting = exp.select("*").from_(table_expression(names)).sql(dialect=DIALECT)
        try:
            return Table(names, self.query_columns(selecting))
        except SourceError as error:
            if not isinstance(error.__context__, duckdb.CatalogException | duckdb.BinderException):
                raise
            known = self._table_names()
            # The name may be a view that exists and fails because a table it reads is gone.
            if look_up(".".join(names).removeprefix("main."), dict.fromkeys(known)):
                raise
            raise MissingTableError(name, known) from error

    def _table_names(self) -> list[str]:
        rows = self._rows("SELECT table_schema, table_name FROM information_schema.tables ORDER BY ALL")
        return [name if schema == "main" else f"{schema}.{name}" for schema, name in rows]

    def _one_select(self, sql: str) -> str:
        """The statement's text, if DuckDB's own parser finds exactly one SELECT in it."""
        self._before(sql)
        try:
            statements = self._connection.extract_statements(sql)
        except duckdb.Error as error:
            raise self._refused(error) from None
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise SourceError("A source accepts single SELECT statements only.")
        return statements[0].query

    def _before(self, sql: str) -> None:
        """Called with each statement before DuckDB sees it."""

    def _refused(self, error: Exception) -> SourceError:
        """To be raised without its cause: DuckDB's text may quote a member's value."""
        return SourceError(f"DuckDB refused the statement: {without_values(str(error))}")

    def _failed_while_sending(self, error: Exception) -> SourceError:
        return failed_while_sending(error, "DuckDB")

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        self._running = self._connection.cursor()
        return self._running

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        try:
            return self._stoppable.run(lambda: self._cursor().execute(sql).fetchall())
        except duckdb.Error as error:
            raise self._refused(error) from None


def seal(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the connection use UTC, print nothing, and refuse later changes of settings.

    A process's second connection to a file shares the first one's database, which is sealed already.
    """
    locked = connection.execute("SELECT current_setting('lock_configuration')").fetchall()[0][0]
    if not locked:
        connection.execute("SET GLOBAL TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET lock_configuration = true")


@contextmanager
def open_duckdb_file(
    path: Path, *, timeout_seconds: float, wait_seconds: float, on_wait: Callable[[str], None]
) -> Iterator[DuckDBSource]:
    """Open a DuckDB file read-only, waiting while another process (such as dbt) writes it.

    Raises:
        SourceError: the file does not exist, is not a DuckDB file, or stayed busy.
    """
    if not path.is_file():
        raise SourceUnavailableError(f"The source's DuckDB file {path} does not exist.")
    connection = _connect_when_free(path, wait_seconds, on_wait)
    seal(connection)
    with closing(DuckDBSource(connection, timeout_seconds)) as source:
        yield source


def _connect_when_free(
    path: Path, wait_seconds: float, on_wait: Callable[[str], None]
) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + wait_seconds
    announced = False
    while True:
        try:
            return duckdb.connect(str(path), read_only=True, config=SEALED)
        except duckdb.Error as error:
            if not _is_busy(error):
                raise SourceError(f"DuckDB cannot open the source {path}: {error}") from error
            if time.monotonic() >= deadline:
                raise SourceUnavailableError(
                    f"Another program (dbt, a DuckDB shell) is still writing the source {path} after"
                    f" {wait_seconds:g} s. Nothing was changed. Run this again when it has finished, or let"
                    f" it write another file: {error}"
                ) from error
        if not announced:
            on_wait(f"Another program is writing the source {path}; waiting up to {wait_seconds:g} s.")
            announced = True
        else:
            time.sleep(_POLL_SECONDS)


def _is_busy(error: duckdb.Error) -> bool:
    """Whether another process holds the lock, or this process has the file open for writing."""
    text = str(error)
    return "Could not set lock on file" in text or "different configuration" in text
