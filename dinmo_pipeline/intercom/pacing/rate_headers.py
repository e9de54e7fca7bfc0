"""What an answer's headers say about the call budget and about waiting; anything odd counts as absent."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from math import isfinite

WINDOW_SECONDS = 10.0
# Recorded resets lie 2 to 12 seconds ahead; what is further ahead than this is a mistake.
LONGEST_RESET_SECONDS = 60.0
LARGEST_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class RateHeaders:
    """The budget as one answer told it.

    `limit` is calls a window, `remaining` what is left of it; `reset_in` is seconds from the answer to
    the end of the window, by Intercom's own clock.
    """

    limit: int
    remaining: int | None
    reset_in: float | None


def read_rate_headers(headers: Mapping[str, str]) -> RateHeaders | None:
    """Read `X-RateLimit-*`; None without a limit, as very old documentation says may happen.

    The reset is taken against the answer's own `Date`, so a wrong clock on either side does no harm.
    """
    limit = _number(headers.get("X-RateLimit-Limit"))
    if limit is None or not 1 <= limit <= LARGEST_LIMIT:
        return None
    remaining = _number(headers.get("X-RateLimit-Remaining"))
    if remaining is not None:
        remaining = min(max(remaining, 0.0), limit)
    reset, date = _number(headers.get("X-RateLimit-Reset")), _seconds(headers.get("Date"))
    reset_in = None
    if reset is not None and date is not None and 0 < reset - date <= LONGEST_RESET_SECONDS:
        reset_in = reset - date
    return RateHeaders(int(limit), None if remaining is None else int(remaining), reset_in)


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` in seconds, which Intercom was never seen to send; a date is read as well."""
    given = headers.get("Retry-After")
    seconds = _number(given)
    if seconds is None:
        until, date = _seconds(given), _seconds(headers.get("Date"))
        seconds = until - date if until is not None and date is not None else None
    return seconds if seconds is not None and seconds >= 0 else None


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if isfinite(value) else None


def _seconds(date: str | None) -> float | None:
    """Unix seconds of an HTTP date."""
    try:
        return parsedate_to_datetime(date or "").timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None
