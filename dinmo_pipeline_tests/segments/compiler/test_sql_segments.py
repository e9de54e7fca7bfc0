"""A `sql` segment is exactly one SELECT that only reads, or it is refused."""

import contextlib
from collections.abc import Iterator

import duckdb
import pytest

from dinmo_pipeline.segments import OpenSource, SegmentError, SourceError
from dinmo_pipeline.segments.sources.adbc_connection import AdbcConnection
from dinmo_pipeline.segments.sources.remote_source import RemoteSource
from dinmo_pipeline.segments.sql.statements import RefusedSqlError, one_select
from dinmo_pipeline_tests.segments.declaring import project, segment
from dinmo_pipeline_tests.segments.engines import DuckDBEngine, Engine, PostgresEngine
from dinmo_pipeline_tests.segments.reading import members

ACCEPTED = [
    "SELECT id FROM people",
    "select 'a;b' as id -- ; drop table people",
    "SELECT id FROM people;",
    "WITH recent AS (SELECT id FROM people) SELECT id FROM recent",
    "SELECT id FROM people UNION ALL SELECT id FROM people",
    "(SELECT id FROM people)",
    "SELECT id FROM people EXCEPT SELECT 3 AS id ORDER BY id LIMIT 2",
    "SELECT /* insert into */ id FROM people WHERE name LIKE '%update%'",
    "SELECT row_number() OVER (ORDER BY id) AS id FROM people",
]

REFUSED = [
    ("postgres", "INSERT INTO people VALUES (1)", "SELECT"),
    ("postgres", "UPDATE people SET id = 1", "SELECT"),
    ("postgres", "DELETE FROM people", "SELECT"),
    ("postgres", "MERGE INTO p USING q ON p.a = q.a WHEN MATCHED THEN DELETE", "SELECT"),
    ("postgres", "CREATE TABLE x AS SELECT 1 AS id", "SELECT"),
    ("postgres", "DROP TABLE people", "SELECT"),
    ("postgres", "TRUNCATE people", "SELECT"),
    ("postgres", "ALTER TABLE people ADD COLUMN a INT", "SELECT"),
    ("postgres", "GRANT ALL ON people TO public", "SELECT"),
    ("postgres", "SET default_transaction_read_only = off", "SELECT"),
    ("postgres", "BEGIN", "SELECT"),
    ("postgres", "COMMIT", "SELECT"),
    ("postgres", "COPY people TO '/tmp/people.csv'", "SELECT"),
    ("postgres", "EXPLAIN SELECT 1", "SELECT"),
    ("postgres", "CALL wipe()", "SELECT"),
    ("postgres", "DO $$ BEGIN DELETE FROM people; END $$", "SELECT"),
    ("postgres", "VACUUM people", "SELECT"),
    ("postgres", "LISTEN changes", "SELECT"),
    ("postgres", "SELECT id FROM people; DROP TABLE people", "2 statements"),
    ("postgres", "SELECT 1; SELECT 2", "2 statements"),
    ("postgres", "-- nothing", "0 statements"),
    ("postgres", ";;", "0 statements"),
    ("postgres", "SELECT id INTO copied FROM people", "INTO|INSERT"),
    ("postgres", "WITH gone AS (DELETE FROM people RETURNING id) SELECT id FROM gone", "DELETE"),
    (
        "postgres",
        "WITH new AS (INSERT INTO people VALUES (1) RETURNING id) SELECT id FROM new",
        "INSERT",
    ),
    (
        "postgres",
        "WITH new AS (UPDATE people SET id = 1 RETURNING id) SELECT id FROM new",
        "UPDATE",
    ),
    ("postgres", "SELECT id FROM people FOR UPDATE", "lock"),
    ("postgres", "SELECT id FROM people FOR SHARE", "lock"),
    ("postgres", "SELECT pg_read_file('/etc/passwd') AS id", "pg_read_file"),
    ("postgres", "SELECT id FROM people WHERE EXISTS (SELECT lo_export(1, '/tmp/x'))", "lo_export"),
    ("postgres", "SELECT pg_terminate_backend(1) AS id", "pg_terminate_backend"),
    ("postgres", "SELECT pg_catalog.pg_sleep(10) AS id", "pg_sleep"),
    ("postgres", "SELECT set_config('a.b', 'c', false) AS id", "set_config"),
    ("postgres", "SELECT \"set_config\"('a.b', 'c', false) AS id", "set_config"),
    ("postgres", "SELECT nextval('s') AS id", "nextval"),
    ("postgres", "SELECT * FROM dblink('host=x', 'DELETE FROM y') AS t(id INT)", "dblink"),
    ("postgres", "SELECT query_to_xml('DELETE FROM people', true, true, '') AS id", "query_to_xml"),
    ("postgres", "SELECT id, FROM WHERE", "syntax error"),
    ("postgres", "SELECT 'unterminated", "unterminated|quotes"),
    ("duckdb", "ATTACH 'other.duckdb'", "SELECT"),
    ("duckdb", "PRAGMA database_list", "SELECT"),
    ("duckdb", "INSTALL httpfs", "SELECT"),
    ("duckdb", "LOAD httpfs", "SELECT"),
    ("duckdb", "EXPORT DATABASE '/tmp/x'", "SELECT"),
    ("duckdb", "COPY (SELECT 1) TO '/tmp/x.csv'", "SELECT"),
    ("duckdb", "USE other", "SELECT"),
    ("duckdb", "CHECKPOINT", "SELECT"),
    ("duckdb", "SELECT * FROM read_csv('/etc/passwd')", "read_csv"),
    ("duckdb", "SELECT * FROM READ_CSV_AUTO('/etc/passwd')", "read_csv_auto"),
    ("duckdb", "SELECT * FROM read_parquet('x')", "read_parquet"),
    ("duckdb", "SELECT * FROM parquet_scan('x')", "parquet"),
    ("duckdb", "SELECT * FROM read_text('/etc/passwd')", "read_text"),
    ("duckdb", "SELECT * FROM glob('/*')", "glob"),
    ("duckdb", "SELECT * FROM query('SELECT 1')", "query"),
    ("bigquery", "SELECT * FROM EXTERNAL_QUERY('c', 'DELETE FROM x')", "EXTERNAL_QUERY"),
    ("snowflake", "SELECT SYSTEM$CANCEL_ALL_QUERIES(1) AS id", "SYSTEM"),
    ("databricks", "SELECT * FROM read_files('/x')", "read_files"),
    ("duckdb", "SELECT nextval('s') AS id", "nextval"),
    ("duckdb", "SELECT setseed(0.5) AS id", "setseed"),
    ("duckdb", "SELECT sleep_ms(1000) AS id", "sleep_ms"),
    ("duckdb", "SELECT write_log('x') AS id", "write_log"),
    ("duckdb", "SELECT * FROM query_table('people')", "query_table"),
    ("duckdb", "SELECT * FROM json_execute_serialized_sql('x')", "json_execute_serialized_sql"),
    ("duckdb", "SELECT * FROM force_checkpoint()", "force_checkpoint"),
    ("duckdb", "SELECT * FROM enable_logging()", "enable_logging"),
    ("duckdb", "SELECT * FROM duckdb_secrets()", "duckdb_secrets"),
    ("duckdb", "SELECT * FROM duckdb_settings()", "duckdb_settings"),
    ("duckdb", "SELECT * FROM 'people.csv'", "the file 'people.csv'"),
    ("duckdb", "FROM '/etc/passwd'", "the file '/etc/passwd'"),
    ("duckdb", "SELECT hidden() AS id", "nextval"),
    ("duckdb", "SELECT * FROM hidden_table(1)", "query"),
    ("duckdb", "WITH x AS (INSERT INTO people VALUES (1) RETURNING id) SELECT id FROM x", "INSERT|parse"),
    ("duckdb", "SELECT id FROM people) AS a, (SELECT 1 AS id", "parse"),
    ("duckdb", "SELECT id FROM people /* ", "quotes or comments|parse"),
    ("postgres", "SELECT id FROM people) AS a, (SELECT 1 AS id", "syntax error"),
    ("postgres", "SELECT 1) TO STDOUT; DROP TABLE people; COPY (SELECT 1", "2 statements|3 statements"),
    ("postgres", "SELECT id FROM people /* ", "unterminated"),
    ("postgres", "SELECT lo_create(7) AS id", "lo_create"),
    ("postgres", "SELECT pg_notify('a', 'b') AS id", "pg_notify"),
    ("postgres", "SELECT ts_stat('SELECT 1') AS id", "ts_stat"),
    ("postgres", "SELECT forgetful() AS id", "ALTER FUNCTION forgetful STABLE"),
    ("postgres", 'SELECT "Forgetful"() AS id', "Forgetful"),
    ("postgres", "SELECT pg_sleep /* x */ (1) AS id", "pg_sleep"),
    ("postgres", 'SELECT U&"pg\\005fsleep"(1) AS id', "pg.005fsleep"),
    ("snowflake", "SELECT read_files('/x') AS id", "read_files"),
]


@contextlib.contextmanager
def opened(dialect: str, request: pytest.FixtureRequest) -> Iterator[OpenSource]:
    """A source of the dialect, with a table, functions with effects, and macros that hide them."""
    if dialect not in ("duckdb", "postgres"):
        yield RemoteSource(dialect, AdbcConnection(None, dialect, dialect.title(), None))
        return
    engine = request.getfixturevalue(f"{dialect}_engine")
    engine.run("CREATE TABLE people (id INT, name TEXT)", "INSERT INTO people VALUES (7, 'x')")
    if dialect == "duckdb":
        engine.run(
            "CREATE SEQUENCE s",
            "CREATE MACRO hidden() AS nextval('s')",
            "CREATE MACRO hidden_table(a) AS TABLE SELECT * FROM query('SELECT 1 AS id')",
            "CREATE MACRO plain(a) AS a + 1",
        )
    else:
        engine.run(
            "CREATE FUNCTION forgetful() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE FUNCTION \"Forgetful\"() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE FUNCTION plain(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT a + 1'",
        )
    with engine.open() as source:
        yield source


@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "snowflake"])
@pytest.mark.parametrize("sql", ACCEPTED)
def test_a_select_is_accepted(request: pytest.FixtureRequest, dialect: str, sql: str) -> None:
    """Comments, a final semicolon, WITH and set operations are fine."""
    with opened(dialect, request) as source:
        source.judge(one_select(sql, dialect))


HARMLESS = [
    ("duckdb", "SELECT plain(id) AS id FROM people WHERE random() < 2"),
    ("duckdb", "SELECT range AS id FROM range(3)"),
    ("duckdb", "FROM people SELECT id"),
    ("duckdb", "SELECT unnest([1, 2]) AS id"),
    ("duckdb", "SELECT id FROM people USING SAMPLE 100%"),
    ("duckdb", "SELECT table_name AS id FROM duckdb_tables()"),
    ("duckdb", "SELECT id AS read_csv FROM people"),
    ("postgres", "SELECT plain(id) AS id FROM people WHERE random() < 2"),
    ("postgres", "SELECT id FROM people WHERE now() > '2020-01-01' AND clock_timestamp() > now()"),
    ("postgres", "SELECT id FROM people TABLESAMPLE system (100)"),
    ("postgres", "SELECT 'pg_sleep(1)' AS id -- pg_sleep(1)"),
    ("postgres", "VALUES (1)"),
    ("postgres", "TABLE people"),
]


@pytest.mark.parametrize(("dialect", "sql"), HARMLESS)
def test_what_only_returns_something_is_accepted(
    request: pytest.FixtureRequest, dialect: str, sql: str
) -> None:
    """By what the engine says of a function, not by how its name looks."""
    with opened(dialect, request) as source:
        select = one_select(sql, dialect)
        source.judge(select)
        assert source.count(select) >= 0


@pytest.mark.parametrize(("dialect", "sql", "because"), REFUSED)
def test_everything_else_is_refused(
    request: pytest.FixtureRequest, dialect: str, sql: str, because: str
) -> None:
    """The message names what is wrong."""
    with (
        opened(dialect, request) as source,
        pytest.raises((RefusedSqlError, SourceError), match=r"(?i)" + because),
    ):
        source.judge(one_select(sql, dialect))


def test_nothing_refused_would_change_a_table_even_if_it_ran(
    postgres_engine: PostgresEngine,
) -> None:
    """The second wall: PostgreSQL runs each statement in a read-only transaction."""
    postgres_engine.run("CREATE TABLE people (id INT)", "INSERT INTO people VALUES (7)")
    with postgres_engine.open() as source:
        for dialect, sql, _ in REFUSED:
            if dialect != "postgres" or any(part in sql for part in ("COPY people TO", "pg_sleep")):
                continue  # a server's files, and time, are the first wall's
            with contextlib.suppress(SourceError):
                source._connection.read(sql).read_all()
            assert source.batches("SELECT id FROM people").read_all().to_pylist() == [{"id": 7}]
    with contextlib.closing(postgres_engine.writer().cursor()) as cursor:
        cursor.execute(f"SELECT count(*) FROM pg_tables WHERE schemaname = '{postgres_engine.schema}'")
        assert cursor.fetchall() == [(1,)]


def test_an_open_postgres_transaction_cannot_be_made_writable(
    postgres_engine: PostgresEngine,
) -> None:
    """Even a function that changes settings, called through the raw connection, cannot do it."""
    postgres_engine.run("CREATE TABLE people (id INT)")
    with postgres_engine.open() as source:
        raw = source._connection
        for statement in (
            "SELECT set_config('transaction_read_only', 'off', true)",
            "INSERT INTO people VALUES (1)",
            "WITH new AS (INSERT INTO people VALUES (1) RETURNING id) SELECT id FROM new",
            "CREATE TABLE mine (id INT)",
        ):
            with pytest.raises(SourceError, match=r"read-only|read-write"):
                raw.read(statement).read_all()
        raw.read("SELECT set_config('default_transaction_read_only', 'off', false)").read_all()
        with pytest.raises(SourceError, match="read-only"):
            raw.read("INSERT INTO people VALUES (1)")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO people VALUES (1)",
        "CREATE TEMP TABLE x AS SELECT 1",
        "SET lock_configuration = false",
        "ATTACH ':memory:' AS other",
        "COPY people TO 'people.csv'",
        "SELECT 1; SELECT 2",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd.csv'",
        "SELECT * FROM glob('/*')",
    ],
)
def test_nothing_refused_would_write_even_if_it_ran_on_duckdb(
    duckdb_engine: DuckDBEngine, statement: str
) -> None:
    """The second wall: DuckDB's own parser, a file opened read-only, and no other file."""
    duckdb_engine.run("CREATE TABLE people (id INT)")
    with duckdb_engine.open() as source, pytest.raises(SourceError):
        source.batches(statement).read_all()


def test_a_raw_duckdb_connection_to_the_source_is_read_only_and_sealed(
    duckdb_engine: DuckDBEngine,
) -> None:
    """DuckDB itself refuses what our checks would."""
    duckdb_engine.run("CREATE TABLE people (id INT)")
    with duckdb_engine.open() as source:
        raw = source._connection
        for statement, error in (
            ("INSERT INTO people VALUES (1)", "read-only"),
            ("SET enable_external_access = true", "locked|disabled|Cannot"),
            ("SET threads = 1", "locked"),
            ("COPY people TO 'people.csv'", "disabled"),
            ("ATTACH 'other.duckdb'", "disabled"),
        ):
            with pytest.raises(duckdb.Error, match=error):
                raw.execute(statement)


def test_a_sql_segment_gives_the_rows_of_its_select(engine: Engine) -> None:
    """It works as a subquery whatever it ends in: a comment, an ORDER BY, a semicolon."""
    engine.run(
        "CREATE TABLE people (id INT, email TEXT)",
        "INSERT INTO people VALUES (1, 'A@x'), (2, NULL), (2, 'b@x'), (3, 'b@x')",
    )
    declared = project(
        segment("all", "SELECT * FROM people ORDER BY id; -- all of them"),
        segment(
            "some",
            "WITH p AS (SELECT * FROM people) SELECT id AS number, email FROM p WHERE id > 1",
        ),
        segment("both", "SELECT id FROM people WHERE id = 1 UNION SELECT id FROM people WHERE id = 3"),
    )
    with engine.open() as source:
        assert members(source, declared, "all", "email") == [None, "A@x", "b@x", "b@x"]
        assert members(source, declared, "all", "id") == ["1", "2", "2", "3"]
        assert members(source, declared, "some", "NUMBER") == ["2", "2", "3"]
        assert members(source, declared, "both", "id") == ["1", "3"]


def test_problems_of_a_sql_segment_name_it(engine: Engine) -> None:
    """The SQL is refused, does not run, or lacks the chosen column."""
    engine.run("CREATE TABLE people (id INT, email TEXT)")
    declared = project(
        segment("written", "DELETE FROM people"),
        segment("broken", "SELECT nothing FROM people"),
        segment("lacking", "SELECT id, email AS mail FROM people"),
    )
    messages = {}
    with engine.open() as source:
        for key in declared.segments:
            with pytest.raises(SegmentError) as caught:
                members(source, declared, key, "email")
            (problem,) = caught.value.problems
            messages[key] = str(problem)
            hint = problem.hint
    assert messages["written"] == (
        "segments.yaml:7:3: segment 'written': Its SQL must be a SELECT, but is DELETE."
    )
    assert messages["broken"].startswith("segments.yaml:7:3: segment 'broken': Its SQL does not run. ")
    assert "nothing" in messages["broken"]
    assert messages["lacking"] == ("segments.yaml:7:3: segment 'lacking': Its rows have no column 'email'.")
    assert hint == "Perhaps you meant 'mail'."
