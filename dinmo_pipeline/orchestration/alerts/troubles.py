"""What to tell of an activation in trouble: once when a kind of trouble begins, and once when it is over."""

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum


class Trouble(StrEnum):
    """A kind of trouble that an activation can be in."""

    MEMBERSHIP = "membership"
    HELD = "held"
    TAGS = "tags"
    BEHIND = "behind"
    DRIFT = "drift"
    RECONCILIATION = "reconciliation"


_OVER = {
    Trouble.MEMBERSHIP: "The segment is computed again.",
    Trouble.HELD: "It is no longer held.",
    Trouble.TAGS: "Its changes are carried out again.",
    Trouble.BEHIND: "It is up to date again.",
    Trouble.DRIFT: "Intercom holds what we put there again.",
    Trouble.RECONCILIATION: "It was compared with Intercom again.",
}
_LINES = 20


def news(tag: str, before: Collection[str], now: Mapping[str, str]) -> str | None:
    """What to tell of one activation; None when no kind of trouble began and none is over.

    `tag` names it for people, `before` are the kinds that it was in, and `now` are those that it is in,
    each with a sentence.
    """
    begun = [sentence for kind, sentence in now.items() if kind not in before]
    over = [sentence for kind, sentence in _OVER.items() if kind in before and kind not in now]
    return f"{tag}: {' '.join([*begun, *over])}" if begun or over else None


def as_message(lines: Sequence[str]) -> str:
    """One message of the news of several activations; of very many, the first and how many more."""
    more = len(lines) - _LINES
    return "\n".join([*lines[:_LINES], *([f"… and {more} more activations."] if more > 0 else [])])
