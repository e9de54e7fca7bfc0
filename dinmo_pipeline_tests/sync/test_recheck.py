"""Which facts a sync reads again, what that costs, and what becomes of contacts that are not found."""

from datetime import UTC, datetime, timedelta

import pytest

from dinmo_pipeline.sync.guards.limits import Released
from dinmo_pipeline.sync.operations.apply import apply_changes
from dinmo_pipeline.sync.operations.compute_changes import refresh_changes
from dinmo_pipeline.sync.recheck import Facts, max_rechecks, members_due
from dinmo_pipeline_tests.sync.syncing import declare_members, rows, session_on

SEARCH, GET, SEE_TAG = "POST /contacts/search", "GET /contacts/{id}", "GET /tags/{id}"
HOUR = 3_600


def email(number):
    return f"u{number}@example.com"


@pytest.fixture
def sync(workspace, tmp_path):
    """A sync some hours after the one before; returns its calls."""

    def run(members, *, hours=0.0, **settings):
        workspace.clock.now += hours * HOUR
        before = workspace.calls.copy()
        session = session_on(workspace, tmp_path, **settings)
        declare_members(session, members)
        looked = refresh_changes(session)
        result = apply_changes(session, tmp_path / "locks", released=Released(removal=True))
        assert (result.status, looked.look_failed) == ("ok", None)
        run.session = session
        return dict(workspace.calls - before)

    return run


def test_each_sync_reads_its_share_again(workspace, sync):
    """1 + floor(members * elapsed / recheck_days / 50), here of 7,000 members: 1,000 a day."""
    workspace.reset(rate_limit=1_000_000)
    workspace.users(7_000)
    members = [email(number) for number in range(7_000)]
    sync(members)
    sync(members)
    assert sync(members) == {SEE_TAG: 1}
    assert sync(members, hours=1) == {SEE_TAG: 1}  # 41 members are not a batch yet
    assert sync(members, hours=2) == {SEE_TAG: 1, SEARCH: 2}
    assert sync(members, hours=12) == {SEE_TAG: 1, SEARCH: 10}
    never = rows(sync.session, "SELECT count(*) FROM dinmo.contacts WHERE checked_at = seen_at")
    assert never == [(7_000 - 12 * 50,)]


def test_a_share_is_listed_where_that_takes_fewer_calls(workspace, sync):
    """2,000 members, four days later: 1,143 of them take 23 searches, and the whole workspace 14 pages."""
    workspace.reset(rate_limit=1_000_000)
    workspace.users(2_000)
    members = [email(number) for number in range(2_000)]
    sync(members)
    sync(members)
    # One search counts the carriers, as every day, and `GET /tags/{id}` is the sync itself.
    assert sync(members, hours=24 * 4) == {SEE_TAG: 1, SEARCH: 1, "GET /contacts": 14}
    never = rows(sync.session, "SELECT count(*) FROM dinmo.contacts WHERE checked_at = seen_at")
    assert never == [(0,)]


def test_every_fact_is_read_again_in_time(workspace, sync):
    """After a week of syncs, two a day, no fact is older than a week."""
    workspace.reset(rate_limit=1_000_000)
    workspace.users(300)
    members = [email(number) for number in range(300)]
    sync(members)
    for _ in range(7 * 2):
        sync(members, hours=12)
    now = workspace.clock.now
    oldest = rows(sync.session, "SELECT epoch(min(checked_at)) FROM dinmo.contacts")[0][0]
    assert now - oldest <= timedelta(days=7).total_seconds()


def test_a_small_segment_is_read_whole_before_its_time(workspace, sync):
    """One search of 30 members a week."""
    workspace.users(30)
    members = [email(number) for number in range(30)]
    sync(members)
    calls = [sync(members, hours=24).get(SEARCH, 0) for _ in range(14)]
    # One search each day counts the carriers, every 24 hours at most.
    assert sum(calls) - 14 <= 3
    oldest = rows(sync.session, "SELECT epoch(min(checked_at)) FROM dinmo.contacts")[0][0]
    assert workspace.clock.now - oldest <= timedelta(days=7).total_seconds()


@pytest.mark.parametrize(
    ("known", "elapsed", "searches"),
    [
        (1_000_000, timedelta(hours=1), 119),
        (1_000_000, timedelta(minutes=15), 29),
        (1_000_000, timedelta(days=1), 2_857),
        (1_000_000, timedelta(0), 0),
        (49, timedelta(days=5), 0),
        (49, timedelta(days=6), 1),
    ],
)
def test_the_share_of_a_sync(known, elapsed, searches):
    """floor(known * elapsed / 7 days / 50); the rest of a small segment when 0.85 of the time has passed."""
    assert members_due(Facts(elapsed, known, missing=0, signups_since=datetime.now(UTC)), 7) == 50 * searches


def test_what_one_sync_reads_again_is_bounded():
    """By 5 % of the calls that Intercom allows in the time since, from 20 up to 20,000 calls."""
    assert max_rechecks(timedelta(0)) == 20 * 50
    assert max_rechecks(timedelta(minutes=1)) == 500 * 50
    assert max_rechecks(timedelta(days=30)) == 20_000 * 50


def test_a_clock_that_was_ahead_once_makes_facts_due(workspace, sync):
    """A check in the future counts as unknown."""
    workspace.users(40)
    members = [email(number) for number in range(40)]
    sync(members)
    sync(members, hours=24 * 4_000)
    workspace.clock.now -= 24 * 4_000 * HOUR
    workspace.clock.now += HOUR
    assert sync(members)[SEARCH] >= 1
    assert rows(
        sync.session,
        "SELECT count(*) FROM dinmo.contacts WHERE epoch(checked_at) > ?".replace(
            "?", str(workspace.clock.now)
        ),
    ) == [(0,)]


def test_a_member_merged_into_a_stranger_does_not_leave_the_tag_there(workspace, sync):
    """A tag moves with a merge. From API 2.16 on, Intercom says where to."""
    ana, ben, stranger = workspace.users(3)
    members = [email(0), email(1)]
    sync(members)
    assert workspace.tagged("VIP") == {ana, ben}
    store = workspace.server.store
    store.merge(store.live.get(ana), store.live.get(stranger))
    assert workspace.tagged("VIP") == {stranger, ben}
    sync(members, hours=24 * 6)
    sync(members)
    assert workspace.tagged("VIP") == {ben}


def test_a_contact_that_the_index_does_not_show_yet_is_not_lost(workspace, sync):
    """Search lags behind a change by minutes; the contact itself does not."""
    workspace.reset(index_lag_s=600)
    (ana,) = workspace.users(1)
    workspace.clock.now += 601
    sync([email(0)])
    workspace.change(ana, external_id="new")
    workspace.change(ana, email="away@example.com")
    workspace.clock.now += 601
    workspace.change(ana, email=email(0))
    calls = sync([email(0)], hours=0, recheck_days=0.001)
    assert calls[GET] == 1
    assert workspace.tagged("VIP") == {ana}


def test_a_new_activation_does_not_trust_old_facts_of_another(workspace, sync):
    """The other one lost its members, so nothing reads them again."""
    ana, ben = workspace.users(2)
    sync([email(0)])
    sync([])
    workspace.change(ana, email="away@example.com")
    workspace.change(ben, email=email(0))
    sync([email(0)], hours=24 * 9, key="second", name="Second")
    assert workspace.tagged("Second") == {ben}
