"""CSV files read by the project, and by Python's `csv` module."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dinmo_pipeline.config.declarations import Source
from dinmo_pipeline.segments import OpenSource, open_source
from dinmo_pipeline_tests.segments.declaring import HERE

Rows = list[tuple[str | None, ...]]


@contextmanager
def opened(folder: Path, type_: str = "csv") -> Iterator[OpenSource]:
    """A folder of files as an open source."""
    with open_source(Source(type_, folder, None, HERE), uri=None) as source:
        yield source


def rows_of(source: OpenSource, table: str) -> tuple[list[str], Rows]:
    """The columns and rows of a table, in the order of the file."""
    columns = list(source.columns(table))
    found = source.batches(f"SELECT * FROM {table}").read_all()
    assert found.column_names == columns
    return columns, list(zip(*(column.to_pylist() for column in found.columns), strict=True))


def rows_by_python(
    path: Path, *, delimiter: str = ",", encoding: str = "utf-8-sig"
) -> tuple[list[str], Rows]:
    """The header and rows of a file as Python's `csv` module reads it; empty text is None."""
    with path.open(encoding=encoding, newline="") as file:
        header, *rows = (row for row in csv.reader(file, delimiter=delimiter, strict=True) if row)
    return header, [tuple(text or None for text in row) for row in rows]
