"""A state of an older release is brought forward, and what it knew is still known."""

from datetime import timedelta

import duckdb
import pytest

from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.readings import Reading, StoredReading, applied_reading, newest_reading
from dinmo_pipeline.state.schema.migrations import MIGRATIONS
from dinmo_pipeline.state.schema.version import CURRENT_VERSION
from dinmo_pipeline.state.syncs import SyncNumbers, SyncResult, finished_sync
from dinmo_pipeline_tests.state.declaring import NOW, activation

VIP = activation()
LATER, LATEST = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def old(tmp_path):
    """A file of the first release: three readings, of which a person may tell the syncs."""
    path = tmp_path / "state.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA dinmo")
        connection.execute(
            "CREATE TABLE dinmo.schema_version"
            " (version INTEGER NOT NULL, installed_at TIMESTAMPTZ NOT NULL)"
        )
        connection.execute(MIGRATIONS[0])
        connection.execute("INSERT INTO dinmo.schema_version VALUES (1, now())")
        connection.execute(
            "INSERT INTO dinmo.change_sets VALUES ('vip', 'main', 'email', 'all', 1, 1)"
        )
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
    return StoredReading(at, Reading("email", 10, nulls, 0, 0, 0))


def test_the_applied_reading_is_the_one_before_the_newest_successful_sync(old):
    """A held sync and a reading that no sync followed applied nothing."""
    _synced(old, (NOW + MINUTE, "ok"), (LATER + MINUTE, "held"))
    assert _brought_forward(old) == (_reading(LATEST, 3), _reading(NOW, 1))


def test_without_a_successful_sync_no_reading_was_applied(old):
    """So the guard compares with nothing."""
    _synced(old, (NOW + MINUTE, "failed"))
    assert _brought_forward(old) == (_reading(LATEST, 3), None)


def test_a_sync_that_was_held_before_has_its_sentence_and_no_reason_as_a_value(old):
    """Older releases recorded the sentence only."""
    with duckdb.connect(str(old)) as connection:
        connection.execute(
            "INSERT INTO dinmo.syncs VALUES ('s', 'vip', $at, $at, 'held', 'The segment became empty.',"
            " 9, 8, 7, 6, 5, 4, 3, 2, 1, 20, 1.5)",
            {"at": NOW},
        )
    with StateDatabase(str(old)).transaction() as connection:
        assert finished_sync(connection, "s") == SyncResult(
            "held",
            "The segment became empty.",
            numbers=SyncNumbers(9, 8, 7, 6, 5, 4, 3, 2, 1, 20, 1.5),
        )
