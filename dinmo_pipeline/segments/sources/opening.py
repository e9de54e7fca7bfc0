"""Opening the source: what every kind of warehouse offers, and which code serves it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from dinmo_pipeline.config.declarations import Source
from dinmo_pipeline.segments.errors import SourceError
from dinmo_pipeline.segments.sql.columns import ColumnType, Table


class OpenSource(Protocol):
    """A source that is open for reading. No statement given to it can change the source."""

    @property
    def dialect(self) -> str:
        """What sqlglot calls the SQL that the source speaks."""

    def table(self, name: str) -> Table:
        """The table declared as `name`, as the source spells it.

        Raises:
            MissingTableError: the source has no such table.
            SourceError: the source does not answer.
        """

    def columns(self, table: str) -> Mapping[str, ColumnType]:
        """The columns of a table in order; raises what `table` does."""

    def query_columns(self, sql: str) -> Mapping[str, ColumnType]:
        """The columns that a SELECT gives, in order, without running it to the end.

        Raises:
            SourceError: the source refuses the SELECT.
        """

    def batches(self, sql: str) -> pa.RecordBatchReader:
        """The rows of a SELECT as a stream of Arrow batches; memory stays flat.

        Read it before the source is closed, and before the next call on the source.

        Raises:
            SourceError: the source refuses the SELECT, or it is not one.
        """

    def count(self, sql: str) -> int:
        """How many rows a SELECT gives; counted by the source. Raises what `batches` does."""

    def explain(self, sql: str) -> str:
        """How the source would run a SELECT, in its own words. Raises what `batches` does."""


@contextmanager
def open_source(
    source: Source,
    *,
    uri: str | None,
    wait_seconds: float = 60,
    on_wait: Callable[[str], None] | None = None,
) -> Iterator[OpenSource]:
    """Open the source for reading, and close it afterwards.

    Args:
        source: What is declared. Files are told by its `path`.
        uri: The connection URI of a remote warehouse, the value of the variable `source.uri` names.
        wait_seconds: How long a DuckDB file that another process writes is waited for.
        on_wait: Called once, with a sentence for a person, when the wait begins.

    Raises:
        SourceError: it cannot be opened; the text says why and never holds the URI.
    """
    match source.type:
        case "duckdb":
            from dinmo_pipeline.segments.sources.duckdb_source import open_duckdb_file  # noqa: PLC0415

            opened: AbstractContextManager[OpenSource] = open_duckdb_file(
                _path(source), wait_seconds=wait_seconds, on_wait=on_wait or (lambda _: None)
            )
        case "parquet" | "csv":
            from dinmo_pipeline.segments.sources.folder_source import open_folder  # noqa: PLC0415

            opened = open_folder(_path(source), source.type)
        case remote:
            from dinmo_pipeline.segments.sources.remote_source import open_remote  # noqa: PLC0415

            if not uri:
                name = source.uri.name if source.uri else "the variable that source.uri names"
                raise SourceError(
                    f"The source is {remote}, but {name} is not set: put the connection URI there."
                )
            opened = open_remote(remote, uri)
    with opened as ready:
        yield ready


def _path(source: Source) -> Path:
    if source.path is None:
        raise SourceError(f"The source is {source.type}, but it names no file or folder.")
    return source.path
