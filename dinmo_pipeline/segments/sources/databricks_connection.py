"""Databricks SQL, through the vendor's connector, which fetches results as Arrow."""

from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pyarrow as pa
from databricks import sql as databricks_sql

from dinmo_pipeline.segments.errors import SourceError
from dinmo_pipeline.segments.sources.redaction import without_values
from dinmo_pipeline.segments.sources.stream import failed_while_sending, with_source_errors
from dinmo_pipeline.segments.sources.unavailable import source_error
from dinmo_pipeline.segments.sql.columns import ColumnType, columns_of_arrow
from dinmo_pipeline.segments.sql.statements import refuse_outreach

_ROWS_PER_FETCH = 100_000


class DatabricksConnection:
    """A connection to a SQL warehouse; one statement at a time."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._cursor: Any = None

    def judge(self, select: str) -> None:
        """Refuse functions that reach outside, by name: such a warehouse has no mode that only reads."""
        refuse_outreach(select, "databricks")

    def read(self, sql: str) -> pa.RecordBatchReader:
        """The rows of a SELECT, fetched piece by piece."""
        cursor = self._execute(sql)
        first: pa.Table = cursor.fetchmany_arrow(_ROWS_PER_FETCH)

        def batches() -> Iterator[pa.RecordBatch]:
            piece = first
            while piece.num_rows:
                yield from piece.to_batches()
                piece = cursor.fetchmany_arrow(_ROWS_PER_FETCH)

        return with_source_errors(
            pa.RecordBatchReader.from_batches(first.schema, batches()),
            partial(failed_while_sending, title="Databricks"),
        )

    def columns(self, sql: str) -> dict[str, ColumnType]:
        """The columns of a SELECT, in order."""
        return columns_of_arrow(self.read(sql).schema)

    def explain(self, sql: str) -> str:
        """The server's plan of a SELECT."""
        return "\n".join(str(line) for (line,) in self._execute(f"EXPLAIN {sql}").fetchall())

    def cancel(self) -> None:
        """End the running statement, at the server too."""
        if self._cursor is not None:
            self._cursor.cancel()

    def close(self) -> None:
        """Close the statement and the connection."""
        if self._cursor is not None:
            self._cursor.close()
        self._connection.close()

    def _execute(self, sql: str) -> Any:
        if self._cursor is not None:
            self._cursor.close()
        self._cursor = self._connection.cursor()
        try:
            self._cursor.execute(sql)
        except databricks_sql.Error as error:
            reason = without_values(str(error))
            raise source_error(f"Databricks refused the statement: {reason}") from None
        return self._cursor


def connect_databricks(uri: str) -> DatabricksConnection:
    """Connect by `databricks://token:TOKEN@host?http_path=/sql/1.0/warehouses/…&catalog=…&schema=…`."""
    parts = urlsplit(uri)
    options = {name: values[0] for name, values in parse_qs(parts.query).items()}
    if "http_path" not in options or not parts.hostname:
        raise SourceError("The Databricks URI needs a host and ?http_path=/sql/1.0/warehouses/…")
    connection = databricks_sql.connect(
        server_hostname=parts.hostname,
        http_path=options["http_path"],
        access_token=unquote(parts.password or ""),
        catalog=options.get("catalog"),
        schema=options.get("schema"),
        session_configuration={"timezone": "UTC"},
    )
    return DatabricksConnection(connection)
