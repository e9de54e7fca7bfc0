"""The call budget of a workspace as a value, and the rules for spending it.

Intercom counts calls in fixed windows of 10 seconds. Each answer says how many calls a window allows
(`X-RateLimit-Limit`: 167 or 1667 have been seen), how many are left (`X-RateLimit-Remaining`, one too high
in recordings), and when the window ends (`X-RateLimit-Reset`, two seconds late in recordings).

Calls that are spaced evenly, `share * limit` in 10 seconds, need not know when windows begin or end: no
window can contain more of them than that, plus the burst. The remaining calls are watched because other
apps spend the same budget.
"""

from typing import NamedTuple

from dinmo_pipeline.intercom.pacing.rate_headers import WINDOW_SECONDS, RateHeaders

# The smallest limit seen, assumed until an answer says otherwise.
ASSUMED_LIMIT = 167
# No pause and no window is longer. A stored time further ahead comes from a clock that was reset: the
# machine was restarted.
MAX_PAUSE_SECONDS = 60.0


class Pace(NamedTuple):
    """How fast calls go out.

    Attributes:
        interval: seconds between two calls.
        slack: seconds that a call may go out before its time, to make up for lost time.
        reserve: calls of a window that are left for other apps, whose latest calls we do not know yet.
    """

    interval: float
    slack: float
    reserve: int


def pace(limit: int, share: float) -> Pace:
    """The pace for a limit of calls per window, and our share of it, above 0 and up to 1.

    Any 10 seconds have at most `allowed + burst + 1` calls, which is within the limit.
    """
    reserve = max(1, min(2, limit // 20), limit // 100)
    allowed = max(min(limit * share, float(limit - 2 * reserve)), 1.0)
    burst = max(min(allowed / 10, limit - allowed - reserve), 0.0)
    interval = WINDOW_SECONDS / allowed
    return Pace(interval, burst * interval, reserve)


class Budget(NamedTuple):
    """What all callers of a workspace share; times are seconds of one monotonic clock.

    Attributes:
        limit: calls per window.
        next_at: when the next call is due at an even pace.
        closed_until: no call goes out before this time, since Intercom refused one.
        taken: the number of calls so far, which is also the number of the newest call.
        reported_call: the newest call whose answer reported the remaining calls.
        reported_remaining: the remaining calls that it reported.
        reported_until: the time until which that report holds.
    """

    limit: int = ASSUMED_LIMIT
    next_at: float = 0.0
    closed_until: float = 0.0
    taken: int = 0
    reported_call: int = 0
    reported_remaining: int = 0
    reported_until: float = 0.0

    def as_of(self, now: float) -> "Budget":
        """The budget without impossible times, left in the future by a clock that was reset."""
        if max(self.next_at, self.closed_until, self.reported_until) <= now + MAX_PAUSE_SECONDS:
            return self
        return Budget(limit=self.limit, taken=self.taken)

    def due(self, share: float, now: float) -> float:
        """When the next call may go out, possibly in the past."""
        _, slack, reserve = pace(self.limit, share)
        due = max(self.next_at - slack, self.closed_until)
        if now < self.reported_until:
            # Intercom may have counted our calls since that one; "remaining" is one too high.
            left = self.reported_remaining - 1 - (self.taken - self.reported_call)
            if left <= reserve:
                due = max(due, self.reported_until)
        return due

    def after_call(self, share: float, now: float) -> "Budget":
        """The budget after one more call, made now."""
        interval, slack, _ = pace(self.limit, share)
        next_at = max(self.next_at, now - slack) + interval
        return self._replace(next_at=next_at, taken=self.taken + 1)

    def reported(self, headers: RateHeaders, call: int, now: float) -> "Budget":
        """The budget after the answer to a call. Answers may come in any order."""
        outdated = call < self.reported_call and now < self.reported_until
        # A call number that was never given out comes from before the file was lost.
        if headers.remaining is None or outdated or call > self.taken:
            return self._replace(limit=headers.limit)
        reset_in = WINDOW_SECONDS if headers.reset_in is None else headers.reset_in
        return self._replace(
            limit=headers.limit,
            reported_call=call,
            reported_remaining=min(headers.remaining, headers.limit),
            reported_until=now + reset_in,
        )

    def closed(self, seconds: float, share: float, now: float) -> "Budget":
        """The budget when no call may go out for some seconds; the lost time is not made up for."""
        until = max(self.closed_until, now + min(seconds, MAX_PAUSE_SECONDS / 2))
        return self._replace(
            closed_until=until,
            next_at=max(self.next_at, until + pace(self.limit, share).slack),
        )
