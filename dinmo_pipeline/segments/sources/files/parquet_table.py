"""The Parquet files of one table in DuckDB: a view of them, matched by name."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb

from dinmo_pipeline.segments.errors import SourceError, SourceUnavailableError
from dinmo_pipeline.segments.sources.files.csv_table import Partition
from dinmo_pipeline.segments.sources.files.scans import glob_of, literal, name_of
from dinmo_pipeline.segments.sources.redaction import without_values

_INSTANT = "TIMESTAMP WITH TIME ZONE"
# Types that DuckDB widens to one another without changing a value.
_WIDENED_EXACTLY = (
    frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}),
    frozenset({"TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER", "DOUBLE"}),
    frozenset({"UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}),
    frozenset({"FLOAT", "DOUBLE"}),
    frozenset({"DATE", "TIMESTAMP"}),
)
_SCHEMA = """
    SELECT file_name, name, coalesce(num_children, 0), duckdb_type,
           converted_type LIKE 'TIMESTAMP_%' AND logical_type IS NULL
    FROM parquet_schema([{}])
"""


class _Column(NamedTuple):
    """A column of a file; `is_old_instant` if its type is the one that older writers used for instants."""

    file: str
    name: str
    type: str
    is_old_instant: bool


def create_parquet_view(
    connection: duckdb.DuckDBPyConnection, name: str, paths: Sequence[Path], partition: Partition
) -> None:
    """Create the view `name`. A column that a folder is named for is text.

    Raises:
        SourceError: a file cannot be read, or a column has types in two of them that DuckDB would mix up.
    """
    files = ", ".join(literal(glob_of(path)) for path in paths)
    is_partitioned = str(any(partition(path) for path in paths)).lower()
    options = f"union_by_name = true, hive_partitioning = {is_partitioned}, hive_types_autocast = false"
    try:
        columns = list(_top_level(connection.execute(_SCHEMA.format(files)).fetchall()))
        _refuse_mixed_types(columns)
        old = dict.fromkeys(column.name for column in columns if column.is_old_instant)
        casts = (f"CAST({name_of(each)} AS TIMESTAMPTZ) AS {name_of(each)}" for each in old)
        selected = f"* REPLACE ({', '.join(casts)})" if old else "*"
        rows = f"SELECT {selected} FROM read_parquet([{files}], {options})"  # noqa: S608  # quoted names
        connection.execute(f"CREATE VIEW {name_of(name)} AS {rows}")
    except duckdb.Error as error:
        # DuckDB's IO errors are about a file that is not there; a damaged one is an invalid input.
        kind = SourceUnavailableError if isinstance(error, duckdb.IOException) else SourceError
        message = f"DuckDB cannot read the files of the table {name!r}: {without_values(str(error))}"
        raise kind(message) from None


def _top_level(schema: Iterable[tuple[str, str, int, str | None, bool | None]]) -> Iterator[_Column]:
    """The columns of each file without what is nested in them: an element is listed before its parts."""
    inside: list[int] = []  # how many parts of each element around are still to come
    for file, name, parts, type_, is_old_instant in schema:
        while inside and not inside[-1]:
            inside.pop()
        if inside:
            inside[-1] -= 1
        if len(inside) == 1:
            # Older files have no other type for an instant; Parquet's documentation says that they are UTC.
            yield _Column(file, name, _INSTANT if is_old_instant else type_ or "", bool(is_old_instant))
        inside.append(parts)


def _refuse_mixed_types(columns: Iterable[_Column]) -> None:
    types: dict[str, dict[str, str]] = {}
    for column in columns:
        types.setdefault(column.name, {}).setdefault(column.type, column.file)
    for name, files in types.items():
        if len(files) > 1 and not _is_exact(files):
            (one, first), (other, second), *_ = files.items()
            raise SourceError(
                f"The column {name!r} is {one} in {Path(first).name} and {other} in {Path(second).name}."
                " Write both with the same type."
            )


def _is_exact(files: Mapping[str, str]) -> bool:
    return any(types.issuperset(files) for types in _WIDENED_EXACTLY)
