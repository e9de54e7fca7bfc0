"""Connections through ADBC drivers, which deliver rows as Arrow batches while the server sends them."""

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import adbc_driver_manager
import pyarrow as pa

from dinmo_pipeline.segments.errors import SourceError
from dinmo_pipeline.segments.sources.redaction import without_values
from dinmo_pipeline.segments.sources.stream import failed_while_sending, with_source_errors
from dinmo_pipeline.segments.sources.unavailable import source_error
from dinmo_pipeline.segments.sql.columns import ColumnType, columns_of_arrow
from dinmo_pipeline.segments.sql.statements import refuse_outreach


class AdbcConnection:
    """A connection of an ADBC driver's `dbapi` module; one statement at a time."""

    def __init__(self, connection: Any, dialect: str, title: str, explain_keyword: str | None) -> None:
        self._connection = connection
        self._dialect = dialect
        self._title = title
        self._explain_keyword = explain_keyword
        self._cursor: Any = None

    def judge(self, select: str) -> None:
        """Refuse functions that reach outside, by name: such a warehouse has no mode that only reads."""
        refuse_outreach(select, self._dialect)

    def read(self, sql: str) -> pa.RecordBatchReader:
        """The rows of a SELECT, streamed; closes the previous statement."""
        return with_source_errors(
            self._execute(sql).fetch_record_batch(), partial(failed_while_sending, title=self._title)
        )

    def columns(self, sql: str) -> dict[str, ColumnType]:
        """The columns of a SELECT, in order."""
        reader = self.read(sql)
        columns = columns_of_arrow(reader.schema)
        reader.close()
        return columns

    def explain(self, sql: str) -> str:
        """The server's plan of a SELECT, or a sentence that there is none."""
        if self._explain_keyword is None:
            return f"{self._title} cannot explain a statement before it runs."
        rows = self._execute(f"{self._explain_keyword} {sql}").fetchall()
        return "\n".join(" ".join(str(value) for value in row) for row in rows)

    def cancel(self) -> None:
        """End the running statement, at the server too."""
        cursor = self._cursor
        if cursor is not None:
            with suppress(adbc_driver_manager.Error):
                cursor.adbc_cancel()

    def close(self) -> None:
        """Close the statement and the connection."""
        self._close_cursor()
        self._connection.close()

    def _execute(self, sql: str) -> Any:
        self._close_cursor()
        self._cursor = self._connection.cursor()
        try:
            self._run(self._cursor, sql)
        except adbc_driver_manager.Error as error:
            raise self._refused(error) from None
        return self._cursor

    def _run(self, cursor: Any, sql: str) -> None:
        """Execute a statement with a new cursor."""
        cursor.execute(sql)

    def _close_cursor(self) -> None:
        if self._cursor is not None:
            self._cursor.close()
            self._cursor = None

    def _refused(self, error: adbc_driver_manager.Error) -> SourceError:
        text = str(error).partition("Query was:")[0].strip()
        state = f" (SQLSTATE {error.sqlstate})" if error.sqlstate else ""
        return source_error(
            f"{self._title} refused the statement: {without_values(text)}{state}", error.sqlstate
        )


def connect_snowflake(uri: str) -> AdbcConnection:
    """Connect by `snowflake://user:password@account/database/schema?warehouse=…&role=…`."""
    from adbc_driver_snowflake import dbapi  # noqa: PLC0415  # an extra

    connection = dbapi.connect(uri.removeprefix("snowflake://"), autocommit=True)
    return AdbcConnection(connection, "snowflake", "Snowflake", "EXPLAIN USING TEXT")


def connect_bigquery(uri: str) -> AdbcConnection:
    """Connect by `bigquery://project/dataset?credentials_path=/path/to/key.json`.

    Without `credentials_path`, Google's application default credentials apply.
    """
    from adbc_driver_bigquery import DatabaseOptions, dbapi  # noqa: PLC0415  # an extra

    parts = urlsplit(uri)
    options = {DatabaseOptions.PROJECT_ID.value: parts.netloc}
    if dataset := unquote(parts.path).strip("/"):
        options[DatabaseOptions.DATASET_ID.value] = dataset
    if path := parse_qs(parts.query).get("credentials_path"):
        key_file = DatabaseOptions.AUTH_VALUE_JSON_CREDENTIAL_FILE.value
        options[DatabaseOptions.AUTH_TYPE.value] = key_file
        options[DatabaseOptions.AUTH_CREDENTIALS.value] = str(Path(path[0]).expanduser())
    return AdbcConnection(dbapi.connect(db_kwargs=options, autocommit=True), "bigquery", "BigQuery", None)
