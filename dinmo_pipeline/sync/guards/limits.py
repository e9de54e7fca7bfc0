"""The guards: when a change set is held, because a mistake upstream would look just like it."""

from collections.abc import Iterator

from dinmo_pipeline.config.declarations import Guards
from dinmo_pipeline.state.changes import ChangeSet
from dinmo_pipeline.state.readings import Readings
from dinmo_pipeline.sync.guards.lost_identifiers import lost_identifiers, type_change, what_changed

# So few removals are never held for their share: a small segment may well lose half its members.
ALWAYS_ALLOWED_REMOVALS = 10


def reason_to_hold(
    changes: ChangeSet, readings: Readings, guards: Guards, *, looked: bool = False
) -> str | None:
    """Why nothing of the change set may be applied, in words with numbers; None when it may.

    Members nobody looked for yet may turn out to be contacts that seem to leave, so only removals that
    are certain count; a sync looks for them first and then judges again. Whom Intercom did not answer for
    then (`looked`) may still be one of those contacts.
    """
    unanswered = changes.unknown if looked else 0
    reason = next(_reasons(changes, readings, guards, unanswered), None)
    if reason is None or readings.now is None:
        return reason
    return " ".join((reason, *what_changed(readings.now, readings.applied)))


def _reasons(
    changes: ChangeSet, readings: Readings, guards: Guards, unanswered: int
) -> Iterator[str]:
    tagged, leaving = changes.tagged_contacts, changes.leaving_contacts
    if not 0 <= leaving <= tagged or changes.unknown < 0 or changes.members < 0:
        yield (
            f"The guard cannot be evaluated: the state counts {leaving:,} contacts that would lose"
            f" the tag, of {tagged:,} that carry it."
        )
        return
    if changes.members == 0 and tagged > 0:
        yield f"The segment became empty: all {tagged:,} tagged contacts would lose the tag."
    if unanswered and leaving > ALWAYS_ALLOWED_REMOVALS:
        yield (
            f"The guard cannot be evaluated: Intercom did not answer for {unanswered:,} members, who may"
            f" be among the {leaving:,} tagged contacts that would lose the tag."
        )
    certain = max(leaving - changes.unknown, 0)
    if certain <= ALWAYS_ALLOWED_REMOVALS:
        return
    # Not more than allowed, told so that a share that is no number holds.
    if not certain / tagged <= guards.max_removed_share:
        yield (
            f"{certain:,} of {tagged:,} tagged contacts ({certain / tagged:.0%}) would lose the tag;"
            f" max_removed_share allows {guards.max_removed_share:.0%}."
        )
    suspect, why = _suspect(certain, readings)
    if suspect > ALWAYS_ALLOWED_REMOVALS and not suspect / tagged <= guards.max_unidentified_share:
        yield (
            f"{certain:,} of {tagged:,} tagged contacts would lose the tag, up to {suspect:,} of them"
            f" ({suspect / tagged:.0%}) {why}; max_unidentified_share allows"
            f" {guards.max_unidentified_share:.0%}."
        )


def _suspect(leaving: int, readings: Readings) -> tuple[int, str]:
    """How many of those who seem to leave may have lost their identifier instead, and how."""
    if readings.now is None:
        return (
            leaving,
            "for a reason that the state does not tell, as it has no reading of the rows",
        )
    if type_change(readings.now, readings.applied):
        return leaving, "because of the identifier's new type"
    lost = lost_identifiers(readings.now, readings.applied).lost
    return min(leaving, lost), "because their rows lost the identifier"
