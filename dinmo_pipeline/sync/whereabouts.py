"""Why a person has a tag, or does not: the first reason that applies, in a sentence."""

from dinmo_pipeline.state.looking.person import Presence
from dinmo_pipeline.sync.standing import moment
from dinmo_pipeline.text.wording import counted


def why(presence: Presence) -> str:
    """What a person should know about somebody in an activation; empty if all is as it should be."""
    if presence.in_since:
        return "" if presence.tagged_since and not presence.is_unconfirmed else _not_tagged(presence)
    if presence.tagged_since or presence.is_unconfirmed:
        return f"Left the segment; {_waiting(presence, 'to be untagged')}"
    return ""


def _not_tagged(presence: Presence) -> str:
    if presence.missing:
        looks = counted(presence.missing.looks, "look")
        return f"Not in Intercom: last looked for at {moment(presence.missing.looked_at)}, {looks} so far."
    if presence.users > 1 and presence.on_multiple_users == "skip":
        return (
            f"Not tagged: {presence.users:,} users of Intercom have this identifier, and those are skipped."
        )
    return f"Entered; {_waiting(presence, 'to be tagged')}"


def _waiting(presence: Presence, what: str) -> str:
    if presence.held_because:
        return f"held by a guard: {presence.held_because}"
    if presence.refused and presence.refused.outcome == "failed":
        reason = f": {presence.refused.reason}" if presence.refused.reason else ""
        return f"Intercom refused it at {moment(presence.refused.at)}{reason}. The next sync tries again."
    return f"waits for the next sync {what}."
