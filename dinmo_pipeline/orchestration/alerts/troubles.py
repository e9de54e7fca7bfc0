"""The messages about an activation in trouble: one when a kind of trouble begins, one when it is over."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dinmo_pipeline.sync.explanations import EXPLANATIONS
from dinmo_pipeline.sync.standing import State
from dinmo_pipeline.text.wording import counted


class Trouble(StrEnum):
    """A kind of trouble that an activation can be in."""

    MEMBERSHIP = "membership"
    HELD = "held"
    TAGS = "tags"
    NOBODY_MATCHED = "nobody_matched"
    SIZE = "size"
    BEHIND = "behind"
    DRIFT = "drift"
    RECONCILIATION = "reconciliation"
    DECLARATIONS = "declarations"


_OVER = {
    Trouble.MEMBERSHIP: "The segment is computed again.",
    Trouble.HELD: "It is no longer held.",
    Trouble.TAGS: "Its changes are carried out again.",
    Trouble.NOBODY_MATCHED: "Members are found in Intercom again.",
    Trouble.SIZE: "Its size is as usual again.",
    Trouble.BEHIND: "It is up to date again.",
    Trouble.DRIFT: "Its tag in Intercom is right again.",
    Trouble.RECONCILIATION: "It was compared with Intercom again.",
    Trouble.DECLARATIONS: "Its declarations can be used again.",
}
# The state that says what to do. The sentences of the others end with it.
_STATES = {
    Trouble.MEMBERSHIP: State.FAILED,
    Trouble.TAGS: State.FAILED,
    Trouble.NOBODY_MATCHED: State.NOBODY_MATCHED,
    Trouble.SIZE: State.UNUSUAL_SIZE,
    Trouble.BEHIND: State.OVERDUE,
    Trouble.RECONCILIATION: State.DRIFT,
}
MAX_LINES = 20
_MAX_NAMES = 3
_INDENT = "\n    "


@dataclass(frozen=True, slots=True)
class Seen:
    """A kind of trouble as last seen: a sentence, or None when it is over; and the run that shows it."""

    sentence: str | None
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """The activation that news are about, with its tag and segment if they are known.

    `dagster_url` is the address of the Dagster UI, if it is declared.
    """

    activation: str
    tag: str | None = None
    segment: str | None = None
    dagster_url: str | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        return self.activation if self.tag is None else f"{self.activation} (tag {self.tag!r})"


def news(subject: Subject, before: Collection[str], now: Mapping[str, Seen]) -> str | None:
    """The news of one activation; None when no kind of trouble began and none is over.

    `before` are the kinds that it was in; those that `now` lacks are over. The first line says what happened,
    the others what to do and which run shows it.
    """
    begun = [kind for kind, seen in now.items() if kind not in before and seen.sentence is not None]
    over = [kind for kind in _OVER if kind in before and (kind not in now or now[kind].sentence is None)]
    if not (begun or over):
        return None
    sentences = [now[kind].sentence or "" for kind in begun] + [_OVER[kind] for kind in over]
    runs = dict.fromkeys(now[kind].run_id for kind in (*begun, *over) if kind in now)
    return _INDENT.join(
        [f"{subject.name}: {' '.join(sentences)}", *_to_do(subject, begun), *_links(subject, runs)]
    )


def _to_do(subject: Subject, kinds: Sequence[str]) -> Iterator[str]:
    states = dict.fromkeys(_STATES[Trouble(kind)] for kind in kinds if kind in _STATES)
    for state in states:
        fix = EXPLANATIONS[state].to_do.replace("ACTIVATION", subject.activation)
        yield f"What to do: {fix.replace('SEGMENT', subject.segment or 'SEGMENT')}"


def _links(subject: Subject, runs: Collection[str | None]) -> Iterator[str]:
    for run_id in filter(None, runs):
        if subject.dagster_url:
            yield f"Run: {subject.dagster_url}/runs/{run_id}"
        else:
            yield f"Run: {run_id} (in the Dagster UI, under Runs)"


def as_message(lines: Sequence[str]) -> str:
    """One message with the news of several activations: the first MAX_LINES, and how many more."""
    more = len(lines) - MAX_LINES
    rest = [f"… and {counted(more, 'more activation')}."] if more > 0 else []
    return "\n".join([*lines[:MAX_LINES], *rest])


def as_title(lines: Sequence[str]) -> str:
    """What a message is about, on one line."""
    first = [line.partition("\n")[0] for line in lines]
    names = list(dict.fromkeys(line.partition(" ")[0].removesuffix(":") for line in first))
    if len(names) == 1:
        return first[-1]
    more = ", …" if len(names) > _MAX_NAMES else ""
    return f"{counted(len(names), 'activation')}: {', '.join(names[:_MAX_NAMES])}{more}"
