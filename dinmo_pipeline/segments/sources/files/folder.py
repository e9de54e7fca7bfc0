"""A folder of Parquet or CSV files as source: each file or sub-folder is a table."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import unquote

import duckdb
from sqlglot import exp

from dinmo_pipeline.scratch.folders import scratch_folder
from dinmo_pipeline.segments.errors import MissingTableError, SourceError, SourceUnavailableError
from dinmo_pipeline.segments.sources.duckdb_judge import tables_in
from dinmo_pipeline.segments.sources.duckdb_source import DIALECT, SEALED, DuckDBSource, seal
from dinmo_pipeline.segments.sources.files.csv_table import CsvTable, Partition
from dinmo_pipeline.segments.sources.files.parquet_table import create_parquet_view
from dinmo_pipeline.segments.sources.files.scans import name_of
from dinmo_pipeline.segments.sql.columns import Table
from dinmo_pipeline.segments.sql.identifiers import look_up, split_table_name
from dinmo_pipeline.segments.sql.statements import RefusedSqlError
from dinmo_pipeline.segments.sql.untyped import Misfits

FileType: TypeAlias = Literal["parquet", "csv"]

_ENDINGS: dict[FileType, tuple[str, ...]] = {
    "parquet": (".parquet",),
    "csv": (".csv", ".csv.gz", ".csv.zst"),
}
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


class FolderSource(DuckDBSource):
    """Files as tables of an in-memory DuckDB; a table is looked at when it is first asked for."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        files: Mapping[str, Sequence[Path]],
        create: Callable[[str, Sequence[Path]], CsvTable | None],
        partition: Partition,
        timeout_seconds: float | None = None,
    ) -> None:
        super().__init__(connection, timeout_seconds)
        self._files = files
        self._create = create
        self._partition = partition
        self._created: dict[str, CsvTable | None] = {}
        self._misfits: dict[str, Misfits] = {}

    def misfits(self, table: str, column: str, fits: exp.Expr, forms: Mapping[str, exp.Expr]) -> Misfits:
        """The values of an untyped column that do not fit; see `untyped.py`."""
        conditions = {"fits_": fits, **forms}
        listed = ", ".join(
            f"{each.sql(dialect=DIALECT)} AS {name_of(key)}" for key, each in conditions.items()
        )
        counts = "".join(f", count(*) FILTER ({name_of(key)})" for key in forms)
        # Few values do not fit, so only of those it matters whether they are blank.
        query = f"""
            SELECT count(value_), count(*) FILTER (NOT fits_),
                   count(*) FILTER (NOT fits_ AND trim(value_) <> ''),
                   min(value_) FILTER (NOT fits_ AND trim(value_) <> ''){counts}
            FROM (SELECT {name_of(column)} AS value_, {listed} FROM {name_of(table)})
            WHERE value_ IS NOT NULL
        """  # noqa: S608  # quoted names, and conditions that sqlglot wrote
        if query in self._misfits:
            return self._misfits[query]
        values, unfit, misfits, example, *found = self._rows(query)[0]
        csv_table = self._created.get(table)
        place = csv_table.place_of(column, example) if csv_table and example is not None else None
        counted = dict(zip(forms, found, strict=True))
        self._misfits[query] = Misfits(values - unfit + misfits, misfits, counted, example, place)
        return self._misfits[query]

    def _read_table(self, name: str) -> Table:
        parts = split_table_name(name)
        found = look_up(parts[-1][0], self._files) if parts and len(parts) == 1 else None
        if found is None:
            raise MissingTableError(name, tuple(self._files))
        key = found[0]
        self._ensure(key)
        table = super()._read_table(exp.to_identifier(key, quoted=True).sql(dialect=DIALECT))
        untyped = table.columns if self._created[key] else self._partition(self._files[key][0])
        columns = {
            name: replace(type_, is_untyped=name in untyped and type_.kind == "text")
            for name, type_ in table.columns.items()
        }
        return Table(table.parts, columns, untyped=self)

    def _table_names(self) -> list[str]:
        return list(self._files)

    def _before(self, sql: str) -> None:
        """Create the tables that a statement names."""
        try:
            named = list(tables_in(self._connection, sql))
        except (duckdb.Error, RefusedSqlError):
            return  # DuckDB says what is wrong when it runs
        for parts in named:
            if found := look_up(parts[-1], self._files):
                self._ensure(found[0])

    def _ensure(self, name: str) -> None:
        if name not in self._created:
            self._created[name] = self._stoppable.run(lambda: self._create(name, self._files[name]))

    def _refused(self, error: Exception) -> SourceError:
        return self._bad_record(error) or self._missing_file(error) or super()._refused(error)

    def _failed_while_sending(self, error: Exception) -> SourceError:
        return self._bad_record(error) or self._missing_file(error) or super()._failed_while_sending(error)

    def _missing_file(self, error: Exception) -> SourceError | None:
        """A file that was there when its table was looked up, and is not any more."""
        is_missing = re.search(r"IO Error.*(No files found|No such file)", str(error), re.DOTALL)
        return SourceUnavailableError(f"A file of the source vanished: {error}") if is_missing else None

    def _bad_record(self, error: Exception) -> SourceError | None:
        """The first row that cannot be read, with its file and line."""
        if "CSV" not in str(error) and "unicode" not in str(error):
            return None
        problems = (table.problem() for table in self._created.values() if table)
        return next(filter(None, problems), None)


@contextmanager
def open_folder(folder: Path, type_: FileType, timeout_seconds: float) -> Iterator[FolderSource]:
    """Open a folder of files: `customers.parquet`, or the files of `customers/`, is the table `customers`.

    DuckDB runs in memory and cannot read anything outside the folder.

    Raises:
        SourceError: the folder is missing or empty, or two files are one table.
    """
    files = _tables(folder, type_)
    with scratch_folder() as scratch:
        config: dict[str, Any] = {**SEALED, "enable_external_access": True, "temp_directory": str(scratch)}
        connection = duckdb.connect(":memory:", config=config)
        try:
            folders = [f"{each}/" for each in (folder.resolve(), scratch)]
            connection.execute("SET allowed_directories = $folders", {"folders": folders})
            connection.execute("SET enable_external_access = false")
            seal(connection)

            partition = partial(_partition, folder.resolve())

            def create(name: str, paths: Sequence[Path]) -> CsvTable | None:
                if type_ == "csv":
                    return CsvTable.create(connection, name, paths, partition, scratch)
                create_parquet_view(connection, name, paths, partition)
                return None

            yield FolderSource(connection, files, create, partition, timeout_seconds)
        finally:
            connection.close()


def _tables(folder: Path, type_: FileType) -> dict[str, list[Path]]:
    """The files of each table, in the order of their names."""
    if not folder.is_dir():
        raise SourceUnavailableError(f"The source folder {folder} does not exist.")
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
        raise SourceUnavailableError(f"The source folder {folder} has no file ending in {endings}.")
    return tables


def _partition(folder: Path, path: Path) -> dict[str, str | None]:
    """The columns and values that the folders of a file are named for, below the folder of its table."""
    parts = (part.partition("=") for part in path.relative_to(folder).parts[1:-1] if "=" in part)
    return {name: None if value == _NO_VALUE else unquote(value) for name, _, value in parts}


def _files_below(folder: Path, type_: FileType) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and _stem(path, type_) is not None]


def _stem(path: Path, type_: FileType) -> str | None:
    """The name without its ending; None for hidden files and files of another type."""
    if path.name.startswith((".", "_")):
        return None
    endings = [ending for ending in _ENDINGS[type_] if path.name.lower().endswith(ending)]
    return path.name[: -len(endings[0])] if endings else None
