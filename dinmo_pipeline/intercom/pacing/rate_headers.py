"""Reads what an answer's headers say about the call budget; anything odd reads as absent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite

WINDOW_SECONDS = 10.0
# Recorded resets are 2 to 12 seconds ahead; one further ahead than this is a mistake.
MAX_RESET_SECONDS = 60.0
MAX_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class RateHeaders:
    """The budget as one answer reports it.

    Attributes:
        limit: calls per window.
        remaining: calls left in the window; None when unknown.
        reset_in: seconds from the answer to the end of the window, by Intercom's clock; None when unknown.
    """

    limit: int
    remaining: int | None
    reset_in: float | None


def read_rate_headers(headers: Mapping[str, str]) -> RateHeaders | None:
    """Read `X-RateLimit-*`; None without a limit, which old documentation mentions.

    The reset is compared with the answer's own `Date`, so a wrong clock on either side is harmless.
    """
    limit = _number(headers.get("X-RateLimit-Limit"))
    if limit is None or not 1 <= limit <= MAX_LIMIT:
        return None
    remaining = _number(headers.get("X-RateLimit-Remaining"))
    if remaining is not None:
        remaining = min(max(remaining, 0.0), limit)
    reset, date = _number(headers.get("X-RateLimit-Reset")), _seconds(headers.get("Date"))
    reset_in = None
    if reset is not None and date is not None and 0 < reset - date <= MAX_RESET_SECONDS:
        reset_in = reset - date
    return RateHeaders(int(limit), None if remaining is None else int(remaining), reset_in)


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` in seconds, given as a number or a date. Intercom was never seen to send it."""
    given = headers.get("Retry-After")
    seconds = _number(given)
    if seconds is None:
        until, date = _seconds(given), _seconds(headers.get("Date"))
        seconds = until - date if until is not None and date is not None else None
    return seconds if seconds is not None and seconds >= 0 else None


def read_date(headers: Mapping[str, str]) -> datetime | None:
    """Intercom's time when it answered; None if the answer does not say."""
    seconds = _seconds(headers.get("Date"))
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if isfinite(value) else None


def _seconds(date: str | None) -> float | None:
    """The Unix seconds of an HTTP date."""
    try:
        return parsedate_to_datetime(date or "").timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None
