"""A `sql` segment gives the rows that the engine itself gives for its text."""

from collections import Counter
from contextlib import closing

import duckdb
import pytest
from adbc_driver_postgresql import StatementOptions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dinmo_pipeline.segments import SegmentError, SourceError
from dinmo_pipeline_tests.segments.declaring import project, segment
from dinmo_pipeline_tests.segments.engines import DuckDBEngine, Engine, PostgresEngine
from dinmo_pipeline_tests.segments.reading import members

PEOPLE = (
    "CREATE TABLE people (id INT, name TEXT, seen TIMESTAMP, props JSON)",
    """INSERT INTO people VALUES
        (1, 'Zoë', '2026-03-14 11:59:00', '{"tags": ["a", "b"], "p": {"plan": "pro"}}'),
        (2, 'it''s', '2026-02-10 00:00:00', '{"tags": ["a"], "p": {"plan": "free"}}'),
        (3, NULL, '2025-08-31 18:30:00', '{"tags": [], "p": {}}'),
        (4, '#4 -- x', '2025-03-01 00:00:00', NULL)""",
)
AS_OF = "TIMESTAMP '2026-03-15 12:00:00'"


def rows_of(engine: Engine, sql: str) -> Counter[str | None]:
    """The first column of a statement that the engine runs as it is, as text."""
    if isinstance(engine, DuckDBEngine):
        with duckdb.connect(str(engine.path)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            rows = connection.execute(sql).fetchall()
    else:
        assert isinstance(engine, PostgresEngine)
        with closing(engine.writer().cursor()) as cursor:
            cursor.execute("SET TimeZone = 'UTC'")
            cursor.adbc_statement.set_options(**{StatementOptions.USE_COPY.value: "false"})
            cursor.execute(sql)
            rows = cursor.fetchall()
    return Counter(None if row[0] is None else str(row[0]) for row in rows)


def assert_as_written(engine: Engine, sql: str) -> None:
    """The engine and the segment agree."""
    with engine.open() as source:
        ours = Counter(members(source, project(segment("s", sql)), "s"))
    assert ours == rows_of(engine, sql)


def since(interval: str) -> str:
    return f"SELECT id FROM people WHERE seen >= {AS_OF} - INTERVAL {interval}"


DUCKDB_TEXTS = [
    since("'1 day 12:00:00'"),
    since("'3 days ago'"),
    since("'1 mon'"),
    since("'1 month 3 days'"),
    since("(1 + 1) MONTH"),
    f"SELECT id FROM people WHERE seen >= date_trunc('day', {AS_OF}) - to_days(40)",
    "SELECT id FROM people WHERE json_array_length(props->'tags') > 1",
    "SELECT id FROM people WHERE upper(props->'p'->>'plan') = 'PRO'",
    "SELECT id FROM people WHERE props->>'$.p.plan' = 'free'",
    "SELECT id FROM people WHERE list_contains(list_transform([1, 2], lambda x: x + 1), id)",
    "FROM people SELECT id WHERE name LIKE '#4 -- %'",
    "SELECT id FROM people WHERE name = $$it's$$",
    "SELECT id FROM people QUALIFY row_number() OVER (ORDER BY seen DESC) <= 2",
    "SELECT id FROM people ORDER BY ALL LIMIT 50%",
    "SELECT #1 AS id FROM people GROUP BY ALL",
    "SELECT id FROM people WHERE id // 2 = 1 AND 7 ^ 2 = 49 AND '3'::INT = 3",
    "SELECT COLUMNS('id') FROM people",
    "SELECT * EXCLUDE (name) FROM people",
    "SELECT id FROM people TABLESAMPLE 100 PERCENT",
    "SELECT id FROM people WHERE name ~ '^Z' OR name SIMILAR TO 'i.*'",
    "SELECT unnest([1, 2, NULL]) AS id",
    "SELECT id FROM people WHERE {'a': id}.a = 2 AND MAP {'x': 1}['x'] = 1",
    "VALUES (1), (2)",
]
POSTGRES_TEXTS = [
    since("'P6M'"),
    since("'-1 month ago'"),
    f"SELECT id FROM people WHERE seen >= {AS_OF} + INTERVAL '1 month ago'",
    since("'30 days 12:00'"),
    since("'P0Y6M3DT4H5M6S'"),
    since("'1' DAY"),
    since("'1-2' YEAR TO MONTH"),
    "SELECT id FROM people WHERE json_array_length(props->'tags') > 1",
    "SELECT id FROM people WHERE props #>> '{p,plan}' = 'pro'",
    "SELECT id FROM people WHERE upper(props->'p'->>'plan') = 'FREE'",
    'SELECT id FROM people WHERE props::jsonb @> \'{"tags": ["b"]}\'',
    "SELECT id FROM people WHERE name = E'it\\'s' OR name = U&'Zo\\00EB'",
    "SELECT id FROM people WHERE name = $tag$it's$tag$",
    "SELECT DISTINCT ON (id > 2) id FROM people ORDER BY id > 2, id",
    "SELECT id FROM people WHERE name ~* '^z' OR name SIMILAR TO '#4%'",
    "SELECT id FROM people ORDER BY id > 2 FETCH FIRST 1 ROWS WITH TIES",
    "SELECT id FROM people WHERE (seen, INTERVAL '1 day') OVERLAPS (DATE '2026-02-09', DATE '2026-02-11')",
    "SELECT id FROM people WHERE id = ANY ('{1,3}'::int[])",
    "SELECT id FROM people /* a /* nested */ comment */ WHERE true -- and a last one",
    "SELECT id FROM people WHERE float4 '1.5' < id AND bool 'yes' AND date 'epoch' < seen",
    "SELECT id FROM people WHERE seen AT TIME ZONE 'Europe/Paris' < '2026-02-09 23:30:00+00'",
    "VALUES (1), (2)",
]


@pytest.mark.parametrize("sql", DUCKDB_TEXTS)
def test_duckdb_reads_the_text_itself(duckdb_engine: DuckDBEngine, sql: str) -> None:
    duckdb_engine.run(*PEOPLE)
    with_id = f"SELECT col0 AS id FROM ({sql})" if sql.startswith("VALUES") else sql
    assert_as_written(duckdb_engine, with_id)


@pytest.mark.parametrize("sql", POSTGRES_TEXTS)
def test_postgres_reads_the_text_itself(postgres_engine: PostgresEngine, sql: str) -> None:
    postgres_engine.run(*PEOPLE)
    with_id = f"SELECT column1 AS id FROM ({sql}) AS v" if sql.startswith("VALUES") else sql
    assert_as_written(postgres_engine, with_id)


def test_a_refused_text_does_not_refuse_the_next_one(engine: Engine) -> None:
    """PostgreSQL ignores every command after an error, until the transaction ends."""
    engine.run(*PEOPLE)
    declared = project(
        segment("fails", "SELECT CAST(name AS INT) AS id FROM people"),
        segment("broken", "SELECT nothing FROM people"),
        segment("right", "SELECT id FROM people WHERE id = 2"),
    )
    with engine.open() as source:
        for key in ("fails", "broken"):
            with pytest.raises((SegmentError, SourceError), match=r"refused|failed while"):
                members(source, declared, key)
        assert members(source, declared, "right") == ["2"]


@pytest.mark.parametrize(
    "sql", ["SELECT a.id, b.id FROM people a, people b", "SELECT * FROM people a, people b"]
)
def test_a_column_whose_name_is_given_twice_is_ambiguous(engine: Engine, sql: str) -> None:
    """DuckDB would read the first of them; another column of the same SELECT can be used."""
    engine.run(*PEOPLE)
    with engine.open() as source:
        with pytest.raises(SegmentError, match="several columns named 'id'") as caught:
            members(source, project(segment("s", sql)), "s")
        assert caught.value.problems[0].hint == "Give the others another name, such as `AS other_id`."
        single = project(segment("s", sql.replace("SELECT ", "SELECT a.id AS one, ")))
        assert len(members(source, single, "s", "one")) == 16


COMMENTS = st.sampled_from(["", " ", "\n", "\t", " /* ; ' */ ", " -- it's; \"x\n", " /**/ "])
NUMBERS = st.sampled_from(["id", "(id + 1)", "-id", "length(name)", "coalesce(length(name), 0)", "3", "7"])
MOMENTS = st.sampled_from(
    ["seen", AS_OF, "DATE '2026-02-10'", "CAST('2026-01-01 10:00' AS timestamp)", "(seen + INTERVAL '1 day')"]
)
TEXTS = st.sampled_from(
    ["name", "'it''s'", "';'", "'-- no comment'", "'/* nor this'", "upper(name)", "name || 'x'", "'\\'", "''"]
)
INTERVALS = st.sampled_from(
    ["'1 day'", "'36 hours'", "'1 month'", "'1 day 12:00:00'", "'2 years 3 days'", "'1 week'", "'1 mon'"]
)


def comparisons(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds("{} {} {}".format, values, st.sampled_from(["<", "<=", "=", "<>", ">", ">="]), values)


CONDITIONS = st.recursive(
    st.one_of(
        comparisons(NUMBERS),
        comparisons(MOMENTS),
        comparisons(TEXTS),
        st.builds("{} >= {} - INTERVAL {}".format, MOMENTS, MOMENTS, INTERVALS),
        st.builds("{} IS NULL".format, TEXTS),
        st.builds("{} BETWEEN {} AND {}".format, NUMBERS, NUMBERS, NUMBERS),
        st.builds("{} IN ({}, {})".format, TEXTS, TEXTS, TEXTS),
        st.builds("{} LIKE '%-- %' ".format, TEXTS),
        st.builds("CASE WHEN {} THEN {} ELSE {} END".format, comparisons(NUMBERS), *[comparisons(TEXTS)] * 2),
    ),
    lambda inner: st.one_of(
        st.builds("({} AND{}{})".format, inner, COMMENTS.map(lambda c: c or " "), inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("NOT ({})".format, inner),
        st.builds("EXISTS (SELECT 1 FROM people AS p WHERE p.id = people.id AND {})".format, inner),
    ),
    max_leaves=5,
)
SELECTS = st.recursive(
    st.one_of(
        st.builds("SELECT{} id FROM people WHERE {}".format, COMMENTS, CONDITIONS),
        st.builds("SELECT {} AS id FROM people WHERE {}".format, st.one_of(NUMBERS, TEXTS), CONDITIONS),
        st.builds("SELECT max(id) AS id FROM people GROUP BY {}".format, CONDITIONS),
        st.builds(
            "SELECT id FROM people LEFT JOIN (SELECT id AS b FROM people) AS o ON id = b AND {}".format,
            CONDITIONS,
        ),
    ),
    lambda inner: st.one_of(
        st.builds("WITH w AS ({}\n) SELECT id{} FROM w".format, inner, COMMENTS),
        st.builds("SELECT id FROM ({}\n) AS t".format, inner),
        st.builds("SELECT CAST(id AS varchar) AS id FROM ({}\n) AS t ORDER BY 1".format, inner),
    ),
    max_leaves=2,
)
ENDINGS = st.sampled_from(["", ";", " ;\n", " -- the end", "; -- the end", "\n/* the end */", "\n"])


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sql=SELECTS, beginning=COMMENTS, ending=ENDINGS)
def test_generated_selects_give_the_engines_own_rows(
    engine: Engine, sql: str, beginning: str, ending: str
) -> None:
    """Whatever the engine accepts, with comments and quotes at every place that has broken a wrapper."""
    if engine.name not in _filled:
        engine.run(*PEOPLE)
        _filled.add(engine.name)
    try:
        rows_of(engine, sql)
    except duckdb.NotImplementedException:
        return  # DuckDB 1.5 cannot join by a subquery
    assert_as_written(engine, f"{beginning}{sql}{ending}")


_filled: set[str] = set()
