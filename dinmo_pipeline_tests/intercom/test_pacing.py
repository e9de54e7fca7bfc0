"""The pacer over simulated windows: it uses its share, keeps the limit, and leaves room for others."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dinmo_pipeline.intercom.pacing.budget import Budget
from dinmo_pipeline.intercom.pacing.pacer import Pacer
from dinmo_pipeline.intercom.pacing.rate_headers import RateHeaders
from dinmo_pipeline_tests.intercom.windows import Windows, no_headers

LIMITS = (167, 1667)


def paced(windows: Windows, share: float) -> Pacer:
    return Pacer(share, clock=windows.clock, sleep=windows.sleep)


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("share", [0.25, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("round_trip", [0.01, 0.15, 0.4])
def test_the_allowed_share_is_used_and_never_refused(limit, share, round_trip):
    """At least 95 % of it over ten windows, whatever the round trip up to a recorded 95th percentile."""
    windows = Windows(limit, round_trip=round_trip)
    windows.busy(paced(windows, share), windows=12)
    whole = [windows.ours[window] for window in sorted(windows.ours)][1:-1]
    most_in_flight = 64 / round_trip * 10
    assert sum(whole) >= 0.95 * len(whole) * min(share * limit, most_in_flight)
    assert windows.refused == 0


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("others", [0.25, 0.5, 0.75])
def test_other_apps_that_spend_the_budget_cause_few_refusals(limit, others):
    """At most 0.5 % of our calls, and what the others leave is used."""
    windows = Windows(limit, others=others * limit / 10)
    windows.busy(paced(windows, 0.8), windows=30)
    calls = sum(windows.ours.values())
    used = [windows.used[window] for window in sorted(windows.used)][1:-1]
    assert windows.refused <= 0.005 * calls
    assert sum(used) >= 0.95 * len(used) * limit


@settings(max_examples=60, deadline=None)
@given(
    limit=st.integers(1, 2_000),
    share=st.floats(0.01, 1.0),
    round_trip=st.floats(0.001, 3.0),
    pauses=st.lists(st.floats(0.0, 25.0), max_size=6),
)
def test_our_own_calls_never_exceed_the_limit_of_any_window(limit, share, round_trip, pauses):
    """Not even after pauses, which no burst may make up for, once the limit is known."""
    windows = Windows(limit, round_trip=round_trip)
    pacer = paced(windows, share)
    pacer.learn(RateHeaders(limit, None, None), 0)
    for pause in (*pauses, 0.0):
        until = windows.now + 12.0
        while windows.now < until:
            windows.call(pacer)
        windows.sleep(pause)
    assert max(windows.ours.values()) <= limit
    assert windows.refused == 0


def without_remaining(headers: RateHeaders) -> RateHeaders:
    return RateHeaders(headers.limit, None, None)


def nonsense(headers: RateHeaders) -> RateHeaders:
    return RateHeaders(headers.limit, 0, 0.0)


@pytest.mark.parametrize("shown", [no_headers, without_remaining, nonsense])
@pytest.mark.parametrize("limit", LIMITS)
def test_missing_or_odd_headers_do_no_harm(limit, shown: Callable[[RateHeaders], RateHeaders]):
    """Without them, the smallest limit ever seen is assumed. A reset in the past is ignored."""
    windows = Windows(limit, shown=shown)
    windows.busy(paced(windows, 0.8), windows=6)
    whole = [windows.ours[window] for window in sorted(windows.ours)][1:-1]
    assert windows.refused == 0
    assert min(whole) >= 0.95 * 0.8 * (167 if shown is no_headers else limit)


def test_a_refusal_stops_all_calls_until_it_ends():
    """After `close_for`, the next call goes out when the pause is over, and the pace is even."""
    windows = Windows(167)
    pacer = paced(windows, 0.8)
    pacer.wait_for_turn()
    closed_at = windows.now
    pacer.close_for(7.0)
    times = []
    for _ in range(4):
        pacer.wait_for_turn()
        times.append(windows.now - closed_at)
    spaced = 10 / (0.8 * 167)
    assert times == pytest.approx([7.0 + n * spaced for n in range(4)], abs=0.051)
    assert times[0] >= 7.0


def test_a_late_answer_of_an_earlier_call_does_not_undo_a_newer_one():
    """Answers overtake each other; that of the newest call counts."""
    headers = RateHeaders(167, 100, 5.0)
    budget = Budget(taken=10).reported(headers, 9, now=1.0)
    assert budget.reported(RateHeaders(167, 3, 5.0), 8, now=1.1).reported_remaining == 100
    assert budget.reported(RateHeaders(167, 3, 5.0), 10, now=1.1).reported_remaining == 3


def test_an_answer_to_an_uncounted_call_only_sets_the_limit():
    """Its number comes from before the shared file was lost."""
    budget = Budget(taken=2).reported(RateHeaders(1667, 0, 5.0), 900, now=1.0)
    assert budget == Budget(taken=2, limit=1667)


def test_calls_wait_for_the_next_window_when_almost_nothing_remains():
    """Until the reset that the answer reported, and no longer."""
    windows = Windows(167)
    pacer = paced(windows, 0.8)
    number = pacer.wait_for_turn()
    pacer.learn(RateHeaders(167, 2, 4.0), number)
    before = windows.now
    pacer.wait_for_turn()
    assert windows.now - before == pytest.approx(4.0, abs=0.051)


def test_a_clock_that_was_reset_blocks_no_call():
    """A restarted machine's monotonic clock starts again, so stored times are far ahead."""
    stored = Budget(limit=1667, next_at=9e5, closed_until=9e5, reported_until=9e5, taken=5)
    budget = stored.as_of(now=12.0)
    assert budget.due(0.8, now=12.0) <= 12.0
    assert (budget.limit, budget.taken) == (1667, 5)
