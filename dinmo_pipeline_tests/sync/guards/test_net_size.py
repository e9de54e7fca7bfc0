"""A slow bleed is caught by net size: what would be left, against a week ago or the last release."""

from datetime import timedelta

import pytest

from dinmo_pipeline.sync.guards.limits import NOTHING_RELEASED, Released
from dinmo_pipeline.sync.operations.apply import apply_changes
from dinmo_pipeline.sync.operations.compute_changes import refresh_changes
from dinmo_pipeline_tests.sync.syncing import declare_members, session_on


class Bleeding:
    """An activation whose segment changes once a day, on the emulator's clock."""

    def __init__(self, workspace, folder):
        self.workspace, self.folder = workspace, folder

    def sync(self, members, *, days=1, released=NOTHING_RELEASED):
        """A sync, some days after the one before."""
        self.workspace.clock.now += timedelta(days=days).total_seconds()
        session = session_on(self.workspace, self.folder)
        declare_members(session, members)
        refresh_changes(session)
        return apply_changes(session, self.folder / "locks", released=released)


@pytest.fixture
def daily(workspace, tmp_path):
    """Two hundred users, of whom the first hundred are members."""
    workspace.users(200)
    daily = Bleeding(workspace, tmp_path)
    assert daily.sync(_emails(0, 100)).status == "ok"
    return daily


def _emails(first, last):
    return [f"u{number}@example.com" for number in range(first, last)]


def test_a_slow_bleed_is_held_when_it_adds_up(daily):
    """Eight of a hundred each day are far below 30 %, and never more than ten."""
    results = [daily.sync(_emails(0, 100 - 8 * day)) for day in range(1, 6)]
    assert [result.status for result in results] == ["ok", "ok", "ok", "held", "held"]
    assert results[3].reason.startswith("68 members would be left of 100 on ")
    assert daily.sync(_emails(0, 60), released=Released(removal=True)).status == "ok"
    assert daily.sync(_emails(0, 52)).status == "ok"  # compared with what the person released


def test_turnover_is_no_bleed(daily):
    """As many enter as leave."""
    results = [daily.sync(_emails(8 * day, 100 + 8 * day)) for day in range(1, 9)]
    assert {result.status for result in results} == {"ok"}


def test_a_slow_decline_over_months_is_no_bleed(daily):
    """What counts is a week."""
    results = [daily.sync(_emails(0, 100 - 8 * week), days=8) for week in range(1, 9)]
    assert {result.status for result in results} == {"ok"}
