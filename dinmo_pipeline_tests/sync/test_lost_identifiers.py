"""Identifiers that vanish upstream untag nobody until a person releases the changes."""

from dataclasses import replace

import pytest

from dinmo_pipeline.state.membership import refresh_membership
from dinmo_pipeline.sync.guards.limits import Released
from dinmo_pipeline.sync.operations.apply import apply_changes
from dinmo_pipeline.sync.operations.compute_changes import refresh_changes
from dinmo_pipeline_tests.end_to_end.faults.kept_state import KeptState
from dinmo_pipeline_tests.state.declaring import rows_of, staged
from dinmo_pipeline_tests.sync.syncing import session_on

COUNT = 200
PEOPLE = [f"u{number}@example.com" for number in range(COUNT)]
LOST, STAYING = PEOPLE[:20], PEOPLE[20:]  # a tenth: far below max_removed_share
LOST_AS_NULL = [None] * len(LOST)
WITHOUT = [None] * 30  # rows that never had an email


class Company:
    """An activation on a workspace whose users are all members, and all tagged."""

    def __init__(self, workspace, folder, count=COUNT):
        self.ids = workspace.users(count)
        self.workspace = workspace
        self.session = replace(session_on(workspace, folder), state=KeptState())
        self.locks = folder / "locks"
        assert self.sync([*PEOPLE[:count], *WITHOUT]).status == "ok"

    def read(self, rows, **options):
        """Read the segment and compute the changes, as the job `sync_membership` does."""
        activation = self.session.activation
        now = self.session.clock()
        refresh_membership(
            self.session.state,
            activation.key,
            activation.match_by,
            staged(rows_of(rows), activation.match_by, now=now, **options),
        )
        return refresh_changes(self.session)

    def apply(self, *, allow_large_removal=False):
        """Apply them, as the job `apply_tag_changes` does."""
        session = replace(self.session, sync_id=f"{self.session.sync_id}+")
        self.session = session
        return apply_changes(session, self.locks, released=Released(removal=allow_large_removal))

    def sync(self, rows, **options):
        """Run both jobs."""
        self.read(rows)
        return self.apply(**options)

    def held(self, rows):
        """The reason for the hold, which both jobs give; nobody is untagged."""
        computed, result = self.read(rows), self.apply()
        assert result.status == "held"
        assert self.workspace.tagged("VIP") == set(self.ids)
        if not computed.changes.unknown:
            assert computed.hold.sentence == result.reason
            assert computed.hold.reason == result.hold_reason
        return result.reason


@pytest.fixture
def company(workspace, tmp_path):
    return Company(workspace, tmp_path)


def test_emails_that_turn_null_are_held_however_often_it_runs(company):
    """The reading last applied is the reference, so running again neither releases nor forgets it."""
    nulled = [*STAYING, *LOST_AS_NULL, *WITHOUT]
    reason = company.held(nulled)
    assert reason.startswith(
        "20 of 200 tagged contacts would lose the tag, up to 20 of them (10%) because their rows lost"
        " the identifier; max_unidentified_share allows 5%. 20 more rows have no identifier of their"
        " own than in the reading last applied, of "
    )
    assert reason.endswith(" UTC: 20 NULL.")
    assert [company.held(nulled), company.held(nulled)] == [reason, reason]
    company.read(nulled)
    assert company.held(nulled) == reason


def test_a_repaired_source_releases_it(company):
    """By itself, and then nothing is left to do."""
    company.held([*STAYING, *LOST_AS_NULL, *WITHOUT])
    result = company.sync([*PEOPLE, *WITHOUT])
    assert (result.status, result.numbers.untagged) == ("ok", 0)


def test_a_person_releases_it_once_and_for_all(company):
    """The next reading is compared with what was released."""
    company.held([*STAYING, *LOST_AS_NULL, *WITHOUT])
    released = company.sync([*STAYING, *LOST_AS_NULL, *WITHOUT], allow_large_removal=True)
    assert (released.status, released.numbers.untagged) == ("ok", 20)
    assert company.workspace.tagged("VIP") == set(company.ids[20:])
    later = company.sync([*STAYING[20:], *LOST_AS_NULL, *WITHOUT])
    assert (later.status, later.numbers.untagged) == ("ok", 20)


def test_an_interrupted_release_is_not_yet_applied(company):
    """Intercom fails midway, so the remaining removals are held again."""
    nulled = [*PEOPLE[100:], *[None] * 130]
    company.held(nulled)
    company.workspace.fail(
        {
            "match": {"method": "DELETE"},
            "kind": "status",
            "status": 401,
            "after": 50,
        }
    )
    assert company.sync(nulled, allow_large_removal=True).status == "failed"
    company.workspace.fail()
    assert len(company.workspace.tagged("VIP")) == 150
    assert company.sync(nulled).status == "held"
    assert company.sync(nulled, allow_large_removal=True).status == "ok"


def test_people_who_leave_are_not_a_loss(company):
    """However many rows never had an email. A reading without changes counts as applied."""
    left = company.sync([*STAYING, *WITHOUT])
    assert (left.status, left.numbers.untagged) == ("ok", 20)
    assert company.read([*STAYING, *[None] * 500]).to_apply == 0
    left = company.sync([*STAYING[20:], *[None] * 500])
    assert (left.status, left.numbers.untagged) == ("ok", 20)


@pytest.mark.parametrize(
    ("instead", "kind"),
    [
        (lambda _email: " ", "20 blank"),
        (lambda email: email.replace("@", " at "), "20 malformed"),
        (lambda _email: "unknown@example.com", "19 repeated"),
    ],
)
def test_every_way_to_lose_an_identifier_is_held(company, instead, kind):
    """Blank, malformed, or one placeholder for everybody."""
    reason = company.held([*STAYING, *(instead(email) for email in LOST), *WITHOUT])
    assert reason.endswith(f" UTC: {kind}.")


def test_a_join_that_doubles_each_row_is_not_a_loss(company):
    """If nobody leaves, nothing is held, and the next reading is compared with this one."""
    twice = [*PEOPLE, *WITHOUT] * 2
    assert company.sync(twice).status == "ok"
    left = company.sync([*STAYING, *WITHOUT] * 2)
    assert (left.status, left.numbers.untagged) == ("ok", 20)


def test_a_clock_that_was_set_back_does_not_reorder_readings(company):
    """The newest reading is the one that came last."""
    clock = company.session.clock
    company.session = replace(company.session, clock=lambda: clock().replace(year=2001))
    company.held([*STAYING, *LOST_AS_NULL, *WITHOUT])


def test_a_destination_under_a_new_key_keeps_its_reference(company):
    """It is the same workspace, so tag, ledger and the reading last applied move along."""
    here = company.session
    company.session = replace(here, activation=replace(here.activation, destination="other"))
    assert "20 NULL" in company.held([*STAYING, *LOST_AS_NULL, *WITHOUT])


def test_a_failed_search_is_not_a_reason_to_untag(workspace, tmp_path):
    """Another match_by, an empty directory, no answer from Intercom: it is unknown who leaves."""
    company = Company(workspace, tmp_path, count=60)
    with company.session.state.transaction() as connection:
        connection.execute("DELETE FROM dinmo.contacts")
    by_id = replace(company.session.activation, match_by="user_id")
    company.session = replace(company.session, activation=by_id)
    workspace.fail({"match": {"route": "/contacts/search"}, "kind": "status", "status": 500})
    reason = company.held([str(number) for number in range(60)])
    assert reason.startswith("The guard cannot be evaluated: Intercom did not answer for 60 members")
    workspace.fail()
    assert company.sync([str(number) for number in range(60)]).numbers.untagged == 0
    assert workspace.tagged("VIP") == set(company.ids)
