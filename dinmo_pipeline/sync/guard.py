"""The removal guard: when a change set is held, because a mistake upstream would look just like it."""

from dinmo_pipeline.config.declarations import Guards
from dinmo_pipeline.state.changes import ChangeSet

# So few removals are never held for their share: a small segment may well lose half its members.
ALWAYS_ALLOWED_REMOVALS = 10


def reason_to_hold(changes: ChangeSet, guards: Guards) -> str | None:
    """Why nothing of the change set may be applied, in words with numbers; None when it may.

    Members nobody looked for yet may turn out to be contacts that seem to leave, so only removals that
    are certain count; a sync looks for them first and then judges again.
    """
    leaving = max(changes.leaving_contacts - changes.unknown, 0)
    if changes.members == 0 and changes.tagged_contacts > 0:
        return (
            f"The segment became empty: all {changes.tagged_contacts:,} tagged contacts would lose"
            " the tag."
        )
    if leaving <= ALWAYS_ALLOWED_REMOVALS:
        return None
    share = leaving / changes.tagged_contacts
    if share <= guards.max_removed_share:
        return None
    return (
        f"{leaving:,} of {changes.tagged_contacts:,} tagged contacts ({share:.0%}) would lose the"
        f" tag; max_removed_share allows {guards.max_removed_share:.0%}."
    )
