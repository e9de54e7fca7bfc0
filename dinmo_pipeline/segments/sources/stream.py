"""A stream of Arrow batches whose errors are ours, also those that come halfway."""

from collections.abc import Callable, Iterator

import pyarrow as pa

from dinmo_pipeline.segments.errors import SourceError
from dinmo_pipeline.segments.sources.redaction import without_values


def reported(
    reader: pa.RecordBatchReader, title: str, release: Callable[[], object] | None = None
) -> pa.RecordBatchReader:
    """The same stream; what its driver raises while it is read is a SourceError.

    `release` is called when the last batch was read, or reading failed or was given up.
    """

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            yield from reader
        except (pa.ArrowException, OSError) as error:
            # Not chained: the driver's text may quote a member's value, and so would its traceback.
            raise SourceError(f"{title} broke off: {without_values(str(error))}") from None
        finally:
            if release is not None:
                release()

    return pa.RecordBatchReader.from_batches(reader.schema, batches())
