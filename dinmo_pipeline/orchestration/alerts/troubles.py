"""The messages about an activation in trouble: one when a kind of trouble begins, one when it is over."""

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum

from dinmo_pipeline.text.wording import counted


class Trouble(StrEnum):
    """A kind of trouble that an activation can be in."""

    MEMBERSHIP = "membership"
    HELD = "held"
    TAGS = "tags"
    BEHIND = "behind"
    DRIFT = "drift"
    RECONCILIATION = "reconciliation"
    DECLARATIONS = "declarations"


_OVER = {
    Trouble.MEMBERSHIP: "The segment is computed again.",
    Trouble.HELD: "It is no longer held.",
    Trouble.TAGS: "Its changes are carried out again.",
    Trouble.BEHIND: "It is up to date again.",
    Trouble.DRIFT: "Its tag in Intercom is right again.",
    Trouble.RECONCILIATION: "It was compared with Intercom again.",
    Trouble.DECLARATIONS: "Its declarations can be used again.",
}
MAX_LINES = 20


def news(tag: str, before: Collection[str], now: Mapping[str, str]) -> str | None:
    """The news of one activation in one line; None when no kind of trouble began and none is over.

    `tag` names it for people, `before` are the kinds that it was in, and `now` those that it is in, each
    with a sentence.
    """
    begun = [sentence for kind, sentence in now.items() if kind not in before]
    over = [sentence for kind, sentence in _OVER.items() if kind in before and kind not in now]
    return f"{tag}: {' '.join([*begun, *over])}" if begun or over else None


def as_message(lines: Sequence[str]) -> str:
    """One message with the news of several activations: the first MAX_LINES, and how many more."""
    more = len(lines) - MAX_LINES
    rest = [f"… and {counted(more, 'more activation')}."] if more > 0 else []
    return "\n".join([*lines[:MAX_LINES], *rest])
