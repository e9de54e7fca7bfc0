"""How an activation stands: the worst of what the state knows, each with its reason and what to do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dinmo_pipeline.state.coordination.pauses import Pause
from dinmo_pipeline.state.overview import ActivationOverview, Difference, HeldChanges, Unread
from dinmo_pipeline.state.syncs import HoldReason
from dinmo_pipeline.sync.explanations import EXPLANATIONS
from dinmo_pipeline.sync.standing import State, standing
from dinmo_pipeline.text.legend import LEGEND
from dinmo_pipeline_tests.state.declaring import NOW, activation

FINE = ActivationOverview("VIP", 300, 20, 0, 280, 0, NOW, NOW, NOW - timedelta(hours=1), "ok", None, 0)
HOURLY = activation(schedule="0 * * * *", timezone="Europe/Paris")
UNREAD = Unread(NOW, 3, "The source has no table 'vip'.")
HELD = HeldChanges(HoldReason.EMPTY_SEGMENT, "The segment became empty.")
DRIFT = Difference(NOW, 1, 2, None)
FAILED = replace(FINE, last_status="failed", last_reason="Intercom refused the token.", last_sync_at=NOW)


def found(known=FINE, declared=HOURLY, is_locked=bool, **also):
    """The findings, as pairs of state and sentence."""
    stands = standing("vip", declared, known, is_locked=is_locked, now=NOW, **also)
    return [(each.state, each.sentence) for each in stands.findings]


def test_a_sync_runs_as_long_as_its_process_does():
    """That of a killed process stays open in the state until the next one."""
    running = replace(FINE, last_status="running")
    assert [state for state, _ in found(running)] == ["running"]
    assert [state for state, _ in found(running, is_locked=lambda _key: False)] == ["interrupted"]


def test_only_what_is_known_to_be_right_is_ok():
    """Read, applied, on time, and most members found."""
    assert standing("vip", HOURLY, FINE, is_locked=bool, now=NOW).state == State.OK
    assert found(None) == [("never_synced", "")]


@pytest.mark.parametrize(
    ("known", "also", "state", "said"),
    [
        (
            replace(FINE, unread=UNREAD),
            {},
            "failed",
            (
                "The segment could not be read at the last 3 attempts, since 2026-03-01 09:00 UTC. The"
                " source has no table 'vip'. Its tag stays as it was. To try again: dinmo sync vip"
            ),
        ),
        (FAILED, {}, "failed", "Intercom refused the token. To try again: dinmo sync vip"),
        (
            replace(FINE, held=HELD),
            {},
            "held",
            (
                "The segment became empty. Nothing was applied. If the removal is intended, run `dinmo sync"
                " vip --allow-large-removal`, or launch apply_tag_changes with allow_large_removal: true. A"
                " smaller change set is released by itself."
            ),
        ),
        (
            replace(FINE, members=274, not_in_intercom=274, tagged_contacts=0),
            {},
            "nobody_matched",
            (
                "None of 274 members were found in Intercom: wrong column or `match_by`? To see a few of"
                " them: dinmo segments vip"
            ),
        ),
        (
            replace(FINE, drift=DRIFT),
            {},
            "drift",
            (
                "Compared with Intercom at 2026-03-01 09:00 UTC: 1 expected contact lacks the tag; 2"
                " contacts carry it unexpectedly. To compare again: dinmo reconcile vip; --repair fixes it."
            ),
        ),
        (
            FINE,
            {"stuck": 1},
            "stuck",
            (
                "1 member is stuck: Intercom refused the change in each of the last 3 syncs."
                " `dinmo.change_log` has reason and request_id."
            ),
        ),
        (
            replace(FINE, in_sync_at=NOW - timedelta(hours=1, minutes=1)),
            {},
            "overdue",
            (
                "Behind its schedule (every hour) since 2026-03-01 08:00 UTC: last in sync 2026-03-01 07:59"
                " UTC. Look for failed runs, and check that the schedule and Dagster's daemon are running."
            ),
        ),
        (
            replace(FINE, size_note="The segment grew."),
            {},
            "unusual_size",
            "The segment grew. To see who: dinmo history vip",
        ),
        (
            replace(FINE, look_failed="503."),
            {},
            "unchecked",
            "Intercom could not be asked what changed there. 503. Each sync asks again.",
        ),
        (
            FINE,
            {"paused": Pause(NOW, "clean-up")},
            "paused",
            "Paused since 2026-03-01 09:00 UTC: clean-up. To go on: dinmo resume vip",
        ),
    ],
)
def test_each_thing_that_is_not_right_has_its_state_reason_and_remedy(known, also, state, said):
    """One at a time."""
    assert found(known, **also) == [(state, said)]


def test_the_worst_comes_first_and_the_rest_is_not_lost():
    """A paused activation is not late; all else is still said."""
    known = replace(FAILED, unread=UNREAD, held=HELD, drift=DRIFT, in_sync_at=NOW - timedelta(days=9))
    states = [state for state, _ in found(known, stuck=2)]
    assert states == ["failed", "failed", "held", "drift", "stuck", "overdue"]
    assert "overdue" not in [state for state, _ in found(known, paused=Pause(NOW, None))]


@pytest.mark.parametrize(
    "known",
    [
        replace(FAILED, in_sync_at=NOW + timedelta(minutes=1)),
        replace(FINE, members=9, not_in_intercom=9),
        replace(FINE, in_sync_at=NOW - timedelta(minutes=59)),
    ],
    ids=["what failed is no longer needed", "few members", "the newest tick may be under way"],
)
def test_no_false_alarm(known):
    """What is no sign of trouble."""
    assert found(known) == []


def test_every_code_is_explained():
    """Each state, and each reason of a hold; and nothing else."""
    assert set(EXPLANATIONS) == {*State, *HoldReason}


def test_the_page_of_words_says_the_same():
    """A row for each number, state and reason."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "words.md").read_text()
    for code, each in EXPLANATIONS.items():
        assert f"| `{code}` | {each.meaning} | {each.to_do} |" in page
    for name, meaning in LEGEND.items():
        assert f"| `{name}` | {meaning} |" in page


def test_the_last_ticks_are_those_of_dagster():
    """But for the nights on which the clocks change; so are the days of the week and of the month."""
    from dinmo_pipeline.config.schedules.ticks import ticks_before  # noqa: PLC0415
    from dinmo_pipeline.orchestration.sensors.staleness import last_interval  # noqa: PLC0415  # slow

    now = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)
    for cron in (
        *("0 * * * *", "*/15 * * * *", "30 6 * * 1-5", "@weekly", "@monthly", "0 0 13 * 5", "0 0 29 2 *"),
        *("0 */6 * * 6,7", "0 9 */2 * 1", "15 2 1 */2 *"),
    ):
        for zone in ("UTC", "Europe/Paris", "Asia/Kolkata"):
            ticks = ticks_before(cron, zone, now)
            newest, before = next(ticks), next(ticks)
            interval = last_interval(cron, zone, now)
            assert (before, newest) == (interval.start, interval.end), (cron, zone)
