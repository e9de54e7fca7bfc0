"""The CSV files of one table in DuckDB: a view that DuckDB reads, or a table that Python's reader filled."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import duckdb
import pyarrow as pa

from dinmo_pipeline.segments.errors import SourceError, SourceUnavailableError
from dinmo_pipeline.segments.sources.files.csv_format import (
    BadRecordError,
    CsvFormat,
    has_quotes,
    is_regular,
    plain_text,
    read_format,
    records,
)
from dinmo_pipeline.segments.sources.files.scans import glob_of, literal, name_of

_ROWS_PER_BATCH = 50_000

Partition = Callable[[Path], Mapping[str, str | None]]
"""The columns that the folders of a file are named for: `orders/year=2026/part.csv`."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A file of a table, its text as UTF-8, and what that means."""

    path: Path
    plain: Path
    format: CsvFormat
    partition: Mapping[str, str | None]

    @property
    def columns(self) -> dict[str, str | None]:
        """The columns, with the value of those that a folder is named for; a file's own column wins."""
        own = {name.casefold() for name in self.format.header}
        folders = {name: value for name, value in self.partition.items() if name.casefold() not in own}
        return {**dict.fromkeys(self.format.header), **folders}

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """The rows with the line that each begins in; raises SourceError with file and line."""
        try:
            yield from islice(records(self.plain, self.format), 1, None)
        except BadRecordError as error:
            raise _at(self.path, error) from None
        except FileNotFoundError:
            raise SourceUnavailableError(f"{self.path}: the file does not exist any more.") from None


class CsvTable:
    """A table of CSV files. Parts with different headers are one table with the columns of all of them."""

    def __init__(self, parts: Sequence[_Part]) -> None:
        self._parts = parts

    @classmethod
    def create(
        cls,
        connection: duckdb.DuckDBPyConnection,
        name: str,
        paths: Sequence[Path],
        partition: Partition,
        scratch: Path,
    ) -> "CsvTable":
        """Create the table `name`: all of its columns are text, and an empty value is NULL.

        Raises:
            SourceError: a file cannot be read; the text has its name and the line.
        """
        parts = [_part(path, partition(path), scratch) for path in paths]
        if all(is_regular(part.plain, part.format) for part in parts):
            connection.execute(f"CREATE VIEW {name_of(name)} AS {_union(parts)}")
        else:
            _fill(connection, name, parts)
        return cls(parts)

    def place_of(self, column: str, value: str) -> str | None:
        """The file and line of the first row with a value; None if a folder is named for it."""
        for part in self._parts:
            if column in part.format.header:
                position = part.format.header.index(column)
                for line, record in part.records():
                    if record[position] == value:
                        return f"{part.path.name}, line {line}"
        return None

    def problem(self) -> SourceError | None:
        """The first record that cannot be read, with its file and line."""
        for part in self._parts:
            try:
                for _ in part.records():
                    pass
            except SourceError as error:
                return error
        return None


def _part(path: Path, partition: Mapping[str, str | None], scratch: Path) -> _Part:
    plain = plain_text(path, scratch)
    try:
        return _Part(path, plain, read_format(plain), partition)
    except BadRecordError as error:
        raise _at(path, error) from None


def _at(path: Path, error: BadRecordError) -> SourceError:
    return SourceError(f"{path}, line {error.line}: {error}.")


def _union(parts: Sequence[_Part]) -> str:
    """The rows of all files; files that are alike are read together, so that there are few SELECTs."""
    groups: dict[tuple[object, ...], list[_Part]] = {}
    for part in parts:
        key = (part.format, tuple(part.partition.items()), has_quotes(part.plain, part.format))
        groups.setdefault(key, []).append(part)
    selects = [_select(group, is_quoted=bool(key[-1])) for key, group in groups.items()]
    return " UNION ALL BY NAME ".join(selects)


def _select(parts: Sequence[_Part], *, is_quoted: bool) -> str:
    first = parts[0]
    header = first.format.header
    quote = first.format.quote if is_quoted else ""
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in header)
    options = {
        "auto_detect": "false",
        "header": "true",
        "delim": literal(first.format.delimiter),
        "quote": literal(quote),
        "escape": literal(quote),
        "comment": "''",
        "strict_mode": "true",
        "hive_partitioning": "false",
        "columns": f"{{{columns}}}",
    }
    files = ", ".join(literal(glob_of(part.plain)) for part in parts)
    listed = ", ".join(f"{option} = {value}" for option, value in options.items())
    folders = [
        f"CAST({literal(value)} AS VARCHAR) AS {name_of(name)}"
        for name, value in first.columns.items()
        if name not in header
    ]
    # A file of one column cannot tell an empty value from a blank line.
    filled = f" WHERE {name_of(header[0])} IS NOT NULL" if len(header) == 1 else ""
    return f"SELECT {', '.join(['*', *folders])} FROM read_csv([{files}], {listed}){filled}"  # noqa: S608


def _fill(connection: duckdb.DuckDBPyConnection, name: str, parts: Sequence[_Part]) -> None:
    columns = {column.casefold(): column for part in reversed(parts) for column in part.columns}
    ordered = dict.fromkeys(columns[column.casefold()] for part in parts for column in part.columns)
    declared = ", ".join(f"{name_of(column)} VARCHAR" for column in ordered)
    connection.execute(f"CREATE TABLE {name_of(name)} ({declared})")
    for part in parts:
        names = list(part.columns)
        folders = [value for column, value in part.columns.items() if column not in part.format.header]
        rows = ([*(text or None for text in record), *folders] for _, record in part.records())
        filled = (row for row in rows if len(part.format.header) > 1 or row[0] is not None)
        while batch := list(islice(filled, _ROWS_PER_BATCH)):
            arriving = pa.table(
                [pa.array(values, pa.string()) for values in zip(*batch, strict=True)], names=names
            )
            connection.register("arriving", arriving)
            connection.execute(f"INSERT INTO {name_of(name)} BY NAME FROM arriving")
            connection.unregister("arriving")
