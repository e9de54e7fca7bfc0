"""Data sets that nobody here wrote: each column equals what Python's `csv` module or pyarrow reads."""

import gzip
import shutil
from importlib.util import find_spec
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dinmo_pipeline_tests.segments.sources.files.reading import opened, rows_by_python, rows_of

FOLDERS = {
    "plotly": "package_data/datasets",
    "vega_datasets": "_data",
    "pyarrow": "tests/data/parquet",
}
ENDINGS = (".csv", ".csv.gz", ".parquet")


def foreign_files() -> list[Path]:
    """The files in the packages that are installed for this test."""
    found: list[Path] = []
    for package, folder in FOLDERS.items():
        spec = find_spec(package)
        (location,) = (spec and spec.submodule_search_locations) or [""]
        found += (path for path in (Path(location) / folder).iterdir() if path.name.endswith(ENDINGS))
    return sorted(found)


def test_there_are_twenty_of_them() -> None:
    assert len(foreign_files()) >= 20


@pytest.mark.parametrize("path", foreign_files(), ids=lambda path: path.name)
def test_a_foreign_file_is_read_as_others_read_it(tmp_path: Path, path: Path) -> None:
    """The header, every value, and the order of the rows."""
    folder = tmp_path / "folder"
    folder.mkdir()
    table = path.name.partition(".csv")[0].removesuffix(".parquet")
    shutil.copy(path, folder)
    with opened(folder, "parquet" if path.suffix == ".parquet" else "csv") as source:
        columns, rows = rows_of(source, f'"{table}"')
    if path.suffix == ".parquet":
        theirs = pq.read_table(path)
        assert columns == theirs.column_names
        assert rows == list(zip(*(column.to_pylist() for column in theirs.columns), strict=True))
        return
    plain = tmp_path / "plain.csv"
    content = path.read_bytes()
    plain.write_bytes(gzip.decompress(content) if path.suffix == ".gz" else content)
    header, expected = rows_by_python(plain)
    assert (columns, rows) == ([name or f"column{n}" for n, name in enumerate(header)], expected)
