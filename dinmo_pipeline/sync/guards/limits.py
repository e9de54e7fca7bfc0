"""The guards: when a change set is held, because a mistake upstream would look just like it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from dinmo_pipeline.config.declarations import Guards
from dinmo_pipeline.state.changes import ChangeSet
from dinmo_pipeline.state.readings import Readings
from dinmo_pipeline.sync.guards.holds import (
    EmptySegment,
    Grown,
    GuardCause,
    Hold,
    InconsistentCounts,
    NobodyStays,
    RemovedShare,
    Shrunk,
    Suspicion,
    UnansweredMembers,
    UnidentifiedShare,
)
from dinmo_pipeline.sync.guards.lost_identifiers import lost_identifiers, type_change

# So few removals are never held for their share: a small segment may well lose half its members.
ALWAYS_ALLOWED_REMOVALS = 10
# With fewer carriers than this, all of them may well leave at once.
_FEW_CARRIERS = 3
# So few new members are never held, whatever the factor.
_ALWAYS_ALLOWED_GROWTH = 1_000


@dataclass(frozen=True, slots=True)
class Released:
    """What a person lets through in this run, whatever the guards say."""

    removal: bool = False
    growth: bool = False


NOTHING_RELEASED = Released()


def reason_to_hold(
    changes: ChangeSet,
    readings: Readings,
    guards: Guards,
    *,
    looked: bool = False,
    released: Released = NOTHING_RELEASED,
) -> Hold | None:
    """Why nothing of the change set may be applied; None when it may.

    Members that were never looked up may turn out to be contacts that seem to leave, so only removals that
    are certain count. A sync looks those members up first and then judges again (`looked`): if Intercom
    did not answer for some of them, they may still be contacts that seem to leave.
    """
    removals = () if released.removal else _removals(changes, readings, guards, looked=looked)
    growth = () if released.growth else _growth(changes, readings, guards)
    cause = next(chain(removals, growth), None)
    return Hold(cause, readings) if cause else None


def _removals(
    changes: ChangeSet, readings: Readings, guards: Guards, *, looked: bool
) -> Iterator[GuardCause]:
    tagged, leaving = changes.tagged_contacts, changes.leaving_contacts
    if not 0 <= leaving <= tagged or changes.unknown < 0 or changes.members < 0:
        yield InconsistentCounts(leaving, tagged)
        return
    if changes.members == 0 and tagged > 0:
        yield EmptySegment(tagged)
    certain = max(leaving - changes.unknown, 0)
    # `not … >=` instead of `<`, and below `not … <=` instead of `>`: a limit that is NaN holds.
    nobody_stays = not guards.max_removed_share >= 1 and leaving == tagged >= _FEW_CARRIERS
    if looked and changes.unknown and (nobody_stays or leaving > ALWAYS_ALLOWED_REMOVALS):
        yield UnansweredMembers(changes.unknown, leaving)
    if nobody_stays and certain == tagged:
        yield NobodyStays(tagged)
    if certain > ALWAYS_ALLOWED_REMOVALS:
        yield from _shares(changes, certain, readings, guards)
    if certain and (shrunk := _shrunk(changes, readings, guards)):
        yield shrunk


def _shares(changes: ChangeSet, certain: int, readings: Readings, guards: Guards) -> Iterator[GuardCause]:
    share = _larger_share(changes, certain, guards.max_removed_share)
    if not share.leaving / share.tagged <= guards.max_removed_share:
        yield share
    suspects, suspicion = _suspects(certain, readings)
    allowed, tagged = guards.max_unidentified_share, changes.tagged_contacts
    if suspects > ALWAYS_ALLOWED_REMOVALS and not suspects / tagged <= allowed:
        yield UnidentifiedShare(certain, tagged, suspects, suspicion, allowed)


def _larger_share(changes: ChangeSet, certain: int, allowed: float) -> RemovedShare:
    """Contacts or members that would lose the tag, whichever are the larger share of all tagged ones."""
    contacts = RemovedShare(certain, changes.tagged_contacts, allowed)
    members = RemovedShare(
        max(changes.left - changes.unknown, 0), max(changes.tagged_members, 1), allowed, "members"
    )
    return max(contacts, members, key=lambda each: each.leaving / each.tagged)


def _shrunk(changes: ChangeSet, readings: Readings, guards: Guards) -> Shrunk | None:
    """The segment lost too much since a week ago, net, whatever each single sync removed."""
    before = readings.earlier
    lost = before.members - changes.members if before else 0
    if not before or lost <= ALWAYS_ALLOWED_REMOVALS or lost / before.members <= guards.max_removed_share:
        return None
    return Shrunk(before, changes.members, guards.max_removed_share)


def _growth(changes: ChangeSet, readings: Readings, guards: Guards) -> Iterator[GuardCause]:
    before = readings.applied
    if not before or not changes.entered or changes.members - before.members <= _ALWAYS_ALLOWED_GROWTH:
        return
    if not changes.members <= guards.max_growth * before.members:
        yield Grown(before, changes.members, guards.max_growth)


def _suspects(leaving: int, readings: Readings) -> tuple[int, Suspicion]:
    """How many of the contacts that seem to leave may have lost their identifier instead, and why."""
    if readings.now is None:
        return leaving, Suspicion.UNKNOWN
    if type_change(readings.now, readings.applied):
        return leaving, Suspicion.NEW_TYPE
    lost = lost_identifiers(readings.now, readings.applied).lost
    return min(leaving, lost), Suspicion.LOST_IDENTIFIERS
