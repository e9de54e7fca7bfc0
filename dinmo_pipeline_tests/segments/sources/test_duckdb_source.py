"""A DuckDB file as source is opened read-only, waited for while another program writes it, and closed."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from dinmo_pipeline.segments import MissingTableError, SourceError, open_source
from dinmo_pipeline_tests.segments.declaring import duckdb_file
from dinmo_pipeline_tests.segments.engines import DuckDBEngine

WRITER = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); input()"


def test_columns_come_with_their_kinds(duckdb_engine: DuckDBEngine) -> None:
    """They are in order, with DuckDB's own name of the type."""
    duckdb_engine.run(
        """CREATE TABLE t (a TEXT, b INTEGER, c HUGEINT, d DECIMAL(9, 2), e DOUBLE, f BOOLEAN,
           g DATE, h TIMESTAMP,
           i TIMESTAMPTZ, j UUID, k ENUM('x', 'y'), l JSON, m INTEGER[], n TIME, o TIMESTAMP_NS, p BIT)"""
    )
    with duckdb_engine.open() as source:
        kinds = {name: (type_.kind, type_.as_text) for name, type_ in source.columns("t").items()}
        assert source.dialect == "duckdb"
        assert source.columns("t")["d"].type == "DECIMAL(9,2)"
        assert list(source.query_columns("SELECT 1 AS x, 'y' AS y")) == ["x", "y"]
    expected = (
        "text integer integer decimal float boolean date timestamp timestamptz text text other other other"
        " timestamp other"
    )
    assert [kind for kind, _ in kinds.values()] == expected.split()
    assert [name for name, (_, as_text) in kinds.items() if as_text] == ["j", "k"]


def test_tables_are_found_by_schema_and_in_any_case(duckdb_engine: DuckDBEngine) -> None:
    """The lookup is the same as DuckDB's."""
    duckdb_engine.run("CREATE SCHEMA analytics", "CREATE TABLE analytics.Trialists (id INT)")
    with duckdb_engine.open() as source:
        for name in ("analytics.Trialists", "analytics.trialists", "warehouse.analytics.trialists"):
            assert list(source.columns(name)) == ["id"]
        with pytest.raises(MissingTableError) as caught:
            source.table("analytics.trialist")
    assert caught.value.known == ("analytics.Trialists",)
    assert str(caught.value) == "The source has no table 'analytics.trialist'."


def test_rows_stream_in_batches_counted_and_explained(duckdb_engine: DuckDBEngine) -> None:
    """Two streams can be open at a time: the second does not end the first."""
    duckdb_engine.run("CREATE TABLE t AS SELECT i AS id FROM range(250000) AS r(i)")
    with duckdb_engine.open() as source:
        first = source.batches("SELECT id FROM t")
        second = source.batches("SELECT id FROM t WHERE id < 5")
        assert next(first).num_rows > 0
        assert second.read_all().num_rows == 5
        assert source.count("SELECT id FROM t -- all") == 250_000
        assert sum(batch.num_rows for batch in first) > 0
        assert "t" in source.explain("SELECT id FROM t")


def test_an_error_halfway_is_a_source_error(duckdb_engine: DuckDBEngine) -> None:
    """It is not the engine's or Arrow's error, and the value, which may be an email, is masked."""
    duckdb_engine.run(
        "CREATE TABLE t AS SELECT CASE WHEN i = 249999 THEN 'x' ELSE '1' END AS id FROM range(250000) r(i)"
    )
    with (
        duckdb_engine.open() as source,
        pytest.raises(SourceError, match=r"DuckDB .*Could not convert string '\*\*\*' to INT32"),
    ):
        source.batches("SELECT CAST(id AS INTEGER) AS id FROM t").read_all()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """It is not created."""
    path = tmp_path / "nowhere.duckdb"
    with (
        pytest.raises(SourceError, match=f"DuckDB file {path} does not exist"),
        open_source(duckdb_file(path), uri=None),
    ):
        pass
    assert not path.exists()


def test_a_file_of_another_kind_is_refused_at_once(tmp_path: Path) -> None:
    """It is not waited for."""
    path = tmp_path / "notes.txt"
    path.write_text("no database at all" * 500)
    with (
        pytest.raises(SourceError, match="not a valid DuckDB database file"),
        open_source(duckdb_file(path), uri=None),
    ):
        pass


@pytest.fixture
def writer(duckdb_engine: DuckDBEngine):
    """Another process that has the file open for writing, until its input ends."""
    duckdb_engine.run("CREATE TABLE t (id INT)")
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(duckdb_engine.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "open\n"
        yield process


def test_a_file_that_is_written_is_waited_for(
    duckdb_engine: DuckDBEngine, writer: subprocess.Popen[str]
) -> None:
    """The person gets one message; the source opens when the writer has finished."""
    messages: list[str] = []

    def let_it_finish(message: str) -> None:
        messages.append(message)
        writer.communicate("\n")

    with open_source(duckdb_file(duckdb_engine.path), uri=None, on_wait=let_it_finish) as source:
        assert list(source.columns("t")) == ["id"]
    assert messages == [f"Another program is writing the source {duckdb_engine.path}; waiting up to 60 s."]


def test_a_file_that_stays_busy_is_an_error(
    duckdb_engine: DuckDBEngine, writer: subprocess.Popen[str]
) -> None:
    """The error comes after `wait_seconds`."""
    with (
        pytest.raises(
            SourceError,
            match=r"still writing the source .*warehouse\.duckdb after 0\.3 s\. Nothing was changed\.",
        ),
        open_source(duckdb_file(duckdb_engine.path), uri=None, wait_seconds=0.3),
    ):
        pass
    writer.communicate("\n")


def test_a_file_that_this_process_writes_is_busy_too(duckdb_engine: DuckDBEngine) -> None:
    """An upstream asset of the same process may still be writing."""
    with (
        duckdb.connect(str(duckdb_engine.path)),
        pytest.raises(SourceError, match="is still writing the source"),
        open_source(duckdb_file(duckdb_engine.path), uri=None, wait_seconds=0),
    ):
        pass


def test_the_file_is_free_again_afterwards(duckdb_engine: DuckDBEngine) -> None:
    """That includes a stream that was left unread, and an error."""
    duckdb_engine.run("CREATE TABLE t AS SELECT i AS id FROM range(500000) r(i)")
    with duckdb_engine.open() as source:
        next(source.batches("SELECT id FROM t"))
        with pytest.raises(SourceError):
            source.batches("SELECT nothing FROM t")
    duckdb_engine.run("INSERT INTO t VALUES (1)")


def test_two_readers_in_one_process_share_the_file(duckdb_engine: DuckDBEngine) -> None:
    """Runs of different activations do so."""
    duckdb_engine.run("CREATE TABLE t AS SELECT 1 AS id")
    with duckdb_engine.open() as first, duckdb_engine.open() as second:
        assert first.count("SELECT id FROM t") == second.count("SELECT id FROM t") == 1


def test_moments_are_written_in_utc(duckdb_engine: DuckDBEngine) -> None:
    """The machine's time zone does not matter."""
    duckdb_engine.run("CREATE TABLE t AS SELECT TIMESTAMPTZ '2026-03-15 12:00:00+09' AS seen")
    with duckdb_engine.open() as source:
        (row,) = source.batches("SELECT CAST(seen AS TEXT) AS seen FROM t").read_all().to_pylist()
    assert row == {"seen": "2026-03-15 03:00:00+00"}
