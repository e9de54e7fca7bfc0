"""How a sync ended, decided once from what stopped it and from the outcomes of its changes."""

from dataclasses import dataclass

from dinmo_pipeline.intercom.errors import IntercomError, UnavailableError
from dinmo_pipeline.state.changes import ChangeSet
from dinmo_pipeline.state.readings import NOBODY_MOVED, Moves
from dinmo_pipeline.state.syncs import LoggedOutcomes, SyncNumbers, SyncResult
from dinmo_pipeline.sync.guards.holds import Hold, remedy
from dinmo_pipeline.text.legend import LEGEND
from dinmo_pipeline.text.wording import counted


@dataclass(frozen=True, slots=True)
class Failed:
    """A sync that could not be carried through, and why, in a sentence.

    The same sync may succeed later if it is transient.
    """

    reason: str
    is_transient: bool = False

    @classmethod
    def by(cls, error: IntercomError) -> "Failed":
        """The failure that an error of Intercom causes."""
        return cls(str(error), isinstance(error, UnavailableError))


@dataclass(frozen=True, slots=True)
class CurrentMembers:
    """Current members that Intercom has no user for, and those that stand for several users."""

    not_in_intercom: int
    ambiguous: int


@dataclass(frozen=True, slots=True)
class Spent:
    """Calls to Intercom, and seconds."""

    api_calls: int
    seconds: float


@dataclass(frozen=True, slots=True)
class LookedUp:
    """Members to tag who, once they were looked up, are no change: no user, or several to skip."""

    not_found: int = 0
    skipped: int = 0


NOBODY_LOOKED_UP = LookedUp()


def sync_numbers(
    changes: ChangeSet,
    looked_up: LookedUp,
    outcomes: LoggedOutcomes,
    members: CurrentMembers,
    spent: Spent,
    *,
    moves: Moves = NOBODY_MOVED,
    other_carriers: int | None = None,
    tagged_contacts: int | None = None,
) -> SyncNumbers:
    """The numbers of a sync; whatever was not tried, or got no definite answer, is pending.

    `changes` are those after the lookup, so they do not include those of `looked_up`. `moves` are those of
    the reading behind them.
    """
    settled = outcomes.tagged + outcomes.untagged + outcomes.gone + outcomes.failed
    return SyncNumbers(
        members=changes.members,
        entered=moves.entered,
        left=moves.left,
        to_tag=changes.entered + looked_up.not_found + looked_up.skipped,
        to_untag=changes.left,
        tagged=outcomes.tagged,
        untagged=outcomes.untagged,
        skipped=looked_up.skipped,
        not_found=looked_up.not_found + outcomes.gone,
        not_in_intercom=members.not_in_intercom,
        never_looked_up=changes.unknown,
        ambiguous=members.ambiguous,
        failed=outcomes.failed,
        pending=changes.to_apply - settled,
        api_calls=spent.api_calls,
        seconds=round(spent.seconds, 3),
        other_carriers=other_carriers,
        tagged_contacts=tagged_contacts,
    )


def sync_result(numbers: SyncNumbers, stopped: Hold | Failed | None, max_failed_share: float) -> SyncResult:
    """The result of a sync; one that was not stopped fails if too large a share of its changes did."""
    if isinstance(stopped, Hold):
        return SyncResult("held", stopped.sentence, stopped.reason, numbers)
    if stopped:
        return SyncResult("failed", stopped.reason, numbers=numbers, is_transient=stopped.is_transient)
    unsuccessful, wanted = numbers.failed + numbers.pending, numbers.to_tag + numbers.to_untag
    if unsuccessful <= wanted * max_failed_share:
        return SyncResult("ok", numbers=numbers)
    reason = (
        f"{unsuccessful:,} of {counted(wanted, 'change')} failed or had no definite answer;"
        f" max_failed_share allows {max_failed_share:.0%}. `dinmo.change_log` has the reason for each."
    )
    return SyncResult("failed", reason, numbers=numbers, is_transient=numbers.pending > 0)


def summary(activation: str, result: SyncResult) -> str:
    """Status and reason of a sync that is not ok, and what a person can do if it is held."""
    advice = f" {remedy(result.hold_reason, activation)}" if result.hold_reason else ""
    return f"{result.status}. {result.reason}{advice}"


def what_happened(numbers: SyncNumbers) -> str:
    """What a sync did, in a sentence.

    >>> what_happened(SyncNumbers(tagged=11, untagged=7, not_in_intercom=20, api_calls=54))
    '11 tagged, 7 untagged, 20 not in Intercom, in 54 calls.'
    >>> what_happened(SyncNumbers(not_in_intercom=20, api_calls=1))
    'Nothing to tag or untag, 20 not in Intercom, in 1 call.'
    """
    done = [f"{value:,} {name}" for name in ("tagged", "untagged") if (value := getattr(numbers, name))]
    nothing = "Nobody tagged or untagged" if numbers.to_tag + numbers.to_untag else "Nothing to tag or untag"
    missing = [f"{numbers.not_in_intercom:,} not in Intercom"] if numbers.not_in_intercom else []
    return f"{', '.join([*(done or [nothing]), *missing])}, in {counted(numbers.api_calls, 'call')}."


def not_done(numbers: SyncNumbers) -> list[str]:
    """What a sync left undone, a sentence for each reason.

    >>> not_done(SyncNumbers(failed=2))
    ['2 failed: to tag or untag, but Intercom refused.']
    """
    reasons = ("skipped", "not_found", "failed", "pending")
    found = [(name, number) for name in reasons if (number := getattr(numbers, name))]
    return [
        f"{number:,} {name.replace('_', ' ')}: {LEGEND[name][0].lower()}{LEGEND[name][1:]}"
        for name, number in found
    ]
