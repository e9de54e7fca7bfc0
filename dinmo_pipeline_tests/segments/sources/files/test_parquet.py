"""Parquet files of one table whose schemas differ: the same values, or a refusal that names two files."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dinmo_pipeline.segments import SourceError
from dinmo_pipeline_tests.segments.declaring import field, listed, model, project, segment
from dinmo_pipeline_tests.segments.reading import members
from dinmo_pipeline_tests.segments.sources.files.reading import opened


def write(folder: Path, *columns: pa.Array) -> None:
    """The parts of the table `t`, each with a column `x`."""
    (folder / "t").mkdir()
    for number, column in enumerate(columns):
        pq.write_table(pa.table({"x": column}), folder / "t" / f"part{number}.parquet")


BEYOND = 2**53 + 1


@pytest.mark.parametrize(
    "columns",
    [
        [pa.array([1], pa.int8()), pa.array([BEYOND], pa.int64())],
        [pa.array([1], pa.int32()), pa.array([2.5], pa.float64())],
        [pa.array([0.5], pa.float32()), pa.array([2.5], pa.float64())],
        [pa.array([date(2026, 3, 1)]), pa.array([datetime(2026, 3, 1, 12)], pa.timestamp("us"))],
    ],
)
def test_types_that_widen_exactly_are_one_column(tmp_path: Path, columns: list[pa.Array]) -> None:
    write(tmp_path, *columns)
    with opened(tmp_path, "parquet") as source:
        found = source.batches("SELECT x FROM t").read_all().column(0).to_pylist()
    assert found == pa.concat_arrays([each.cast(columns[-1].type) for each in columns]).to_pylist()


@pytest.mark.parametrize(
    "columns",
    [
        [pa.array([BEYOND], pa.int64()), pa.array([2.5], pa.float64())],
        [pa.array([1], pa.int64()), pa.array(["x"])],
        [pa.array([1.0], pa.float64()), pa.array(["x"])],
        [pa.array([BEYOND], pa.int64()), pa.array([Decimal("1.50")])],
        [pa.array([datetime(2026, 3, 1)], pa.timestamp("us")), pa.array([datetime(2026, 3, 1, tzinfo=UTC)])],
        [pa.array([True]), pa.array([1], pa.int32())],
    ],
)
def test_types_that_do_not_are_refused(tmp_path: Path, columns: list[pa.Array]) -> None:
    write(tmp_path, *columns)
    with opened(tmp_path, "parquet") as source, pytest.raises(SourceError) as caught:
        source.table("t")
    assert str(caught.value).startswith("The column 'x' is ")
    assert "part0.parquet" in str(caught.value)
    assert "part1.parquet" in str(caught.value)


def test_nested_columns_do_not_count_by_their_parts(tmp_path: Path) -> None:
    """Two lists have elements of the same name."""
    (tmp_path / "t").mkdir()
    nested = pa.table({"x": [1], "names": [["a"]], "numbers": [[1]], "both": [{"x": "y", "names": 1}]})
    for number in range(2):
        pq.write_table(nested, tmp_path / "t" / f"part{number}.parquet")
    with opened(tmp_path, "parquet") as source:
        assert source.count("SELECT * FROM t WHERE x = 1") == 2


def test_a_folder_named_for_a_value_is_text_that_conditions_read(tmp_path: Path) -> None:
    """A postal code keeps its zero, and a year is a number where a condition needs one."""
    for year, zip_code in ((2025, "01234"), (2026, "75001")):
        folder = tmp_path / "t" / f"year={year}" / f"zip={zip_code}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"id": [year]}), folder / "part.parquet")
    declared = project(
        model("t"),
        segment("recent", field("year", at_least=2026), over="t"),
        segment("there", field("zip", equals="01234"), over="t"),
        listed("all", "t"),
    )
    with opened(tmp_path, "parquet") as source:
        assert members(source, declared, "recent") == ["2026"]
        assert members(source, declared, "there") == ["2025"]
        assert members(source, declared, "all", "zip") == ["01234", "75001"]
