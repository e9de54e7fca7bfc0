"""A stream of Arrow batches that raises SourceError only."""

from collections.abc import Callable, Iterator

import pyarrow as pa

from dinmo_pipeline.segments.errors import SourceError
from dinmo_pipeline.segments.sources.redaction import without_values
from dinmo_pipeline.segments.sources.unavailable import source_error


def failed_while_sending(error: Exception, title: str) -> SourceError:
    """The error of a driver that ended a stream, without the values that its text may quote."""
    return source_error(f"{title} failed while sending rows: {without_values(str(error))}")


def with_source_errors(
    reader: pa.RecordBatchReader,
    failed: Callable[[Exception], SourceError],
    release: Callable[[], object] | None = None,
) -> pa.RecordBatchReader:
    """The same stream, with the driver's errors turned into SourceError by `failed`.

    `release` is called when the stream ends: after the last batch, after an error, or when it is dropped.
    """

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            yield from reader
        except (pa.ArrowException, OSError) as error:
            # Not chained: the driver's text may quote a member's value, and so would its traceback.
            raise failed(error) from None
        finally:
            # DuckDB 1.5 hangs when a file is opened again while a reader whose query failed is still open.
            reader.close()
            if release is not None:
                release()

    return pa.RecordBatchReader.from_batches(reader.schema, batches())
