"""What is over goes from the state when it is old; what something still reads stays."""

from datetime import timedelta

import pytest

from dinmo_pipeline.config.declarations import History
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.membership import SIZES_COMPARED
from dinmo_pipeline.state.readings import compared_readings
from dinmo_pipeline.state.stuck import count_stuck
from dinmo_pipeline.state.upkeep.history import (
    count_old_rows,
    is_first_reading_of_day,
    remove_old_rows,
)
from dinmo_pipeline_tests.state.declaring import NOW, activation

LIMITED = History(keep_syncs=timedelta(days=30), keep_memberships=timedelta(days=30))


SIZE = {
    "match_by": "email",
    **dict.fromkeys(("members", "entered", "left", "rows_read", "null_identifiers"), 0),
    **dict.fromkeys(("blank_identifiers", "malformed_identifiers", "duplicate_rows"), 0),
}


def days_ago(days):
    """A moment before the one at which rows are removed."""
    return NOW - timedelta(days=days)


@pytest.fixture
def state(tmp_path):
    """An empty state."""
    return StateDatabase(str(tmp_path / "state.duckdb"))


def insert(state, table, **columns):
    """Insert a row; columns that are not named are NULL."""
    selected = ", ".join(f"${name} AS {name}" for name in columns)
    with state.transaction() as connection:
        connection.execute(f"INSERT INTO dinmo.{table} BY NAME SELECT {selected}", columns)


def sync(state, sync_id, days, status="ok", key="vip"):
    """A sync that started some days ago."""
    insert(state, "syncs", sync_id=sync_id, activation=key, started_at=days_ago(days), status=status)


def change(state, sync_id, days, identifier, *, outcome="applied", change="entered", **more):
    """A logged change of some days ago, of the contact of the same name."""
    columns = {"contact_id": f"c-{identifier}", **more}
    insert(
        state,
        "change_log",
        activation="vip",
        sync_id=sync_id,
        logged_at=days_ago(days),
        change=change,
        identifier=identifier,
        outcome=outcome,
        **columns,
    )


def rows(state, query):
    """The rows of a query."""
    with state.reading() as connection:
        return connection.execute(query).fetchall()


def test_by_default_everything_stays(state):
    """People audit it."""
    sync(state, "s1", 4000)
    sync(state, "s2", 3000)
    assert remove_old_rows(state, History(), now=NOW) == {}
    assert count_old_rows(state, History(), now=NOW) == {}


def test_old_syncs_and_changes_go_but_for_what_is_still_read(state):
    """The newest sync and the newest that was ok, stuck members, merges, and whom we tagged."""
    for sync_id, days, status in [
        *[("s1", 100, "ok"), ("s2", 90, "ok"), ("s3", 80, "failed"), ("s4", 70, "failed")],
        *[("s5", 60, "failed"), ("s6", 50, "running")],
    ]:
        sync(state, sync_id, days, status)
    sync(state, "other", 99, key="monthly")
    change(state, "s1", 100, "tagged and untagged since")
    change(state, "s2", 90, "tagged and untagged since", change="left")
    change(state, "s1", 100, "tagged twice")
    change(state, "s2", 90, "tagged twice")
    change(state, "s1", 100, "merged", outcome="gone", merged_into="c-another")
    for sync_id, days in [("s1", 100), ("s2", 90), ("s3", 80), ("s4", 70), ("s5", 60)]:
        change(state, sync_id, days, "refused", outcome="failed")
    change(state, "s3", 80, "refused once", outcome="failed")
    change(state, "s6", 50, "of a running sync", outcome="pending")
    insert(state, "membership_changes", activation="vip", position=1, change="entered", identifier="refused")
    with state.reading() as connection:
        stuck = count_stuck(connection)
    assert stuck == {"vip": 1}

    expected = count_old_rows(state, LIMITED, now=NOW)
    seen = []
    removed = remove_old_rows(state, LIMITED, now=NOW, on_removed=lambda *step: seen.append(step))

    assert removed == expected == dict(seen)
    assert removed == {"change_log": 6, "syncs": 4, "membership_departures": 0, "membership_sizes": 0}
    assert rows(state, "SELECT sync_id FROM dinmo.syncs ORDER BY ALL") == [("other",), ("s2",), ("s6",)]
    assert rows(state, "SELECT identifier, sync_id FROM dinmo.change_log ORDER BY ALL") == [
        ("merged", "s1"),
        ("of a running sync", "s6"),
        ("refused", "s3"),
        ("refused", "s4"),
        ("refused", "s5"),
        ("tagged twice", "s2"),
    ]
    with state.reading() as connection:
        assert count_stuck(connection) == stuck
    assert not any(remove_old_rows(state, LIMITED, now=NOW).values())


def test_old_stays_and_sizes_go_but_for_those_that_guards_and_checks_compare(state):
    """The size that a week ago counts, however long nobody has synced."""
    for left, identifier in [(40, "long ago"), (20, "lately")]:
        insert(
            state,
            "membership_departures",
            activation="vip",
            identifier=identifier,
            entered_at=days_ago(50),
            left_at=days_ago(left),
        )
    for number in range(60):
        insert(
            state,
            "membership_sizes",
            activation="vip",
            materialized_at=days_ago(100 - number),
            # The last one that was applied, and the last one that a person released.
            applied_to="main" if number < 10 else None,
            released=number == 5,
            **SIZE | {"members": number},
        )
    vip = activation()

    def compared():
        with state.reading() as connection:
            return compared_readings(connection, vip, None, leaving=1, at=NOW)

    before = compared()
    assert before.applied
    assert before.earlier
    expected = count_old_rows(state, LIMITED, now=NOW)
    assert remove_old_rows(state, LIMITED, now=NOW) == expected
    assert expected["membership_departures"] == 1
    assert rows(state, "SELECT identifier FROM dinmo.membership_history") == [("lately",)]
    assert compared() == before
    kept = [members for (members,) in rows(state, "SELECT members FROM dinmo.membership_sizes ORDER BY ALL")]
    assert kept == [9, *range(100 - SIZES_COMPARED.days, 60)]


def test_a_limit_shorter_than_a_week_leaves_the_guards_their_week(state):
    """They compare with the size of a week ago."""
    for hours in range(24 * 12, 0, -6):
        at = NOW - timedelta(hours=hours)
        insert(state, "membership_sizes", activation="vip", materialized_at=at, applied_to="main", **SIZE)
    remove_old_rows(state, History(keep_memberships=timedelta(days=1)), now=NOW)
    with state.reading() as connection:
        later = compared_readings(connection, activation(), None, leaving=1, at=NOW - timedelta(hours=1))
    assert later.earlier
    assert later.earlier.at == NOW - timedelta(days=7, hours=6)


def test_the_first_reading_of_a_day_is_known(state):
    """Also if a clock was wrong once."""
    assert is_first_reading_of_day(state, now=NOW)
    for hours, is_first in [(24, True), (-24, True), (1, False)]:
        at = NOW - timedelta(hours=hours)
        insert(state, "membership_sizes", activation="vip", materialized_at=at, **SIZE)
        assert is_first_reading_of_day(state, now=NOW) is is_first
