"""The guards: when a change set is held, because a mistake upstream would look just like it."""

from collections.abc import Iterator

from dinmo_pipeline.config.declarations import Guards
from dinmo_pipeline.state.changes import ChangeSet
from dinmo_pipeline.state.readings import Readings
from dinmo_pipeline.sync.guards.holds import (
    EmptySegment,
    GuardCause,
    Hold,
    InconsistentCounts,
    RemovedShare,
    Suspicion,
    UnansweredMembers,
    UnidentifiedShare,
)
from dinmo_pipeline.sync.guards.lost_identifiers import lost_identifiers, type_change

# So few removals are never held for their share: a small segment may well lose half its members.
ALWAYS_ALLOWED_REMOVALS = 10


def reason_to_hold(
    changes: ChangeSet, readings: Readings, guards: Guards, *, looked: bool = False
) -> Hold | None:
    """Why nothing of the change set may be applied; None when it may.

    Members that were never looked up may turn out to be contacts that seem to leave, so only removals that
    are certain count. A sync looks those members up first and then judges again (`looked`): if Intercom
    did not answer for some of them, they may still be contacts that seem to leave.
    """
    causes = _causes(changes, readings, guards, unanswered=changes.unknown if looked else 0)
    cause = next(causes, None)
    return Hold(cause, readings) if cause else None


def _causes(
    changes: ChangeSet, readings: Readings, guards: Guards, *, unanswered: int
) -> Iterator[GuardCause]:
    tagged, leaving = changes.tagged_contacts, changes.leaving_contacts
    if not 0 <= leaving <= tagged or changes.unknown < 0 or changes.members < 0:
        yield InconsistentCounts(leaving, tagged)
        return
    if changes.members == 0 and tagged > 0:
        yield EmptySegment(tagged)
    if unanswered and leaving > ALWAYS_ALLOWED_REMOVALS:
        yield UnansweredMembers(unanswered, leaving)
    certain = max(leaving - changes.unknown, 0)
    if certain <= ALWAYS_ALLOWED_REMOVALS:
        return
    # `not … <=` instead of `>`: a limit that is NaN holds.
    if not certain / tagged <= guards.max_removed_share:
        yield RemovedShare(certain, tagged, guards.max_removed_share)
    suspects, suspicion = _suspects(certain, readings)
    allowed = guards.max_unidentified_share
    if suspects > ALWAYS_ALLOWED_REMOVALS and not suspects / tagged <= allowed:
        yield UnidentifiedShare(certain, tagged, suspects, suspicion, allowed)


def _suspects(leaving: int, readings: Readings) -> tuple[int, Suspicion]:
    """How many of the contacts that seem to leave may have lost their identifier instead, and why."""
    if readings.now is None:
        return leaving, Suspicion.UNKNOWN
    if type_change(readings.now, readings.applied):
        return leaving, Suspicion.NEW_TYPE
    lost = lost_identifiers(readings.now, readings.applied).lost
    return min(leaving, lost), Suspicion.LOST_IDENTIFIERS
