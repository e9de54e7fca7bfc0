"""Changes by example: one test per case that is easy to get wrong. The law is in test_changes_law.py."""

from dataclasses import replace

import pytest

from dinmo_pipeline.contact import Contact
from dinmo_pipeline.state.changes import (
    compute_changes,
    newest_touch,
    settle,
    store_changes,
)
from dinmo_pipeline.state.contacts.directory import record_contacts, record_missing
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.ledger import AppliedChange, count_tagged, planned_changes, record_outcomes
from dinmo_pipeline.state.membership import stage_members, write_membership
from dinmo_pipeline.state.overview import overview
from dinmo_pipeline.state.tags.owners import ActivationTag, record_tag
from dinmo_pipeline_tests.state.declaring import NOW, activation, rows_of

VIP = activation()
ANN = Contact("c1", "ann@x.org", "1")
OTHER_ANN = Contact("c2", "ann@x.org", "2")


class World:
    """An open state, and the steps of a sync in few words."""

    def __init__(self, connection):
        self.connection = connection

    def segment(self, *members, of=VIP):
        """Set the membership."""
        stage_members(self.connection, rows_of(members), of.match_by)
        write_membership(self.connection, of.key, of.match_by, now=NOW)

    def found(self, *contacts, by_email=True):
        """Record contacts that were seen."""
        record_contacts(self.connection, "main", contacts, by_email=by_email, now=NOW)

    def changes(self, of=VIP):
        """Compute and store the changes; returns (change, identifier, contact), sorted."""
        compute_changes(self.connection, of)
        store_changes(self.connection, of)
        rows = self.connection.execute("SELECT change, identifier, contact_id FROM changes")
        return sorted(rows.fetchall(), key=str)

    def sync(self, of=VIP):
        """Apply all changes, and settle."""
        self.changes(of)
        record_tag(self.connection, of.key, of.destination, ActivationTag("1", "VIP"))
        touched = newest_touch(self.connection, of.destination)
        for change in ("entered", "left"):
            planned = planned_changes(self.connection, of.key, change, after=0, limit=9)
            done = [AppliedChange(*row[1:], "applied") for row in planned]
            record_outcomes(self.connection, of.key, of.destination, "s", done, now=NOW)
        settle(self.connection, of.key, touched)


@pytest.fixture
def world(tmp_path):
    """An empty state."""
    state = StateDatabase(str(tmp_path / "state.duckdb"))
    with state.scratch() as connection, state.attached(connection):
        yield World(connection)


@pytest.fixture
def tagged(world):
    """Ann is a member, and both of her users carry the tag."""
    world.segment("ann@x.org")
    world.found(ANN, OTHER_ANN)
    world.sync()
    assert world.changes() == []
    return world


def test_policy_switched_to_skip_takes_the_tag_off_all_users(tagged):
    """Switching back puts it on again, although no member and no contact changed."""
    skip = replace(VIP, on_multiple_users="skip")
    assert tagged.changes(skip) == [("left", "ann@x.org", "c1"), ("left", "ann@x.org", "c2")]
    tagged.sync(skip)
    assert tagged.changes() == [("entered", "ann@x.org", "c1"), ("entered", "ann@x.org", "c2")]


def test_a_changed_match_by_is_not_a_change_for_members_who_stay(tagged):
    """The ledger gets the other identifier."""
    by_id = replace(VIP, match_by="user_id")
    tagged.segment("1", "2", of=by_id)
    assert tagged.changes(by_id) == []
    assert tagged.changes(by_id) == []


def test_an_email_as_a_user_id_is_not_taken_for_an_email(world):
    """One user's user id is another user's email; match_by decides."""
    world.segment("ann@x.org")
    world.found(Contact("c1", "ann@x.org", None), Contact("c2", None, "ann@x.org"))
    world.sync()
    by_id = replace(VIP, match_by="user_id")
    assert world.changes(by_id) == [("entered", "ann@x.org", "c2"), ("left", "ann@x.org", "c1")]


def test_another_destination_starts_anew_and_the_old_one_stays_known(tagged):
    """Back at the first, members who left in the meantime are untagged."""
    elsewhere = replace(VIP, destination="other")
    assert tagged.changes(elsewhere) == [("entered", "ann@x.org", None)]
    assert count_tagged(tagged.connection, "vip") == 0
    tagged.segment("bo@x.org")
    assert tagged.changes() == [
        ("entered", "bo@x.org", None),
        ("left", "ann@x.org", "c1"),
        ("left", "ann@x.org", "c2"),
    ]
    assert overview(tagged.connection)["vip"].tagged_contacts == 2
    assert overview(tagged.connection)["vip"].tag_name == "VIP"


def test_a_user_who_changed_the_email_keeps_the_tag(tagged):
    """The warehouse changed it too; only the ledger is relabelled."""
    tagged.segment("ann@new.org")
    tagged.found(Contact("c1", "ann@new.org", "1"), Contact("c2", "ann@new.org", "2"))
    assert tagged.changes() == []
    tagged.segment()
    assert tagged.changes() == [("left", "ann@new.org", "c1"), ("left", "ann@new.org", "c2")]


def test_a_gone_contact_is_gone_for_every_activation(tagged):
    """Another activation's ledger drops it too, and its member is looked up again."""
    other = activation("churned")
    tagged.segment("ann@x.org", of=other)
    tagged.sync(other)
    gone = [AppliedChange("left", "ann@x.org", id_, "gone") for id_ in ("c1", "c2")]
    record_outcomes(tagged.connection, "vip", "main", "s", gone, now=NOW)
    assert tagged.changes() == [("entered", "ann@x.org", None)]
    assert tagged.changes(other) == [("entered", "ann@x.org", None)]


def test_a_contact_that_no_search_for_its_email_shows_has_another(world):
    """Otherwise every sync would look up its member, forever."""
    world.segment("ann@x.org")
    world.found(ANN, by_email=False)
    assert world.changes() == [("entered", "ann@x.org", None)]
    record_missing(world.connection, "main", "email", ["ann@x.org"], now=NOW)
    assert world.changes() == []


def test_a_user_id_that_moved_belongs_to_its_new_owner(world):
    """The contact was deleted and created again: one user, not two."""
    skip = replace(VIP, match_by="user_id", on_multiple_users="skip")
    world.segment("1", of=skip)
    world.found(ANN, by_email=False)
    world.sync(skip)
    world.found(Contact("c9", "ann@x.org", "1"), by_email=False)
    assert world.changes(skip) == [("entered", "1", "c9"), ("left", "1", "c1")]


def test_an_older_sync_does_not_settle_a_newer_change_set(tagged):
    """What the older sync missed comes back."""
    record_contacts(tagged.connection, "main", [Contact("c3", "ann@x.org", "3")], by_email=True, now=NOW)
    tagged.changes()
    touched = newest_touch(tagged.connection, "main")
    tagged.changes()
    settle(tagged.connection, "vip", touched)
    assert tagged.changes() == [("entered", "ann@x.org", "c3")]


def test_a_member_without_an_answer_is_not_settled(world):
    """One of two users is gone. A failed search is repeated, although the other one is tagged."""
    world.segment("ann@x.org")
    world.found(ANN)
    world.found(OTHER_ANN, by_email=False)
    world.sync()
    gone = [AppliedChange("left", "ann@x.org", "c1", "gone")]
    record_outcomes(world.connection, "vip", "main", "s", gone, now=NOW)
    world.sync()
    assert world.changes() == [("entered", "ann@x.org", None)]


def test_a_contact_seen_twice_counts_as_seen_last(world):
    """It changed between two pages of one answer."""
    world.segment("ann@new.org")
    world.found(ANN, Contact("c1", "ann@new.org", None))
    assert world.changes() == [("entered", "ann@new.org", "c1")]
