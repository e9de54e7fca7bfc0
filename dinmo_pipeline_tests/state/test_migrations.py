"""A state of an older release is migrated without losing what it knew."""

from datetime import timedelta

import duckdb
import pytest

from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.readings import Moves, Reading, StoredReading, applied_reading, newest_reading
from dinmo_pipeline.state.schema.migrations import MIGRATIONS
from dinmo_pipeline.state.schema.version import CURRENT_VERSION
from dinmo_pipeline.state.syncs import SyncNumbers, SyncResult, finished_sync
from dinmo_pipeline_tests.state.declaring import NOW, activation

VIP = activation()
LATER, LATEST = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def old(tmp_path):
    """A file of the first release with three readings; a test adds the syncs."""
    path = tmp_path / "state.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA dinmo")
        connection.execute(
            "CREATE TABLE dinmo.schema_version (version INTEGER NOT NULL, installed_at TIMESTAMPTZ NOT NULL)"
        )
        connection.execute(MIGRATIONS[0])
        connection.execute("INSERT INTO dinmo.schema_version VALUES (1, now())")
        connection.execute("INSERT INTO dinmo.change_sets VALUES ('vip', 'main', 'email', 'all', 1, 1)")
        connection.executemany(
            "INSERT INTO dinmo.membership_sizes VALUES ('vip', ?, 'email', 9, 9, 0, 10, ?, 0, 0, 0)",
            [(NOW, 1), (LATER, 2), (LATEST, 3)],
        )
    return path


def _synced(path, *syncs):
    with duckdb.connect(str(path)) as connection:
        connection.executemany(
            "INSERT INTO dinmo.syncs (sync_id, activation, started_at, status) VALUES ('s', 'vip', ?, ?)",
            syncs,
        )


def _brought_forward(path):
    """The newest and the applied reading."""
    with StateDatabase(str(path)).transaction() as connection:
        versions = connection.execute("SELECT version FROM dinmo.schema_version").fetchall()
        assert versions == [(version,) for version in range(1, CURRENT_VERSION + 1)]
        return newest_reading(connection, VIP), applied_reading(connection, VIP)


def _reading(at, nulls):
    return StoredReading(at, Reading("email", 10, nulls, 0, 0, 0), 9, Moves(9, 0))


def test_the_applied_reading_is_the_one_before_the_newest_successful_sync(old):
    """A held sync applied nothing, nor did a reading that no sync followed."""
    _synced(old, (NOW + MINUTE, "ok"), (LATER + MINUTE, "held"))
    assert _brought_forward(old) == (_reading(LATEST, 3), _reading(NOW, 1))


def test_without_a_successful_sync_no_reading_was_applied(old):
    """So the guard has nothing to compare with."""
    _synced(old, (NOW + MINUTE, "failed"))
    assert _brought_forward(old) == (_reading(LATEST, 3), None)


def test_where_a_merged_contact_went_becomes_a_column(old):
    """The reason said it in words; `dinmo forget` and `dinmo reconcile` parsed them."""
    with duckdb.connect(str(old)) as connection:
        connection.executemany(
            "INSERT INTO dinmo.change_log VALUES ('vip', 's', ?, 'left', 'ann@x.org', ?, ?, ?, 'r')",
            [
                (NOW, "c1", "gone", "410 contact_merged into c2"),
                (NOW, "c3", "gone", "410 contact_merged"),
                (NOW, "c4", "failed", "422 unprocessable_entity"),
                (NOW, "c5", "applied", None),
            ],
        )
    with StateDatabase(str(old)).transaction() as connection:
        moved = connection.execute(
            "SELECT contact_id, outcome, reason, request_id, merged_into FROM dinmo.change_log"
            " ORDER BY contact_id"
        ).fetchall()
    assert moved == [
        ("c1", "gone", "410 contact_merged", "r", "c2"),
        ("c3", "gone", "410 contact_merged", "r", None),
        ("c4", "failed", "422 unprocessable_entity", "r", None),
        ("c5", "applied", None, "r", None),
    ]


def test_a_sync_that_was_held_before_has_its_sentence_and_no_reason_as_a_value(old):
    """Older releases recorded the sentence only."""
    with duckdb.connect(str(old)) as connection:
        connection.execute(
            "INSERT INTO dinmo.syncs VALUES ('s', 'vip', $at, $at, 'held', 'The segment became empty.',"
            " 9, 8, 7, 6, 5, 4, 3, 2, 1, 20, 1.5)",
            {"at": NOW},
        )
    with StateDatabase(str(old)).transaction() as connection:
        assert finished_sync(connection, "s", "vip") == SyncResult(
            "held",
            "The segment became empty.",
            numbers=SyncNumbers(9, None, None, 8, 7, 6, 5, 0, 0, 4, None, 3, 2, 1, 20, 1.5),
        )


def test_of_two_owners_of_one_tag_the_one_that_is_synced_stays(old):
    """The other's contacts move to it, each once; its next sync untags those who are not members."""
    with duckdb.connect(str(old)) as connection:
        connection.execute("DELETE FROM dinmo.change_sets")
        connection.executemany(
            "INSERT INTO dinmo.change_sets VALUES (?, 'main', 'email', 'all', 1, 1)", [("vip",), ("new",)]
        )
        connection.executemany(
            "INSERT INTO dinmo.activation_tags VALUES (?, 'main', ?, ?)",
            [("vip", "7", "Platinum"), ("new", "7", "VIP"), ("third", "8", "Other")],
        )
        connection.executemany(
            "INSERT INTO dinmo.tagged_contacts VALUES (?, 'main', ?, ?, now())",
            [
                *[("vip", contact, f"{contact}@x.org") for contact in ("c1", "c2")],
                *[("new", contact, f"{contact}@x.org") for contact in ("c2", "c3")],
                ("third", "c1", "c1@x.org"),
            ],
        )
    _synced(old, (NOW, "ok"))
    with StateDatabase(str(old)).transaction() as connection:
        owners = connection.execute("SELECT activation, tag_id FROM dinmo.activation_tags ORDER BY ALL")
        assert owners.fetchall() == [("third", "8"), ("vip", "7")]
        ledger = connection.execute("SELECT activation, contact_id FROM dinmo.tagged_contacts ORDER BY ALL")
        assert ledger.fetchall() == [("third", "c1"), ("vip", "c1"), ("vip", "c2"), ("vip", "c3")]
