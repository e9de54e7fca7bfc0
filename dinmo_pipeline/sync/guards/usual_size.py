"""Whether the size of a segment changed more than it usually does, by its own history.

What counts is the change within a day, against the changes within a day of the last nine weeks in the same
direction. The second largest of them is usual: a segment that jumps every Monday, or starts anew each month,
has done so twice, while a single accident is not usual, and neither is the way back from it. A change of one
and a half times that is worth a look, unless it is so small that chance explains it: under three times the
square root of the size, a twentieth of it, or ten members. A new segment has no history yet, and is not
judged until it has been read on eight days over two weeks.

A size that stays where it is becomes usual after a day, so one change is reported once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from math import sqrt
from statistics import median

import duckdb

from dinmo_pipeline.config.declarations import NEVER, Activation
from dinmo_pipeline.state.membership import SizeOnDay, daily_sizes, note_size
from dinmo_pipeline.sync.guards.limits import ALWAYS_ALLOWED_REMOVALS
from dinmo_pipeline.text.wording import counted

_RECENT = timedelta(hours=46)  # the last day, and the one before
_MIN_DAYS_READ = 8
_MIN_DAYS = 14
_FACTOR = 1.5
_MIN_SHARE = 0.05
_DEVIATIONS = 3.0
# Once a change is reported, it is over only when it is clearly less: else it would come and go.
_CALMING = 0.8


@dataclass(frozen=True, slots=True)
class SizeChange:
    """The size changed by more than the `allowed` share of its size before, within `days`."""

    before: int
    members: int
    days: int
    allowed: float
    is_declared: bool = False

    @property
    def sentence(self) -> str:
        """What changed, with the numbers."""
        verb = "grew" if self.members > self.before else "shrank"
        within = "a day" if self.days == 1 else counted(self.days, "day")
        share = f" ({(self.members - self.before) / self.before:+.0%})" if self.before else ""
        allowed = f"{self.allowed:.0%}"
        usual = (
            f"`report_size_change` allows {allowed}."
            if self.is_declared
            else f"Up to {allowed} is usual, judging by the last nine weeks."
        )
        return (
            f"The segment {verb} from {self.before:,} to {counted(self.members, 'member')} within"
            f" {within}{share}. {usual}"
        )


def judge_size(connection: duckdb.DuckDBPyConnection, activation: Activation) -> SizeChange | None:
    """Judge the newest reading of a segment, and note in the state what is unusual about it.

    Call it inside the transaction that wrote the reading.
    """
    if activation.report_size_change == NEVER:
        return None
    limit = activation.size_change_limit
    # Nearly always the size is that of a day ago. Nine weeks of readings take many times as long to read.
    sizes, was_unusual = daily_sizes(connection, activation.key, within=_RECENT)
    is_enough = len(sizes) >= 2 and (limit is not None or _is_small(*sizes[:2]))  # noqa: PLR2004  # to compare
    if not is_enough:
        sizes, was_unusual = daily_sizes(connection, activation.key)
    found = unusual_change(sizes, limit=limit, was_unusual=was_unusual)
    if found:
        note_size(connection, activation.key, found.sentence)
    return found


def unusual_change(
    sizes: Sequence[SizeOnDay], *, limit: float | None = None, was_unusual: bool = False
) -> SizeChange | None:
    """How the newest of some sizes is unusual (newest first, at most one per day); None if it is not.

    `limit` is a declared share of the size before, in place of the history; `was_unusual` says whether the
    reading before was.
    """
    if len(sizes) < 2:  # noqa: PLR2004  # nothing to compare with
        return None
    newest, last = sizes[0], sizes[1]
    days = last.days_ago - newest.days_ago
    difference = newest.members - last.members
    if abs(difference) <= ALWAYS_ALLOWED_REMOVALS:
        return None
    allowed = limit if limit is not None else _usual_share(sizes, sign=1 if difference > 0 else -1)
    if allowed is None:
        return None
    allowed *= _CALMING if was_unusual else 1.0
    if abs(difference) <= allowed * max(last.members, 1):
        return None
    return SizeChange(last.members, newest.members, days, allowed, is_declared=limit is not None)


def _is_small(newest: SizeOnDay, last: SizeOnDay) -> bool:
    """Whether a change is below what is reported of any segment."""
    least = max(_MIN_SHARE * _CALMING * last.members, ALWAYS_ALLOWED_REMOVALS)
    return abs(newest.members - last.members) <= least


def _usual_share(sizes: Sequence[SizeOnDay], *, sign: int) -> float | None:
    """How much of its size a segment usually gains (or loses, by the sign) in the time since the last size.

    None when too little is known.
    """
    newest, *earlier = sizes
    if len(earlier) < _MIN_DAYS_READ or earlier[-1].days_ago < _MIN_DAYS:
        return None
    before = earlier[0].members
    steps = list(pairwise(earlier))
    shares = sorted((_share(now, then, sign) for now, then in steps), reverse=True)
    gap = median(then.days_ago - now.days_ago for now, then in steps)
    longer = max((earlier[0].days_ago - newest.days_ago) / gap, 1.0)
    chance = max(_DEVIATIONS * sqrt(before) / before if before else 0.0, _MIN_SHARE)
    return max(shares[1] * _FACTOR, chance) * longer


def _share(now: SizeOnDay, then: SizeOnDay, sign: int) -> float:
    """The gain (or loss) as a share of the size before; 0 for the other direction."""
    return max(sign * (now.members - then.members), 0) / max(then.members, 1)
