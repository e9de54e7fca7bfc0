"""Calls paced to the workspace's budget, so that the allowed share is used and no 429 comes back.

Intercom counts calls in fixed windows of 10 seconds and says how many a window holds
(`X-RateLimit-Limit`: 167 or 1667 have been seen), how many are left (`X-RateLimit-Remaining`, one too
high on the first call of a window) and when the window ends (`X-RateLimit-Reset`, in recorded traffic two
seconds late). Evenly spaced calls need neither the alignment of the windows nor the reset: at
`share * limit` in 10 seconds no window can hold more than that plus the burst, wherever it begins.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

WINDOW_SECONDS = 10.0
# The smallest window seen; assumed until an answer says otherwise.
SMALLEST_LIMIT = 167
# Calls that may come without spacing, as a part of the limit; never more than the share leaves free.
BURST_SHARE = 0.1
# Another client's calls, and ours under way, may be counted before the next answer tells us.
RESERVED_CALLS = 3


@dataclass(frozen=True, slots=True)
class RateHeaders:
    """The budget as one answer told it; `reset_in` is seconds from that answer, by its own clock."""

    limit: int
    remaining: int
    reset_in: float


def read_rate_headers(headers: Mapping[str, str]) -> RateHeaders | None:
    """Read the three headers; None where they are absent or make no sense.

    The reset is taken against the answer's own `Date`, so a wrong clock on either side does no harm.
    """
    try:
        limit = int(headers["X-RateLimit-Limit"])
        remaining = int(headers["X-RateLimit-Remaining"])
        reset = float(headers["X-RateLimit-Reset"])
        date = parsedate_to_datetime(headers["Date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return None
    if limit <= 0:
        return None
    return RateHeaders(limit, remaining, min(max(reset - date, 0.0), 6 * WINDOW_SECONDS))


class Pacer:
    """Gives each call its time. Safe to share between threads.

    Args:
        share: the part of the workspace's budget that we use, over 0 to 1.
        clock: monotonic seconds.
        sleep: waits some seconds.
    """

    def __init__(
        self,
        share: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._share = share
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._limit = SMALLEST_LIMIT
        self._next = clock()  # when the next call is due if calls come evenly
        self._closed_until = 0.0

    def wait_for_turn(self) -> None:
        """Block until one more call fits the budget."""
        with self._lock:
            now = self._clock()
            interval = WINDOW_SECONDS / max(self._limit * self._share, 1.0)
            burst = min(BURST_SHARE, 1.0 - self._share) * self._limit * interval
            due = max(self._next - burst, self._closed_until, now)
            self._next = max(self._next, due) + interval
        if due > now:
            self._sleep(due - now)

    def learn(self, headers: RateHeaders) -> None:
        """Take the budget from an answer; close the gate while the window is spent."""
        with self._lock:
            self._limit = headers.limit
            if headers.remaining <= RESERVED_CALLS:
                self._close(headers.reset_in)

    def close_for(self, seconds: float) -> None:
        """Let no call out for some seconds: what a 429 asks of every thread."""
        with self._lock:
            self._close(seconds)

    def _close(self, seconds: float) -> None:
        self._closed_until = max(self._closed_until, self._clock() + seconds)
        # Nobody makes up for the pause: calls go on evenly after it.
        self._next = max(self._next, self._closed_until)
