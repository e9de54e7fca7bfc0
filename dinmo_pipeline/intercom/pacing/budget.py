"""The call budget of a workspace as a value, and the rules for spending it.

Intercom counts calls in fixed windows of 10 seconds and says how many a window holds
(`X-RateLimit-Limit`: 167 or 1667 have been seen), how many are left (`X-RateLimit-Remaining`, one too
high in recordings) and when the window ends (`X-RateLimit-Reset`, in recordings two seconds late).

Calls evenly spaced at `share * limit` in 10 seconds need neither the alignment of the windows nor the
reset: wherever a window begins, it holds no more of them than that, plus the burst. What remains is
watched for the sake of other apps that spend the same budget.
"""

from typing import NamedTuple

from dinmo_pipeline.intercom.pacing.rate_headers import WINDOW_SECONDS, RateHeaders

# The smallest window seen; assumed until an answer says otherwise.
SMALLEST_LIMIT = 167
# No pause and no window lasts longer, in seconds. A stored time further ahead comes from a clock that was
# set back: the machine was started again.
LONGEST_PAUSE = 60.0


class Pace(NamedTuple):
    """How calls follow each other.

    Attributes:
        interval: seconds between two calls.
        slack: seconds that a call may come before its time, to make up for lost time.
        reserve: calls of a window left alone: others' calls, that no answer has told us of yet.
    """

    interval: float
    slack: float
    reserve: int


def pace(limit: int, share: float) -> Pace:
    """The pace for a limit of calls a window and the share of it that is ours, over 0 to 1.

    Any 10 seconds hold at most `allowed + burst + 1` calls, which is within the limit.
    """
    reserve = max(1, min(2, limit // 20), limit // 100)
    allowed = max(min(limit * share, float(limit - 2 * reserve)), 1.0)
    burst = max(min(allowed / 10, limit - allowed - reserve), 0.0)
    interval = WINDOW_SECONDS / allowed
    return Pace(interval, burst * interval, reserve)


class Budget(NamedTuple):
    """What all callers of a workspace share; times are seconds of one monotonic clock.

    Attributes:
        limit: calls a window.
        next_at: when the next call is due if calls come evenly.
        closed_until: no call before, since Intercom refused one.
        taken: calls let out so far; each call has its number.
        told_call: the newest call whose answer told what remains …
        told_remaining: … how much that was …
        told_until: … and how long it holds.
    """

    limit: int = SMALLEST_LIMIT
    next_at: float = 0.0
    closed_until: float = 0.0
    taken: int = 0
    told_call: int = 0
    told_remaining: int = 0
    told_until: float = 0.0

    def as_of(self, now: float) -> "Budget":
        """The budget without what cannot be: times that a clock set back left in the future."""
        if max(self.next_at, self.closed_until, self.told_until) <= now + LONGEST_PAUSE:
            return self
        return Budget(limit=self.limit, taken=self.taken)

    def due(self, share: float, now: float) -> float:
        """When the next call may go, which may be past."""
        _, slack, reserve = pace(self.limit, share)
        due = max(self.next_at - slack, self.closed_until)
        if now < self.told_until:
            # Calls let out after that one may have been counted by now; "remaining" is one too high.
            left = self.told_remaining - 1 - (self.taken - self.told_call)
            if left <= reserve:
                due = max(due, self.told_until)
        return due

    def after_a_call(self, share: float, now: float) -> "Budget":
        """The budget when one more call went out now."""
        interval, slack, _ = pace(self.limit, share)
        next_at = max(self.next_at, now - slack) + interval
        return self._replace(next_at=next_at, taken=self.taken + 1)

    def told(self, headers: RateHeaders, call: int, now: float) -> "Budget":
        """The budget after the answer to a call, which may come after those of later calls."""
        outdated = call < self.told_call and now < self.told_until
        # A number that was never given comes from before the file was lost.
        if headers.remaining is None or outdated or call > self.taken:
            return self._replace(limit=headers.limit)
        reset_in = WINDOW_SECONDS if headers.reset_in is None else headers.reset_in
        return self._replace(
            limit=headers.limit,
            told_call=call,
            told_remaining=min(headers.remaining, headers.limit),
            told_until=now + reset_in,
        )

    def closed(self, seconds: float, share: float, now: float) -> "Budget":
        """The budget when no call may go out for some seconds; nobody makes up for the pause."""
        until = max(self.closed_until, now + min(seconds, LONGEST_PAUSE / 2))
        return self._replace(
            closed_until=until,
            next_at=max(self.next_at, until + pace(self.limit, share).slack),
        )
