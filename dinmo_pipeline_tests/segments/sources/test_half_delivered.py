"""A source that fails while it sends rows: an error in words, and an unchanged membership."""

import pyarrow as pa
import pytest

from dinmo_pipeline.segments import SourceError, select_activated
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.membership import refresh_membership
from dinmo_pipeline.sync.operations.plan import plan_sync
from dinmo_pipeline_tests.segments.declaring import listed, project
from dinmo_pipeline_tests.state.declaring import NOW, activation, rows_of, staged

VIP = activation()
# The row that cannot be cast is the last one: more than one batch has been delivered by then.
FAILING_VIEW = "CREATE VIEW vip AS SELECT CAST(email AS INTEGER) AS email FROM late"
LATE = (
    "CREATE TABLE late AS SELECT CASE i WHEN 400000 THEN 'x' ELSE CAST(i AS VARCHAR(9)) END AS email"
    " FROM generate_series(1, 400000) AS numbers(i)"
)


@pytest.fixture
def state(tmp_path):
    """Ann is a member."""
    state = StateDatabase(str(tmp_path / "state.duckdb"))
    refresh_membership(state, "vip", "email", staged(rows_of(["ann@x.org"]), "email", now=NOW))
    return state


def _everything(state):
    with state.reading() as connection:
        return [
            connection.execute(f"FROM dinmo.{table}").fetchall()
            for table in ("membership_history", "membership_sizes", "membership_changes")
        ]


def _read(source, state, on_first_batch=lambda: None):
    """Read the segment as the job does; something may happen after the first batch."""
    sql = select_activated(project(listed("vip", "vip")), VIP, source, now=NOW).sql
    reader = source.batches(sql)

    def batches():
        yield next(reader)
        on_first_batch()
        yield from reader

    stream = pa.RecordBatchReader.from_batches(reader.schema, batches())
    return refresh_membership(state, "vip", "email", staged(stream, "email", now=NOW))


def test_a_cast_that_fails_late_changes_nothing(engine, state):
    """That holds on both engines, for a plan and for a sync."""
    engine.run(LATE, FAILING_VIEW)
    before = _everything(state)
    with (
        engine.open() as source,
        pytest.raises(SourceError, match=r"failed while sending rows: .*(conver|invalid input)"),
    ):
        _read(source, state)
    with engine.open() as source:
        sql = select_activated(project(listed("vip", "vip")), VIP, source, now=NOW).sql
        with pytest.raises(SourceError, match="failed while sending rows"):
            plan_sync(state, VIP, staged(source.batches(sql), VIP.match_by))
    assert _everything(state) == before


def test_a_connection_that_is_cut_changes_nothing(postgres_engine, state):
    """PostgreSQL ends the session while it sends the rows."""
    postgres_engine.run(
        "CREATE TABLE vip AS SELECT repeat('x', 60) || i || '@x.org' AS email"
        " FROM generate_series(1, 1000000) i"
    )
    before = _everything(state)

    def cut():
        postgres_engine.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query LIKE '%vip%' AND pid <> pg_backend_pid()"
        )

    with (
        postgres_engine.open() as source,
        pytest.raises(SourceError, match="PostgreSQL failed while sending"),
    ):
        _read(source, state, on_first_batch=cut)
    assert _everything(state) == before


def test_a_file_that_is_damaged_in_the_middle_changes_nothing(duckdb_engine, state):
    """Whole blocks are noise, which DuckDB's checksums detect."""
    duckdb_engine.run(
        "CREATE TABLE vip AS SELECT md5(i::VARCHAR) || '@x.org' AS email FROM range(400000) t(i)"
    )
    before = _everything(state)
    content = bytearray(duckdb_engine.path.read_bytes())
    for start in range(len(content) // 2, len(content), 1 << 18):
        content[start : start + 64] = bytes(64)
    duckdb_engine.path.write_bytes(content)
    with pytest.raises(SourceError, match="Corrupt"), duckdb_engine.open() as source:
        _read(source, state)
    assert _everything(state) == before


def test_a_view_of_a_table_that_is_gone_is_not_a_missing_view(duckdb_engine):
    """The error names the table that is gone."""
    duckdb_engine.run(
        "CREATE TABLE people (email VARCHAR)",
        "CREATE VIEW vip AS FROM people",
        "DROP TABLE people",
    )
    with duckdb_engine.open() as source:
        with pytest.raises(SourceError, match="Table with name people does not exist"):
            source.table("vip")
        with pytest.raises(SourceError, match="Table with name people does not exist"):
            source.table("main.VIP")
