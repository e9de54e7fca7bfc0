"""Reading the rate headers: by Intercom's own clock, and without ever failing."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dinmo_pipeline.intercom.pacing.rate_headers import (
    RateHeaders,
    read_rate_headers,
    read_retry_after,
)

NOW = 1_800_000_001
HEADERS = {
    "X-RateLimit-Limit": "167",
    "X-RateLimit-Remaining": "166",
    "X-RateLimit-Reset": str(NOW + 11),
    "Date": formatdate(NOW, usegmt=True),
}


def test_the_reset_counts_from_the_answers_own_date():
    """So our clock may be wrong by years."""
    assert read_rate_headers(HEADERS) == RateHeaders(167, 166, 11.0)


@pytest.mark.parametrize("limit", [None, "", "no", "0", "-5", "nan", "inf", "1e12"])
def test_without_a_usable_limit_nothing_is_read(limit):
    """The pace depends on the limit."""
    headers = {**HEADERS, "X-RateLimit-Limit": limit}
    assert read_rate_headers({k: v for k, v in headers.items() if v is not None}) is None


@pytest.mark.parametrize("reset", ["", "soon", "nan", str(NOW), str(NOW - 5), str(NOW + 3_600)])
def test_an_impossible_reset_is_unknown(reset):
    """It is in the past, or later than any window ends."""
    assert read_rate_headers({**HEADERS, "X-RateLimit-Reset": reset}) == RateHeaders(167, 166, None)


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 99 Foo 2026 00:00:00 GMT"])
def test_without_a_date_the_reset_is_unknown_but_not_the_limit(date):
    """Our own clock is not a substitute."""
    assert read_rate_headers({**HEADERS, "Date": date}) == RateHeaders(167, 166, None)


@pytest.mark.parametrize(("remaining", "read"), [("-3", 0), ("5000", 167), ("x", None), ("12.0", 12)])
def test_the_remaining_calls_are_between_zero_and_the_limit(remaining, read):
    """Or unknown."""
    told = read_rate_headers({**HEADERS, "X-RateLimit-Remaining": remaining})
    assert told is not None
    assert told.remaining == read


@pytest.mark.parametrize(
    ("given_value", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        (formatdate(NOW + 9, usegmt=True), 9.0),
        (formatdate(NOW - 9, usegmt=True), None),
        ("-1", None),
        ("later", None),
        ("nan", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(given_value, seconds):
    """As HTTP defines it."""
    assert read_retry_after({**HEADERS, "Retry-After": given_value}) == seconds


@given(
    st.dictionaries(st.sampled_from([*HEADERS, "Retry-After"]), st.text(max_size=40)),
)
def test_no_headers_crash_the_reader(headers):
    """Whatever they contain."""
    told = read_rate_headers(headers)
    assert told is None or told.limit >= 1
    assert (read_retry_after(headers) or 0.0) >= 0.0
