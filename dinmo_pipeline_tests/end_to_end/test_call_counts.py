"""The cost of a sync: exact numbers of API calls for change sets of every kind, counted by the emulator."""

from collections import Counter
from math import ceil

import pytest

from dinmo_pipeline.emulator import NewContact, running
from dinmo_pipeline.sync.guards.limits import Released
from dinmo_pipeline.sync.operations.apply import apply_changes
from dinmo_pipeline.sync.operations.compute_changes import refresh_changes
from dinmo_pipeline_tests.intercom.workspace import Clock, Workspace
from dinmo_pipeline_tests.sync.syncing import declare_members, session_on

LIST, SEARCH = "GET /contacts", "POST /contacts/search"
ME, TAGS, SEE_TAG, TAG = "GET /me", "GET /tags", "GET /tags/{id}", "POST /tags"
UNTAG = "DELETE /contacts/{id}/tags/{tag_id}"
DAY = 86_400


def email(number: int) -> str:
    return f"u{number}@example.com"


@pytest.fixture(scope="module")
def server_and_clock():
    """An emulator on a clock that waits advance, so that no test waits."""
    clock = Clock()
    with running(clock=clock) as server:
        yield server, clock


@pytest.fixture
def workspace(server_and_clock):
    """An empty workspace with an unlimited budget: pacing has its own tests."""
    with Workspace(*server_and_clock) as workspace:
        workspace.reset(rate_limit=1_000_000)
        yield workspace


@pytest.fixture
def sync(workspace, tmp_path):
    """A whole sync of an activation, as both jobs do it; returns its calls."""

    def run(members, **settings) -> Counter[str]:
        before = workspace.calls.copy()
        session = session_on(workspace, tmp_path, **settings)
        declare_members(session, members)
        looked = refresh_changes(session)
        result = apply_changes(session, tmp_path / "locks", released=Released(removal=True))
        assert (result.status, looked.look_failed) == ("ok", None)
        made = workspace.calls - before
        assert looked.api_calls + result.numbers.api_calls == made.total()
        return made

    return run


def old_users(workspace, count: int) -> None:
    """Users who signed up a year ago."""
    workspace.users(count, created_at=int(workspace.clock.now) - 365 * DAY)


def test_calls_when_ten_thousand_unknown_members_enter(workspace, sync):
    """404: workspace 1, tag 2, one page to learn the cost of listing, 200 searches, 200 taggings."""
    old_users(workspace, 40_000)
    calls = sync(map(email, range(10_000)))
    assert calls == {ME: 1, TAGS: 1, TAG: 1 + 200, LIST: 1, SEARCH: 200}
    assert calls.total() <= 410
    assert len(workspace.tagged("VIP")) == 10_000


def test_ten_thousand_enter_a_second_activation_and_all_are_known(workspace, sync):
    """202: no lookup, since the first activation looked them up in 67 pages of the list.

    The workspace takes no call: this client has already verified it.
    """
    old_users(workspace, 10_000)
    assert sync(map(email, range(10_000))) == {ME: 1, TAGS: 1, TAG: 1 + 200, LIST: 67}
    calls = sync(map(email, range(10_000)), key="second", name="Second")
    assert calls == {TAGS: 1, TAG: 1 + 200}
    assert calls.total() <= 210
    assert len(workspace.tagged("Second")) == 10_000


def test_calls_when_members_leave(workspace, sync):
    """One per contact, one for the tag and one for its carriers: 2,000 here, 10,000 in the benchmark."""
    old_users(workspace, 2_001)
    sync(map(email, range(2_001)))
    assert sync([email(2_000)]) == {SEE_TAG: 1, SEARCH: 1, UNTAG: 2_000}
    assert len(workspace.tagged("VIP")) == 1


def test_an_unchanged_segment_costs_one_call(workspace, sync):
    """It shows whether the tag still exists."""
    old_users(workspace, 1_000)
    sync(map(email, range(1_000)))
    assert sync(map(email, range(1_000))) == {SEE_TAG: 1}


@pytest.mark.parametrize(("missing", "signed_up"), [(400, 0), (6_000, 120)])
def test_many_missing_members_cost_tens_of_calls_a_day(workspace, sync, missing, signed_up):
    """1 + ceil(new / 150) + min(20, ceil(due / 50)) + ceil(signed up / 50), whatever the size.

    One more counts the carriers if any signed up, and floor(8,000 / 7 / 50) read known members again.

    `new` are contacts created since the last look or up to 15 minutes before it. `due` are missing members
    that are due to be looked up again, at most 1,000 per sync. `signed up` are new contacts that are members.
    """
    members = [email(number) for number in range(8_000 + missing)]
    old_users(workspace, 8_000)
    sync(members)
    workspace.clock.now += DAY
    joined = members[8_000 : 8_000 + signed_up]
    sign_up(workspace, [*joined, *(f"n{n}@example.com" for n in range(1_000 - signed_up))])
    calls = sync(members)
    looks = min(20, ceil((missing - signed_up) / 50))
    assert calls == {
        SEE_TAG: 1,
        SEARCH: ceil(1_000 / 150) + looks + (signed_up > 0) + 22,
        **({TAG: ceil(signed_up / 50)} if signed_up else {}),
    }
    assert calls.total() <= 32 + 22


def sign_up(workspace, emails) -> None:
    """New users, one per minute until now."""
    now = int(workspace.clock.now)
    workspace.create(NewContact(email=address, created_at=now - 60 * n) for n, address in enumerate(emails))
