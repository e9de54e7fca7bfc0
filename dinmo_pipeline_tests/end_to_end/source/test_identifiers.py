"""The same person has the same identifier, whatever the column's type and the kind of source."""

import itertools
import uuid

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dinmo_pipeline.segments import open_source, select_activated
from dinmo_pipeline.state.membership import stage_members
from dinmo_pipeline_tests.segments import declaring
from dinmo_pipeline_tests.state.declaring import NOW, activation

# The whole numbers that a type holds exactly, and the values of a column of it.
DUCKDB_TYPES = {
    "SMALLINT": 2**15 - 1,
    "BIGINT": 2**63 - 1,
    "HUGEINT": 2**100,
    "FLOAT": 2**24 - 1,
    "DOUBLE": 2**53 - 1,
    "DECIMAL(18,2)": 10**15,
    "DECIMAL(38,10)": 10**27,
    "VARCHAR": 10**30,
}
POSTGRES_TYPES = {
    "smallint": 2**15 - 1,
    "bigint": 2**63 - 1,
    "real": 2**24 - 1,
    "double precision": 2**53 - 1,
    "numeric": 10**30,
    "numeric(20,2)": 10**15,
    "text": 10**30,
    "varchar(40)": 10**30,
    "char(40)": 10**30,
}
SEGMENTS = ("table", "sql", "where", "where on it")


def segment_of(kind: str):
    """A segment of everybody, by its table, its SQL, or with a condition on another or on the same column."""
    if kind == "table":
        return declaring.listed("vip", "people")
    if kind == "sql":
        return declaring.segment("vip", "SELECT * FROM people")
    on = declaring.field("kind", equals="x") if kind == "where" else declaring.field("id", is_set=True)
    return declaring.segment("vip", on, over="people")


def members(source, kind: str, match_by: str = "user_id") -> set[str]:
    """The identifiers that the state gets."""
    declared = declaring.project(segment_of(kind), declaring.model("people", primary_key="id"))
    select = select_activated(declared, activation(column="id", match_by=match_by), source, now=NOW)
    with duckdb.connect() as connection:
        stage_members(connection, source.batches(select.sql), match_by)
        return {text for (text,) in connection.execute("SELECT identifier FROM incoming").fetchall()}


@pytest.fixture(scope="module", params=["duckdb", "parquet", "csv"])
def files(request, tmp_path_factory):
    """Opens people of a DuckDB type, as one of the sources in files."""
    folder = tmp_path_factory.mktemp(request.param)

    def opening(type_: str, people: list[int]):
        part = folder / uuid.uuid4().hex
        part.mkdir()
        path = part / "warehouse.duckdb"
        with duckdb.connect(str(path)) as connection:
            connection.execute(f"CREATE TABLE people (id {type_}, kind VARCHAR)")
            # As the text of the number, since Python's integers have no DECIMAL.
            connection.execute(
                f"INSERT INTO people SELECT CAST(unnest($1::VARCHAR[]) AS {type_}), 'x'",
                [[str(each) for each in people]],
            )
            if request.param != "duckdb":
                connection.execute(f"COPY people TO '{part}/people.{request.param}'")
        declared = (
            declaring.duckdb_file(path)
            if request.param == "duckdb"
            else declaring.folder(request.param, part)
        )
        return open_source(declared, uri=None)

    opening.kind = request.param
    return opening


@pytest.mark.parametrize("type_", DUCKDB_TYPES)
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_type_in_files_gives_the_same_members(files, type_, data):
    """Their digits, with or without conditions."""
    if files.kind == "parquet" and type_ == "HUGEINT":
        return  # Parquet has no such type: DuckDB writes a DOUBLE
    if files.kind == "csv" and type_ in ("FLOAT", "DOUBLE", "DECIMAL(18,2)", "DECIMAL(38,10)"):
        return  # a CSV column is text: `1234.0` is what somebody wrote
    limit = DUCKDB_TYPES[type_]
    people = data.draw(st.lists(st.integers(-limit, limit), min_size=1, max_size=6, unique=True))
    kind = data.draw(st.sampled_from(SEGMENTS))
    with files(type_, people) as source:
        assert members(source, kind) == {str(each) for each in people}


@pytest.mark.parametrize("type_", POSTGRES_TYPES)
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_type_in_postgres_gives_the_same_members(postgres_engine, type_, data):
    """Their digits, with or without conditions."""
    limit = POSTGRES_TYPES[type_]
    people = data.draw(st.lists(st.integers(-limit, limit), min_size=1, max_size=6, unique=True))
    kind = data.draw(st.sampled_from(SEGMENTS))
    values = ", ".join(f"('{each}', 'x')" for each in people)
    postgres_engine.run(
        "DROP TABLE IF EXISTS people",
        f"CREATE TABLE people (id {type_}, kind text)",
        f"INSERT INTO people VALUES {values}",
    )
    with postgres_engine.open() as source:
        assert members(source, kind) == {str(each) for each in people}


UNFIT = {
    "DOUBLE": ["1234.5", "'nan'", "'inf'", "1e300", "9007199254740992", "-9007199254740994"],
    "FLOAT": ["0.5", "16777216", "1e30"],
    "DECIMAL(18,2)": ["1234.50", "0.01"],
    "real": ["0.5", "16777216", "'NaN'", "'-Infinity'"],
    "double precision": ["0.5", "9007199254740992", "'NaN'", "'Infinity'", "1e300"],
    "numeric(20,2)": ["1234.50"],
    "numeric": ["0.00000000000000000001", "'NaN'"],
}


@pytest.fixture
def people_of(company, request, monkeypatch):
    """Fill the company's only segment: a type in lower case is PostgreSQL's."""

    def fill(type_: str, select: str) -> None:
        if type_.isupper():
            with duckdb.connect(str(company.folder / "warehouse.duckdb")) as connection:
                connection.execute(f"CREATE TABLE people AS {select}")
        else:
            engine = request.getfixturevalue("postgres_engine")
            engine.run(f"CREATE TABLE people AS {select}")
            monkeypatch.setenv("WAREHOUSE_URI", engine.uri)
            company.declared["source"] = {"type": "postgres", "uri": {"env": "WAREHOUSE_URI"}}
        company.declared["segments"]["vip"] = {"name": "VIP", "table": "people"}
        company.declared["activations"]["vip"] = {"match_by": "user_id", "column": "id"}

    return fill


@pytest.mark.parametrize(("type_", "value"), [(type_, value) for type_ in UNFIT for value in UNFIT[type_]])
def test_a_number_that_may_be_another_person_is_refused(company, dinmo, people_of, type_, value):
    """By name and count, without its value; nobody is tagged or untagged."""
    people_of(type_, f"SELECT CAST(7 AS {type_}) AS id UNION ALL SELECT CAST({value} AS {type_})")
    company.people({"external_id": "7"})
    for words in (("sync", "vip"), ("plan", "vip")):
        printed = dinmo(*words)
        assert printed.code == 1
        assert "segment 'vip': The column 'id' is" in printed.err
        assert "In 1 row its number is" in printed.err
        assert "so it cannot be a user id." in printed.err
        assert company.tagged() == set()


def test_ids_that_became_floating_point_keep_the_tag(company, dinmo):
    """A NULL in a pandas frame makes all numbers of a column floating-point: no one enters or leaves."""
    company.declared["activations"]["vip"] = {"match_by": "user_id", "column": "id"}
    company.people(*({"external_id": str(each)} for each in range(1000, 1020)))
    for column_type in ("BIGINT", "DOUBLE", "VARCHAR", "FLOAT", "DECIMAL(18,2)"):
        with duckdb.connect(str(company.folder / "warehouse.duckdb")) as connection:
            connection.execute(
                "CREATE OR REPLACE TABLE vip AS"
                f" SELECT CAST(range AS {column_type}) AS id FROM range(1000, 1020)"
            )
        assert dinmo("sync", "vip").code == 0
        assert company.tagged() == {str(each) for each in range(1000, 1020)}
    assert company.rows("SELECT count(*) FROM dinmo.change_log") == [(20,)]


SPELLINGS = {
    "composed": "jos\u00e9@x.org",
    "decomposed": "jose\u0301@x.org",
    "in capitals": "JOSE\u0301@X.ORG",
    "with a mark of direction": "jos\u00e9@x.org\u200e",
    "between invisible characters": "\u2066\ufeff jos\u00e9@x.org\u00ad\u2069\u3164",
}
HELD_BY_INTERCOM = ("composed", "decomposed", "in capitals")
PEOPLE = list(itertools.product(HELD_BY_INTERCOM, SPELLINGS))


def spelled(number, spelling):
    """The email of one of the people."""
    return SPELLINGS[spelling].replace("@", f"{number}@")


def test_an_email_is_found_however_it_is_spelled(company, dinmo):
    """In the warehouse or in Intercom: searched for when first seen, and still the same person later."""
    in_intercom = [spelled(number, there) for number, (there, _) in enumerate(PEOPLE)]
    company.people(*in_intercom)
    spellings = list(SPELLINGS)
    for turn in range(len(spellings)):
        company.members(
            spelled(number, spellings[(spellings.index(here) + turn) % len(spellings)])
            for number, (_, here) in enumerate(PEOPLE)
        )
        assert dinmo("sync", "vip").code == 0
        assert company.tagged() == set(in_intercom)
    logged = company.rows("SELECT count(*) FROM dinmo.change_log")
    assert logged == [(len(PEOPLE),)], "nobody entered or left again"
    assert dinmo("reconcile", "vip", "--recent-minutes", "0").code == 0


def test_only_emails_with_two_spellings_are_searched_for_twice(company, dinmo):
    """One search holds 50 values: 50 plain emails take one, 26 with an accent take two."""
    company.members([f"user{number}@x.org" for number in range(50)])
    assert dinmo("sync", "vip").code == 0
    assert company.calls()["POST /contacts/search"] == 1
    company.members([f"us\u00e9r{number}@x.org" for number in range(26)])
    assert dinmo("sync", "vip", "--allow-large-removal").code == 0
    # One more looks for sign-ups of the members that are not in Intercom.
    assert company.calls()["POST /contacts/search"] == 2


def test_a_state_with_an_earlier_spelling_causes_no_flicker(company, dinmo):
    """An older release stored `e` and its accent as two characters; it is the same contact."""
    company.people(SPELLINGS["decomposed"], *(f"user{number}@x.org" for number in range(20)))
    company.members([SPELLINGS["decomposed"], *(f"user{number}@x.org" for number in range(20))])
    assert dinmo("sync", "vip").code == 0
    with company.state.transaction() as connection:
        for table, column in (
            ("segment_membership", "identifier"),
            ("tagged_contacts", "identifier"),
            ("contacts", "email"),
            ("change_log", "identifier"),
        ):
            connection.execute(
                f"UPDATE dinmo.{table} SET {column} = $old WHERE {column} = $new",
                {"old": SPELLINGS["decomposed"], "new": SPELLINGS["composed"]},
            )
    company.calls()
    assert dinmo("sync", "vip").code == 0
    calls = company.calls()
    assert not [route for route in calls if route.startswith("DELETE")]
    assert company.tagged() == {SPELLINGS["decomposed"], *(f"user{number}@x.org" for number in range(20))}
    assert dinmo("sync", "vip").code == 0
    assert not [route for route in company.calls() if route.startswith(("DELETE", "POST /tags"))]
