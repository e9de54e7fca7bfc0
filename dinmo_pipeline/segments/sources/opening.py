"""Opening the source, whatever kind of warehouse it is."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from dinmo_pipeline.config.declarations import Source
from dinmo_pipeline.segments.errors import SourceError
from dinmo_pipeline.segments.sources.duckdb_source import open_duckdb_file
from dinmo_pipeline.segments.sources.files.folder import open_folder
from dinmo_pipeline.segments.sources.stopping import Made
from dinmo_pipeline.segments.sources.warehouses import open_remote
from dinmo_pipeline.segments.sql.columns import ColumnType, Table


class OpenSource(Protocol):
    """A source that is open for reading. No statement can change it."""

    @property
    def dialect(self) -> str:
        """Sqlglot's name for the source's SQL."""

    def table(self, name: str) -> Table:
        """The table declared as `name`, as the source spells it.

        Raises:
            MissingTableError: the source has no such table.
            SourceError: the source does not answer.
        """

    def columns(self, table: str) -> Mapping[str, ColumnType]:
        """The columns of a table, in order; raises what `table` raises."""

    def judge(self, select: str) -> None:
        """Refuse a `sql` segment that the source does not read as one SELECT, or that does more than read.

        Raises:
            RefusedSqlError: it is refused; see statements.py.
            SourceError: the source does not answer.
        """

    def query_columns(self, sql: str) -> Mapping[str, ColumnType]:
        """The columns of a SELECT, in order, without running it to the end.

        Raises:
            SourceError: the source refuses the SELECT.
        """

    def stoppable(self, work: Callable[[], Made], also_stop: Callable[[], object] = ...) -> Made:
        """Run work that reads `batches` of this source; a signal, or the source's time limit, stops it.

        `also_stop` ends, from another thread, what the work does outside of the source. The other methods
        need no such care.

        Raises:
            TimeLimitError: the work takes longer than the source's `query_timeout`.
        """

    def batches(self, sql: str) -> pa.RecordBatchReader:
        """The rows of a SELECT as a stream of Arrow batches, in constant memory.

        Read it before the next call on the source, and before the source is closed.

        Raises:
            SourceError: the source refuses the SELECT, or it is not one.
        """

    def count(self, sql: str) -> int:
        """The number of rows of a SELECT, counted by the source; raises what `batches` raises."""

    def explain(self, sql: str) -> str:
        """The source's own plan for running a SELECT; raises what `batches` raises."""


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
        source: The declared source; `source.path` locates files.
        uri: The connection URI of a remote warehouse: the value of the variable that `source.uri` names.
        wait_seconds: How long to wait for a DuckDB file that another process writes.
        on_wait: Called once, with a sentence for a person, when the wait begins.

    Raises:
        SourceError: it cannot be opened; the text says why and never contains the URI.
    """
    match source.type:
        case "duckdb":
            opened: AbstractContextManager[OpenSource] = open_duckdb_file(
                _path(source),
                timeout_seconds=source.query_timeout.total_seconds(),
                wait_seconds=wait_seconds,
                on_wait=on_wait or (lambda _: None),
            )
        case "parquet" | "csv":
            opened = open_folder(_path(source), source.type, source.query_timeout.total_seconds())
        case remote:
            if not uri:
                name = source.uri.name if source.uri else "the variable that source.uri names"
                raise SourceError(
                    f"The source is {remote}, but {name} is not set. Set it to the connection URI."
                )
            opened = open_remote(remote, uri, source.query_timeout.total_seconds())
    with opened as ready:
        yield ready


def _path(source: Source) -> Path:
    if source.path is None:
        raise SourceError(f"The source is {source.type}, but declares no file or folder.")
    return source.path
