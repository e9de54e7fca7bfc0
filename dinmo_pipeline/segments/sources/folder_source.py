"""A folder of Parquet or CSV files as source: each file or sub-folder is a table."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

import duckdb

from dinmo_pipeline.segments.errors import SourceError
from dinmo_pipeline.segments.sources.duckdb_source import SEALED, DuckDBSource, seal
from dinmo_pipeline.segments.sources.redaction import without_values

FileType: TypeAlias = Literal["parquet", "csv"]

_ENDINGS: dict[FileType, tuple[str, ...]] = {"parquet": (".parquet",), "csv": (".csv", ".csv.gz")}


@contextmanager
def open_folder(folder: Path, type_: FileType, timeout_seconds: float) -> Iterator[DuckDBSource]:
    """Open a folder of files: `customers.parquet`, or the files of `customers/`, is the table `customers`.

    DuckDB runs in memory and cannot read anything outside the folder.

    Raises:
        SourceError: the folder is missing or empty, two files are one table, or DuckDB cannot read one.
    """
    tables = _tables(folder, type_)
    connection = duckdb.connect(":memory:", config={**SEALED, "enable_external_access": True})
    try:
        for name, files in tables.items():
            _create_view(connection, name, files, type_)
        connection.execute("SET allowed_directories = $folders", {"folders": [f"{folder.resolve()}/"]})
        connection.execute("SET enable_external_access = false")
        seal(connection)
        yield DuckDBSource(connection, timeout_seconds)
    finally:
        connection.close()


def _tables(folder: Path, type_: FileType) -> dict[str, list[Path]]:
    """The files of each table, in the order of their names."""
    if not folder.is_dir():
        raise SourceError(f"The source folder {folder} does not exist.")
    tables: dict[str, list[Path]] = {}
    for entry in sorted(folder.resolve().iterdir()):
        files = sorted(_files_below(entry, type_)) if entry.is_dir() else [entry]
        name = entry.name if entry.is_dir() else _stem(entry, type_)
        if name is None or not files:
            continue
        if name in tables:
            raise SourceError(f"The source folder {folder} has two tables named {name!r}.")
        tables[name] = files
    if not tables:
        endings = " or ".join(_ENDINGS[type_])
        raise SourceError(f"The source folder {folder} has no file ending in {endings}.")
    return tables


def _files_below(folder: Path, type_: FileType) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and _stem(path, type_) is not None]


def _stem(path: Path, type_: FileType) -> str | None:
    """The name without its ending; None for hidden files and files of another type."""
    if path.name.startswith((".", "_")):
        return None
    endings = [ending for ending in _ENDINGS[type_] if path.name.lower().endswith(ending)]
    return path.name[: -len(endings[0])] if endings else None


def _create_view(
    connection: duckdb.DuckDBPyConnection, name: str, files: list[Path], type_: FileType
) -> None:
    paths = [str(path) for path in files]
    partitioned = any("=" in path.parent.name for path in files)  # orders/year=2026/part-1.parquet
    try:
        if type_ == "parquet":
            rows = connection.read_parquet(paths, union_by_name=True, hive_partitioning=partitioned)
        else:
            # Types come from all rows: a sample may miss the one value that is not a number.
            rows = connection.read_csv(
                paths,  # type: ignore[arg-type]  # documented to take a list, but the stub lacks it
                union_by_name=True,
                hive_partitioning=partitioned,
                sample_size=-1,
            )
        rows.create_view(name)
    except duckdb.Error as error:
        raise SourceError(
            f"DuckDB cannot read the files of the table {name!r}: {without_values(str(error))}"
        ) from None
