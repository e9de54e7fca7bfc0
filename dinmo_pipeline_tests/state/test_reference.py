"""The reference page: every table and column is in it and in the database, and its queries run."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from dinmo_pipeline.contact import Contact
from dinmo_pipeline.state.changes import compute_changes, store_changes
from dinmo_pipeline.state.contacts.directory import record_contacts, record_missing
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.ledger import AppliedChange, record_outcomes
from dinmo_pipeline.state.membership import refresh_membership
from dinmo_pipeline.state.schema.descriptions import DESCRIPTIONS
from dinmo_pipeline.state.syncs import SyncResult, finish_sync, start_sync
from dinmo_pipeline_tests.state.declaring import NOW, activation, rows_of, staged

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "reference" / "state.md").read_text()
_SQL = re.compile(r"^```sql\n(.*?)^```", re.MULTILINE | re.DOTALL)
WHO, WHY, SIZES, FAILURES = _SQL.findall(PAGE)
QUERIES = [query for page in sorted(DOCS.glob("**/*.md")) for query in _SQL.findall(page.read_text())]
VIP = activation("vip_customers", on_multiple_users="skip")


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    """Ann is tagged, Bo is not in Intercom, Cy was refused, Di has two users, Flo left, Ed came."""
    state = StateDatabase(str(tmp_path_factory.mktemp("state") / "state.duckdb"))
    members = [f"{name}@example.com" for name in ("ann", "bo", "cy", "di", "flo")]
    refresh_membership(state, VIP.key, "email", staged(rows_of(members), "email", now=NOW))
    seen = [
        Contact(str(number), f"{name}@example.com", None)
        for number, name in enumerate(("ann", "cy", "di", "di"))
    ]
    with state.transaction() as connection:
        record_contacts(connection, "main", seen, by_email=True, now=NOW)
        record_missing(connection, "main", "email", members, now=NOW)
        compute_changes(connection, VIP)
        store_changes(connection, VIP)
        start_sync(connection, "s1", VIP.key, now=NOW)
        outcomes = [
            AppliedChange("entered", "ann@example.com", "0", "applied", None, "r1"),
            AppliedChange("entered", "cy@example.com", "1", "failed", "422 too many tags", "r2"),
        ]
        record_outcomes(connection, VIP.key, "main", "s1", outcomes, now=NOW)
        finish_sync(connection, "s1", "vip", SyncResult("ok"), now=NOW)
    later = NOW + timedelta(days=4)
    refresh_membership(
        state, VIP.key, "email", staged(rows_of([*members[:-1], "ed@x.org"]), "email", now=later)
    )
    with state.transaction() as connection:
        compute_changes(connection, VIP)
        store_changes(connection, VIP)
    return state


def _ask(state, query):
    with state.reading() as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_in_the_documents_runs(state, query):
    """On the state as it is."""
    _ask(state, query)


def test_the_page_answers_who_was_in_it_on_a_day(state):
    """Including members who have left since, without those who came later."""
    assert [row[0] for row in _ask(state, WHO)] == [
        f"{name}@example.com" for name in ("ann", "bo", "cy", "di", "flo")
    ]


@pytest.mark.parametrize(
    ("person", "reason"),
    [
        ("ann@example.com", "is tagged"),
        ("bo@example.com", "is not a user in Intercom; last looked for at 2026-03-01 09:00:00+00"),
        ("cy@example.com", "failed: 422 too many tags at 2026-03-01 09:00:00+00"),
        ("di@example.com", "stands for several users, and on_multiple_users is skip"),
        ("flo@example.com", "is not in the segment"),
        ("ed@x.org", "waits for the next sync"),
    ],
)
def test_the_page_answers_why_a_person_was_not_tagged(state, person, reason):
    """One sentence per person."""
    assert _ask(state, WHY.replace("ann@example.com", person)) == [(reason,)]


def test_the_page_answers_how_the_size_changed(state):
    """The last size of each day, and all moves of the day."""
    assert [row[1:] for row in _ask(state, SIZES)] == [(5, 5, 0), (5, 1, 1)]


def test_the_page_answers_what_failed(state):
    """With the id of the request."""
    assert _ask(state, FAILURES) == [("entered", "cy@example.com", "1", "failed", "422 too many tags", "r2")]


def test_the_database_describes_itself(state):
    """Every table, view, and column has its comment, and nothing else is described."""
    found = _ask(
        state,
        """
        SELECT table_name, comment FROM duckdb_tables() WHERE schema_name = 'dinmo'
        UNION ALL SELECT view_name, comment FROM duckdb_views() WHERE schema_name = 'dinmo'
        """,
    )
    assert dict(found) == {name: table.text for name, table in DESCRIPTIONS.items()}
    columns = _ask(
        state,
        "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE schema_name = 'dinmo'"
        " ORDER BY table_name, column_index",
    )
    assert columns == [
        (name, column, text)
        for name, table in sorted(DESCRIPTIONS.items())
        for column, text in table.columns.items()
    ]


def test_the_page_has_every_table_and_column(state):
    """With the descriptions and types of the database."""
    columns = _ask(
        state,
        "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE schema_name = 'dinmo'",
    )
    for name, table in DESCRIPTIONS.items():
        section = PAGE.partition(f"### `dinmo.{name}`")[2].partition("\n### ")[0]
        assert table.text in section
        for found, column, kind in columns:
            if found == name:
                assert f"| `{column}` | {kind} | {table.columns[column]} |" in section
