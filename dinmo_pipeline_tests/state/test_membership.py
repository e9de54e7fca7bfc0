"""A segment's rows become a membership: normalised, distinct, every row counted, all or nothing."""

from collections import Counter
from datetime import timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.membership import (
    Membership,
    SizeOnDay,
    daily_sizes,
    earlier_sizes,
    refresh_membership,
    stage_members,
    write_membership,
)
from dinmo_pipeline.state.readings import Reading
from dinmo_pipeline.state.sql import INVISIBLE, one_row
from dinmo_pipeline_tests.state.declaring import NOW, rows_of, staged


@pytest.fixture
def state(tmp_path):
    """A state that does not exist yet."""
    return StateDatabase(str(tmp_path / "state.duckdb"))


def _members(state):
    with state.reading() as connection:
        rows = connection.execute("SELECT identifier FROM dinmo.segment_membership").fetchall()
    return sorted(row[0] for row in rows)


def test_every_row_is_counted(state):
    """Usable, missing, blank, malformed, repeated: the numbers that the checks show."""
    rows = [
        *("ann@x.org", " ANN@x.org\t", "\u00a0ann@X.ORG\u200b"),
        *("élodie@x.org", "ÉLODIE@x.org"),
        *("no-at.x.org", "@x.org", "a@b", "a b@x.org", "a@b@x.org", "a@x.org."),
        *(None, None, "", " \t", "\u3000"),
    ]
    found = refresh_membership(state, "vip", "email", staged(rows_of(rows), "email", now=NOW))
    assert found == Membership(
        members=8,
        entered=8,
        left=0,
        rows=Reading(
            "email",
            rows_read=16,
            null_identifiers=2,
            blank_identifiers=3,
            malformed_identifiers=5,
            duplicate_rows=3,
        ),
    )
    assert _members(state) == sorted(
        [
            *("ann@x.org", "élodie@x.org"),
            *("no-at.x.org", "@x.org", "a@b", "a b@x.org", "a@b@x.org", "a@x.org."),
        ]
    )


def test_user_ids_are_unchanged(state):
    """Leading zeros, upper case, and spaces belong to the id. White space alone is not an id."""
    ids = ["007", "7", "7 ", " 7", "a b", "Ab", "AB", "ß", "😀", "x" * 500, "a\x00b"]
    found = refresh_membership(
        state, "vip", "user_id", staged(rows_of([*ids, " ", "\u00a0"]), "user_id", now=NOW)
    )
    assert (found.members, found.rows.blank_identifiers) == (11, 2)
    assert found.rows.malformed_identifiers == 0
    assert _members(state) == sorted(ids)


def test_the_same_rows_again_change_nothing(state):
    """But they are one more reading."""
    for _ in range(2):
        found = refresh_membership(state, "vip", "email", staged(rows_of(["a@x.org"]), "email", now=NOW))
    assert (found.members, found.entered, found.left) == (1, 0, 0)
    with state.reading() as connection:
        assert [members for _, members in earlier_sizes(connection, "vip", limit=5)] == [1, 1]


def test_activations_are_independent(state):
    """An empty segment empties only its own membership."""
    for key in ("vip", "churned"):
        refresh_membership(state, key, "email", staged(rows_of(["a@x.org"]), "email", now=NOW))
    assert refresh_membership(state, "vip", "email", staged(rows_of([]), "email", now=NOW)).left == 1
    assert _members(state) == ["a@x.org"]


class _BrokenOffError(Exception):
    pass


def test_a_stream_that_breaks_off_changes_nothing(state):
    """Half a segment never becomes a membership, and the source's own error is raised."""
    refresh_membership(state, "vip", "email", staged(rows_of(["a@x.org"]), "email", now=NOW))
    schema = pa.schema([("identifier", pa.string())])

    def batches():
        yield pa.record_batch([pa.array(["b@x.org"])], schema=schema)
        raise _BrokenOffError

    stream = pa.RecordBatchReader.from_batches(schema, batches())
    with pytest.raises(_BrokenOffError):
        refresh_membership(state, "vip", "email", staged(stream, "email", now=NOW))
    assert _members(state) == ["a@x.org"]
    with state.reading() as connection:
        assert [members for _, members in earlier_sizes(connection, "vip", limit=5)] == [1]


def test_a_day_counts_once_from_the_newest_reading_on(state):
    """An hourly segment compares with a day ago; a schedule that runs a minute late does not skip a day."""
    read = [(0, 7), (1, 6), (21, 5), (23.9, 4), (25, 3), (48.1, 2), (71.5, 1), (24 * 64, 9)]
    with state.transaction() as connection:
        for hours, members in reversed(read):
            connection.execute(
                """
                INSERT INTO dinmo.membership_sizes BY NAME
                SELECT 'vip' AS activation, $at AS materialized_at, 'email' AS match_by, $members AS members,
                       0 AS entered, 0 AS "left", 0 AS rows_read, 0 AS null_identifiers,
                       0 AS blank_identifiers, 0 AS malformed_identifiers, 0 AS duplicate_rows,
                       CASE WHEN $members = 6 THEN 'unusual' END AS size_note
                """,
                {"at": NOW - timedelta(hours=hours), "members": members},
            )
        sizes, was_unusual = daily_sizes(connection, "vip")
        recent, _ = daily_sizes(connection, "vip", within=timedelta(hours=46))
    assert sizes == [SizeOnDay(0, 7), SizeOnDay(1, 4), SizeOnDay(2, 2), SizeOnDay(3, 1)]
    assert recent == sizes[:2]
    assert was_unusual


# Letters whose lower case is one letter, in DuckDB as in Python.
letters = st.sampled_from([*"aAzZ09@.é", "É", "ß", "漢", "😀", *INVISIBLE])
texts = st.none() | st.text(letters, max_size=6)


@settings(max_examples=60, deadline=None)
@given(st.lists(texts, max_size=30), st.sampled_from(["email", "user_id"]))
def test_normalising_equals_a_plain_computation(rows, match_by):
    """Members and counts, from batches of any size."""
    with StateDatabase("not used").scratch() as connection:
        connection.execute("SET threads = 1")
        stage_members(connection, rows_of(rows, rows_a_batch=7), match_by)
        incoming = dict(connection.execute("SELECT identifier, rows FROM incoming").fetchall())
    expected = Counter(_normal(row, match_by) for row in rows)
    assert incoming == expected


def _normal(row, match_by):
    if row is None:
        return None
    trimmed = row.strip(INVISIBLE)
    return trimmed.lower() if match_by == "email" else row if trimmed else ""


def test_staging_alone_writes_nothing(state):
    """`dinmo plan` stages, and leaves no trace."""
    with state.scratch() as connection:
        stage_members(connection, rows_of(["a@x.org"]), "email")
        with state.attached(connection, read_only=True):
            count = one_row(connection, "SELECT count(*) FROM dinmo.segment_membership")
    assert count == (0,)


def test_an_error_while_writing_rolls_everything_back(state):
    """It is one transaction."""
    refresh_membership(state, "vip", "email", staged(rows_of(["a@x.org"]), "email", now=NOW))

    def fail():
        with state.scratch() as connection:
            stage_members(connection, rows_of(["b@x.org"]), "email")
            with state.transaction(connection):
                write_membership(connection, "vip", "email", now=NOW)
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert _members(state) == ["a@x.org"]
