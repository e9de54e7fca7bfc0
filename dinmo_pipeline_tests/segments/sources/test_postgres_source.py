"""PostgreSQL as source, on a real server: types, names, errors, secrets, a million members."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from dinmo_pipeline.segments import MissingTableError, OpenSource, SourceError, open_source
from dinmo_pipeline.segments.errors import SourceUnavailableError
from dinmo_pipeline_tests.segments.declaring import field, listed, model, postgres, project, segment
from dinmo_pipeline_tests.segments.engines import PostgresEngine
from dinmo_pipeline_tests.segments.reading import members


def test_columns_come_with_their_kinds(postgres_engine: PostgresEngine) -> None:
    """That includes types that the database defines itself."""
    postgres_engine.run(
        "CREATE TYPE mood AS ENUM ('sad', 'glad')",
        "CREATE DOMAIN email AS TEXT",
        """CREATE TABLE t (a TEXT, b INTEGER, c BIGINT, d NUMERIC(9, 2), e REAL, f BOOLEAN,
           g DATE, h TIMESTAMP,
           i TIMESTAMPTZ, j UUID, k mood, l JSONB, m INTEGER[], n TIME, o VARCHAR(5), p CHAR(5), q email)""",
        "INSERT INTO t (k, p, q) VALUES ('glad', 'ab', 'A@x')",
    )
    declared = project(
        model("t"),
        segment("glad", field("k", equals="glad"), over="t"),
        segment("padded", field("p", ends_with="ab"), over="t"),
        segment("typed", field("q", contains="@X", ignore_case=True), over="t"),
    )
    with postgres_engine.open() as source:
        types = source.columns("t")
        for key in declared.segments:
            assert members(source, declared, key, "p") == ["ab"]
        assert source.columns("t")["k"].type == "mood"
        assert list(source.query_columns("SELECT 1 AS x, now() AS y")) == ["x", "y"]
    expected = (
        "text integer integer decimal float boolean date timestamp timestamptz text text other other other"
        " text text text"
    )
    assert [type_.kind for type_ in types.values()] == expected.split()
    assert [name for name, type_ in types.items() if type_.as_text] == ["j", "k", "p"]


def test_names_are_found_as_written_and_else_folded(postgres_engine: PostgresEngine) -> None:
    """PostgreSQL folds what is not quoted to lower case; columns are found in any case."""
    postgres_engine.run('CREATE TABLE people ("Id" INT)', 'CREATE TABLE "People Too" (id INT)')
    declared = project(listed("folded", "People"), listed("quoted", '"People Too"'))
    with postgres_engine.open() as source:
        assert source.table("People").parts == ("people",)
        assert source.table('"People Too"').parts == ("People Too",)
        assert source.table(f"{postgres_engine.schema}.people").parts[-1] == "people"
        assert members(source, declared, "folded", "id") == []
        for missing in ("peple", "nowhere.people", '"People"'):
            with pytest.raises(MissingTableError) as caught:
                source.table(missing)
            assert {"people", "People Too"} <= set(caught.value.known)


def test_what_the_server_refuses_is_a_source_error(postgres_engine: PostgresEngine) -> None:
    """It is refused at once or midway, and the connection stays usable."""
    postgres_engine.run("CREATE TABLE t AS SELECT i AS id FROM generate_series(1, 200000) i")
    with postgres_engine.open() as source:
        with pytest.raises(SourceError, match=r'PostgreSQL refused .* column "nothing" does not exist'):
            source.batches("SELECT nothing FROM t")
        with pytest.raises(SourceError, match=r"PostgreSQL failed while sending rows: .*division by zero"):
            source.batches("SELECT 1 / (id - 200000) AS x FROM t").read_all()
        half_read = source.batches("SELECT id FROM t")
        next(half_read)
        assert source.count("SELECT id FROM t") == 200_000
        assert "Seq Scan" in source.explain("SELECT id FROM t")


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("postgresql://ann:s3cret@127.0.0.1:1/shop", "no server listens on the host and port"),
        ("postgresql://ann:s3@cret@nohost.invalid/shop", "the host of the URI is unknown"),
        ("postgresql://ann:s3cret@127.0.0.1:s3cret/shop", "the URI is not valid"),
        ("host=/nowhere password=s3cret", "no server listens on the socket"),
        ("s3cret", "the URI is not valid"),
    ],
)
def test_a_failed_connection_says_why_and_keeps_the_uri_to_itself(uri: str, reason: str) -> None:
    """Neither the message nor a chained error contains a part of the password."""
    with pytest.raises(SourceError, match=reason) as caught, open_source(postgres(), uri=uri):
        pass
    error: BaseException | None = caught.value
    assert error.__cause__ is None
    assert error.__suppress_context__
    assert "s3" not in str(error)
    assert "cret" not in str(error)


def test_a_connection_that_the_server_ends_is_a_transient_error(postgres_engine: PostgresEngine) -> None:
    """While rows stream, before a statement, and while a segment is compiled."""
    end_all = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    postgres_engine.run("CREATE TABLE people (id INT)")

    def half_read(source: OpenSource) -> pa.RecordBatchReader:
        rows = source.batches("SELECT CAST(n AS TEXT) AS id FROM generate_series(1, 10000000) AS g(n)")
        rows.read_next_batch()
        return rows

    with postgres_engine.open() as source:
        rows = half_read(source)
        postgres_engine.run(end_all)
        with pytest.raises(SourceUnavailableError):
            rows.read_all()
    with postgres_engine.open() as source:
        postgres_engine.run(end_all)
        with pytest.raises(SourceUnavailableError):
            source.count("SELECT 1")
    with postgres_engine.open() as source:
        postgres_engine.run(end_all)
        with pytest.raises(SourceUnavailableError):
            members(source, project(segment("s", "SELECT id FROM people")), "s")


def test_an_unknown_user_is_named_as_the_reason(postgres_uri: str) -> None:
    """The server itself says so."""
    uri = postgres_uri.replace("postgres:@", "nobody:s3cret@")
    with (
        pytest.raises(SourceError, match="it has no such user or database"),
        open_source(postgres(), uri=uri),
    ):
        pass


def test_a_missing_uri_names_the_variable() -> None:
    """The error comes before any driver is looked for."""
    with (
        pytest.raises(SourceError, match="WAREHOUSE_URI is not set"),
        open_source(postgres(), uri=None),
    ):
        pass


def test_quotes_and_moments_do_not_depend_on_the_servers_settings(
    postgres_engine: PostgresEngine,
) -> None:
    """A server may interpret backslashes in quotes, or write moments in its own time zone."""
    postgres_engine.run(
        "CREATE TABLE t AS SELECT 1 AS id, '\\''x'::text AS name, timestamptz '2026-03-15 12:00+09' AS seen"
    )
    declared = project(model("t"), segment("found", field("name", equals="\\'x"), over="t"))
    strange = "%20-cstandard_conforming_strings%3Doff%20-ctimezone%3DAsia/Tokyo"
    with open_source(postgres(), uri=postgres_engine.uri + strange) as source:
        assert members(source, declared, "found") == ["1"]
        assert members(source, declared, "found", "seen") == ["2026-03-15 03:00:00+00"]


MILLION = """
import resource, sys
from datetime import UTC, datetime
from dinmo_pipeline.segments import open_source, select_members
from dinmo_pipeline_tests.segments.declaring import field, model, postgres, project, segment

declared = project(model("t"), segment("all", field("email", is_set=True), over="t"))
with open_source(postgres(), uri=sys.argv[1]) as source:
    sql = select_members(declared, "all", "email", source, now=datetime.now(UTC), timezone="UTC")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows = text = 0
    for batch in source.batches(sql):
        rows += batch.num_rows
        text += batch.nbytes
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(rows, text >> 20, (after - before) >> 10)
"""


def test_a_million_members_stream_in_flat_memory(postgres_engine: PostgresEngine) -> None:
    """Over 60 MB of identifiers stream through a process whose memory grows by less than half of that."""
    postgres_engine.run(
        "CREATE TABLE t AS SELECT repeat('x', 40) || i || '@example.com' AS email"
        " FROM generate_series(1, 1000000) i"
    )
    counted = subprocess.run(
        [sys.executable, "-c", MILLION, postgres_engine.uri],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    rows, megabytes, grown = map(int, counted.stdout.split())
    assert rows == 1_000_000
    assert megabytes > 55
    assert grown < megabytes / 2, f"{grown} MB for {megabytes} MB"
