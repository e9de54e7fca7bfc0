"""A clock that was wrong once heals by itself, and nothing depends on two clocks agreeing."""

from datetime import UTC, datetime, timedelta

import pytest

from dinmo_pipeline.emulator import NewContact
from dinmo_pipeline.state.overview import overview
from dinmo_pipeline.sync.guards.limits import Released
from dinmo_pipeline.sync.operations.apply import apply_changes
from dinmo_pipeline.sync.operations.compute_changes import refresh_changes
from dinmo_pipeline_tests.sync.syncing import declare_members, rows, session_on

MINUTE, DAY = 60, 86_400
SKEWS = [timedelta(days=-4_000), timedelta(days=-2), timedelta(minutes=-50)]
SKEWS += [-skew for skew in SKEWS]


@pytest.fixture
def sync(workspace, tmp_path):
    """A sync on a clock that differs from Intercom's; returns its numbers."""

    def run(members, skew=timedelta(0)):
        session = session_on(workspace, tmp_path)
        object.__setattr__(session, "clock", lambda: datetime.fromtimestamp(workspace.clock.now, UTC) + skew)
        declare_members(session, members)
        looked = refresh_changes(session)
        result = apply_changes(session, tmp_path / "locks", released=Released(removal=True))
        assert (result.status, looked.look_failed) == ("ok", None)
        run.session = session
        return result.numbers

    return run


def email(number):
    return f"u{number}@example.com"


@pytest.mark.parametrize("skew", SKEWS, ids=str)
def test_sign_ups_are_found_after_one_sync_with_a_wrong_clock(workspace, sync, skew):
    """During that sync, and after it, whichever of the lookups it was."""
    workspace.users(3, created_at=int(workspace.clock.now) - 100 * DAY)
    members = [email(number) for number in range(6)]
    sync(members)
    workspace.clock.now += 30 * MINUTE
    sync(members, skew)
    workspace.create([_user(3, workspace)])
    workspace.clock.now += 30 * MINUTE
    sync(members)
    assert len(workspace.tagged("VIP")) == 4
    workspace.create([_user(4, workspace)])
    workspace.clock.now += 30 * MINUTE
    sync(members)
    assert len(workspace.tagged("VIP")) == 5


def _user(number, workspace):
    return NewContact(email=email(number), created_at=int(workspace.clock.now))


@pytest.mark.parametrize("skew", SKEWS, ids=str)
def test_a_clock_that_always_differs_from_intercoms_does_no_harm(workspace, sync, skew):
    """What is created is dated by Intercom, and so is how far the search for it has come."""
    workspace.users(3, created_at=int(workspace.clock.now) - 100 * DAY)
    members = [email(number) for number in range(6)]
    for number in range(3, 6):
        sync(members, skew)
        workspace.clock.now += 30 * MINUTE
        workspace.create([_user(number, workspace)])
        workspace.clock.now += 30 * MINUTE
        sync(members, skew)
        assert len(workspace.tagged("VIP")) == number + 1


@pytest.mark.parametrize("skew", SKEWS, ids=str)
def test_missing_members_are_looked_up_again_after_a_first_sync_with_a_wrong_clock(workspace, sync, skew):
    """A lead that becomes a user is no sign-up."""
    workspace.users(1)
    (lead,) = workspace.create([_lead(1)])
    sync([email(0), email(1)], skew)
    workspace.change(lead, role="user")
    for _ in range(7):
        workspace.clock.now += DAY
        sync([email(0), email(1)])
    assert len(workspace.tagged("VIP")) == 2


def _lead(number):
    return NewContact(email=email(number), role="lead")


@pytest.mark.parametrize("skew", SKEWS, ids=str)
def test_the_newest_sync_is_the_last_one_written(workspace, sync, skew):
    """Not the one with the latest time."""
    workspace.users(3)
    sync([email(0)], skew)
    sync([email(0), email(1)])
    reading = rows(sync.session, "SELECT members FROM dinmo.membership_sizes ORDER BY rowid DESC LIMIT 1")
    assert reading == [(2,)]
    with sync.session.state.reading() as connection:
        found = overview(connection)["vip"]
    assert found.last_sync_at == datetime.fromtimestamp(workspace.clock.now, UTC)
    assert found.changes == 0
