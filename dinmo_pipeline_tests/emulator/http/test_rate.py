"""The rate limit in 10-second windows."""

from hypothesis import given
from hypothesis import strategies as st

from dinmo_pipeline.emulator.rate import Window, admit
from dinmo_pipeline_tests.emulator.api import Api, error_of, message_of


def test_h3_the_first_call_of_a_window_shows_the_limit(api: Api):
    """H3: `Remaining` is one too high; errors count too."""
    api.reset(rate_limit=167)
    shown = [api.get(path).headers["X-RateLimit-Remaining"] for path in ("/me", "/no", "/me")]
    assert shown == ["167", "166", "165"]


def test_h3_windows_are_aligned_to_the_clock(api: Api):
    """H3: a new window starts at :00, :10, …, not ten seconds after the first call."""
    api.clock.now += 9.9
    api.get("/me")
    api.clock.now += 0.1
    assert api.get("/me").headers["X-RateLimit-Remaining"] == "1667"


def test_h4_the_reset_lies_two_seconds_after_the_window(api: Api):
    """H4: 2 modulo 10, and 2 to 12 s ahead."""
    for second in (0, 3.5, 9.99):
        api.clock.now = 1_800_000_000 + second
        assert api.get("/me").headers["X-RateLimit-Reset"] == "1800000012"


def test_h5_h6_calls_over_the_limit_are_429_until_the_next_window(api: Api):
    """H5, H6: 429 with its code and message, nothing remaining, no Retry-After."""
    api.reset(rate_limit=2)
    answers = [api.get("/me") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert error_of(answers[2]) == (429, "rate_limit_exceeded")
    assert message_of(answers[2]) == "Exceeded rate limit of 2 in 10_seconds"
    assert answers[2].headers["X-RateLimit-Remaining"] == "0"
    assert "Retry-After" not in answers[2].headers
    api.clock.now += 10
    assert api.get("/me").status_code == 200


def test_a_refused_call_changes_nothing(api: Api):
    """A refused tag is not created."""
    api.reset(rate_limit=1)
    api.get("/me")
    assert api.post("/tags", {"name": "VIP"}).status_code == 429
    assert api.get("/_emulator/tags/VIP/contacts").json()["tag"] is None


def test_stats_report_the_fullest_window_and_the_refused_calls(api: Api):
    """Tests of a client's pacing assert on them."""
    api.reset(rate_limit=3)
    for calls in (2, 5):
        for _ in range(calls):
            api.get("/me")
        api.clock.now += 10
    assert api.get("/_emulator/stats").json()["rate"] == {"limit": 3, "windows": 3, "refused": 2}


def test_unauthenticated_calls_and_own_endpoints_do_not_count(api: Api):
    """Neither a missing token nor the emulator's own endpoints use the budget."""
    api.get("/me", headers={"Authorization": ""})
    api.get("/_emulator/stats")
    assert api.get("/me").headers["X-RateLimit-Remaining"] == "1667"


@given(
    times=st.lists(st.floats(0, 100), max_size=60).map(sorted),
    limit=st.integers(min_value=1, max_value=5),
)
def test_no_window_ever_admits_more_than_the_limit(times: list[float], limit: int):
    """At any times of calls."""
    window, admitted = Window(0), dict.fromkeys(range(0, 101, 10), 0)
    for time in times:
        admission = admit(window, time, limit)
        window = admission.window
        admitted[int(time) // 10 * 10] += admission.admitted
        assert 2 <= admission.reset - int(time) <= 12
    assert max(admitted.values()) <= limit
