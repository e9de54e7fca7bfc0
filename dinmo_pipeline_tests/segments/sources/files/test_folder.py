"""A folder of Parquet or CSV files as source: each file or sub-folder is a table."""

import gzip
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dinmo_pipeline.config.declarations import Source
from dinmo_pipeline.segments import MissingTableError, OpenSource, SourceError, open_source
from dinmo_pipeline.segments.errors import SourceUnavailableError
from dinmo_pipeline.segments.sources.files.folder import FileType
from dinmo_pipeline_tests.segments.declaring import (
    HERE,
    field,
    listed,
    model,
    project,
    related,
    segment,
)
from dinmo_pipeline_tests.segments.reading import members


@contextmanager
def opened(folder: Path, type_: FileType) -> Iterator[OpenSource]:
    """The folder as an open source."""
    with open_source(Source(type_, folder, None, HERE), uri=None) as source:
        yield source


def parquet(path: Path, **columns: list[object]) -> None:
    """Write a Parquet file."""
    path.parent.mkdir(exist_ok=True, parents=True)
    pq.write_table(pa.table(columns), path)


SHOP = project(
    model("customers", primary_key="id", orders=("orders", {"id": "customer"})),
    model("orders"),
    segment("buyers", related("exists", "orders", where=field("amount", at_least=5)), over="customers"),
    listed("all", "customers"),
    segment("some", "SELECT id FROM customers WHERE id > 1"),
)


def test_a_folder_of_parquet_files_is_a_warehouse(tmp_path: Path) -> None:
    """It has files, and a sub-folder whose later file has more columns."""
    folder = tmp_path / "it's a folder"
    parquet(folder / "customers.parquet", id=[1, 2, 3])
    parquet(folder / "orders" / "2025" / "a.parquet", customer=[1], amount=[5])
    parquet(folder / "orders" / "2026" / "b.parquet", customer=[2, 3], amount=[9, 1], note=["x", None])
    (folder / "README.md").write_text("no table")
    with opened(folder, "parquet") as source:
        assert members(source, SHOP, "buyers") == ["1", "2"]
        assert members(source, SHOP, "all") == ["1", "2", "3"]
        assert members(source, SHOP, "some") == ["2", "3"]
        assert list(source.columns("orders")) == ["customer", "amount", "note"]
        with pytest.raises(MissingTableError) as caught:
            source.table("order")
    assert caught.value.known == ("customers", "orders")


def test_a_folder_of_csv_files_is_a_warehouse(tmp_path: Path) -> None:
    """Compressed files work too. All columns are text, and a condition reads numbers where it needs them."""
    (tmp_path / "customers.csv").write_text("id,code\n1,x\n2,y\n")
    with gzip.open(tmp_path / "orders.csv.gz", "wt") as file:
        file.write("customer,amount,day,zip\n1,5.50,2026-03-01,01234\n2,1.00,,75001\n")
    with opened(tmp_path, "csv") as source:
        assert {type_.kind for type_ in source.columns("orders").values()} == {"text"}
        assert members(source, SHOP, "buyers") == ["1"]


def test_a_folder_named_for_a_value_is_a_column(tmp_path: Path) -> None:
    """That is how partitioned data sets are laid out."""
    parquet(tmp_path / "orders" / "year=2025" / "a.parquet", customer=[1])
    parquet(tmp_path / "orders" / "year=2026" / "a.parquet", customer=[2])
    with opened(tmp_path, "parquet") as source:
        assert list(source.columns("orders")) == ["customer", "year"]
        assert source.count("SELECT * FROM orders WHERE year = 2026") == 1


def test_nothing_outside_the_folder_is_read_and_nothing_in_it_is_written(tmp_path: Path) -> None:
    """SQL that would do so is refused."""
    parquet(tmp_path / "in" / "customers.parquet", id=[1])
    parquet(tmp_path / "out" / "secret.parquet", id=[1])
    outside = tmp_path / "out" / "secret.parquet"
    with opened(tmp_path / "in", "parquet") as source:
        for sql in (f"SELECT * FROM '{outside}'", f"SELECT * FROM read_parquet('{outside}')"):
            with pytest.raises(SourceError):
                source.batches(sql).read_all()
        for sql in (
            "COPY customers TO 'x.csv'",
            "CREATE TABLE x AS SELECT 1",
            "INSERT INTO customers VALUES (1)",
        ):
            with pytest.raises(SourceError, match="single SELECT"):
                source.batches(sql)
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["customers.parquet"]


def test_a_folder_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    """It is missing, empty, ambiguous or unreadable."""
    with pytest.raises(SourceError, match="does not exist"), opened(tmp_path / "nowhere", "csv"):
        pass
    with (
        pytest.raises(SourceError, match=r"has no file ending in \.csv or \.csv\.gz"),
        opened(tmp_path, "csv"),
    ):
        pass
    parquet(tmp_path / "two" / "customers.parquet", id=[1])
    parquet(tmp_path / "two" / "customers" / "a.parquet", id=[1])
    with (
        pytest.raises(SourceError, match="two tables named 'customers'"),
        opened(tmp_path / "two", "parquet"),
    ):
        pass
    (tmp_path / "broken.parquet").write_text("no parquet")
    with (
        opened(tmp_path, "parquet") as source,
        pytest.raises(SourceError, match="cannot read the files of the table 'broken'"),
    ):
        source.table("broken")


def test_the_copies_of_a_killed_process_are_removed_by_the_next_one(tmp_path: Path) -> None:
    """A compressed file is unpacked into a private folder."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "t.csv.gz").write_bytes(gzip.compress(b"id\n1\n"))
    (tmp_path / "scratch").mkdir()
    script = (
        "import os, signal, sys; from pathlib import Path;"
        " from dinmo_pipeline.segments.sources.files.folder import open_folder;"
        " opened = open_folder(Path(sys.argv[1]), 'csv', 60); source = opened.__enter__();"
        " print(source.count('SELECT * FROM t'), flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path / "scratch")}
    for _ in range(2):
        ended = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "files")],
            capture_output=True,
            env=environment,
            check=False,
        )
        assert ended.stdout == b"1\n", ended.stderr
        assert len(list((tmp_path / "scratch").iterdir())) == 1


@pytest.mark.parametrize("type_", ["csv", "parquet"])
def test_a_file_that_vanishes_after_its_table_was_looked_up_is_a_transient_error(
    tmp_path: Path, type_: FileType
) -> None:
    """A job may be replacing it: the run is repeated."""
    path = tmp_path / f"t.{type_}"
    for looked_up in (True, False):
        parquet(path, id=[1]) if type_ == "parquet" else path.write_text("id,x\n1,2\n")
        with opened(tmp_path, type_) as source:
            if looked_up:
                source.table("t")
            path.unlink()
            with pytest.raises(SourceUnavailableError, match=r"vanished|any more|No files found"):
                source.batches("SELECT * FROM t").read_all()
