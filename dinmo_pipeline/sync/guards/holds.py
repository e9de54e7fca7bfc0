"""Why a change set is held: values for code, and the only place that puts them into words."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Literal

from dinmo_pipeline.state.fingerprint import Fingerprint
from dinmo_pipeline.state.readings import Readings, StoredReading
from dinmo_pipeline.state.syncs import HoldReason
from dinmo_pipeline.sync.guards.lost_identifiers import what_changed
from dinmo_pipeline.text.wording import counted


class Suspicion(StrEnum):
    """Why contacts that seem to leave may have lost their identifier instead."""

    LOST_IDENTIFIERS = "because their rows lost the identifier"
    NEW_TYPE = "because of the identifier's new type"
    UNKNOWN = "for an unknown reason (no earlier row counts)"


@dataclass(frozen=True, slots=True)
class InconsistentCounts:
    """The counts in the state contradict one another."""

    reason: ClassVar = HoldReason.INCONSISTENT_COUNTS
    leaving: int
    tagged: int

    @property
    def in_words(self) -> str:
        """The cause, with its numbers."""
        return (
            f"The guard cannot be evaluated: by the counts in the state, {self.leaving:,} of"
            f" {self.tagged:,} tagged contacts would lose the tag."
        )


@dataclass(frozen=True, slots=True)
class EmptySegment:
    """Nobody is a member any more, and `tagged` contacts carry the tag."""

    reason: ClassVar = HoldReason.EMPTY_SEGMENT
    tagged: int

    @property
    def in_words(self) -> str:
        """The cause, with its numbers."""
        who = "the only tagged contact" if self.tagged == 1 else f"all {self.tagged:,} tagged contacts"
        return f"The segment became empty: {who} would lose the tag."


@dataclass(frozen=True, slots=True)
class UnansweredMembers:
    """Intercom did not answer for some members, who may be among the contacts that seem to leave."""

    reason: ClassVar = HoldReason.UNANSWERED_MEMBERS
    unanswered: int
    leaving: int

    @property
    def in_words(self) -> str:
        """The cause, with its numbers."""
        return (
            "The guard cannot be evaluated: Intercom did not answer for"
            f" {counted(self.unanswered, 'member')}, who may be among the {self.leaving:,} tagged contacts"
            " that would lose the tag."
        )


@dataclass(frozen=True, slots=True)
class NobodyStays:
    """None of the `tagged` contacts would keep the tag."""

    reason: ClassVar = HoldReason.NOBODY_STAYS
    tagged: int

    @property
    def in_words(self) -> str:
        """The cause, with its numbers."""
        return (
            f"None of the {self.tagged:,} tagged contacts would keep the tag. If the segment turns over"
            " completely, set max_removed_share to 1."
        )


@dataclass(frozen=True, slots=True)
class RemovedShare:
    """More than the allowed share (0 to 1) of the tagged contacts, or members, would lose the tag."""

    reason: ClassVar = HoldReason.REMOVED_SHARE
    leaving: int
    tagged: int
    allowed: float
    unit: Literal["contacts", "members"] = "contacts"

    @property
    def in_words(self) -> str:
        """The cause, with its numbers."""
        return (
            f"{self.leaving:,} of {self.tagged:,} tagged {self.unit} ({self.leaving / self.tagged:.0%}) would"
            f" lose the tag; max_removed_share allows {self.allowed:.0%}."
        )


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The segment would be smaller than it was by more than the allowed share (0 to 1)."""

    reason: ClassVar = HoldReason.SHRUNK
    before: StoredReading
    members: int
    allowed: float

    @property
    def in_words(self) -> str:
        """The cause, with its numbers."""
        lost = (self.before.members - self.members) / self.before.members
        return (
            f"{counted(self.members, 'member')} would be left of {self.before.members:,} on"
            f" {self.before.at:%Y-%m-%d} ({lost:.0%} fewer); max_removed_share allows {self.allowed:.0%}."
        )


@dataclass(frozen=True, slots=True)
class UnidentifiedShare:
    """Of the contacts that would lose the tag, more than the allowed share of all are `suspects`."""

    reason: ClassVar = HoldReason.UNIDENTIFIED_SHARE
    leaving: int
    tagged: int
    suspects: int
    suspicion: Suspicion
    allowed: float

    @property
    def in_words(self) -> str:
        """The cause, with its numbers."""
        return (
            f"{self.leaving:,} of {self.tagged:,} tagged contacts would lose the tag, up to"
            f" {self.suspects:,} of them ({self.suspects / self.tagged:.0%}) {self.suspicion};"
            f" max_unidentified_share allows {self.allowed:.0%}."
        )


@dataclass(frozen=True, slots=True)
class Grown:
    """The segment would be larger than it was by more than the allowed factor."""

    reason: ClassVar = HoldReason.GROWTH
    before: StoredReading
    members: int
    allowed: float

    @property
    def in_words(self) -> str:
        """The cause, with its numbers."""
        return (
            f"The segment would grow from {self.before.members:,} to {counted(self.members, 'member')};"
            f" max_growth allows {self.allowed:g} times as many."
        )


@dataclass(frozen=True, slots=True)
class OtherChanges:
    """The change set is not the one that was reviewed."""

    reason: ClassVar = HoldReason.NOT_AS_REVIEWED
    planned: Fingerprint
    now: Fingerprint


@dataclass(frozen=True, slots=True)
class OtherSettings:
    """Settings of the activation changed since the review: name, value in the plan, value now."""

    reason: ClassVar = HoldReason.NOT_AS_REVIEWED
    changed: tuple[tuple[str, str | None, str], ...]


@dataclass(frozen=True, slots=True)
class UnreadableFingerprint:
    """What should be the fingerprint of a reviewed plan is another text."""

    reason: ClassVar = HoldReason.NOT_AS_REVIEWED
    text: str


GuardCause = (
    InconsistentCounts
    | EmptySegment
    | UnansweredMembers
    | NobodyStays
    | RemovedShare
    | Shrunk
    | UnidentifiedShare
    | Grown
)
ReviewCause = OtherChanges | OtherSettings | UnreadableFingerprint


@dataclass(frozen=True, slots=True)
class Hold:
    """A change set is held: the cause, and the readings that a guard compared."""

    cause: GuardCause | ReviewCause
    readings: Readings | None = None

    @property
    def reason(self) -> HoldReason:
        """The kind of cause."""
        return self.cause.reason

    @property
    def sentence(self) -> str:
        """The cause in words with numbers, and what happened to the identifiers upstream."""
        if isinstance(self.cause, ReviewCause):
            return _not_as_reviewed(self.cause)
        readings = self.readings
        upstream = what_changed(readings.now, readings.applied) if readings and readings.now else ()
        return " ".join((self.cause.in_words, *upstream))


def remedy(reason: HoldReason, activation: str) -> str:
    """What a person can do about a change set that is held."""
    if reason is HoldReason.NOT_AS_REVIEWED:
        return "Nothing was applied. Make a new plan and review it."
    change = "growth" if reason is HoldReason.GROWTH else "removal"
    return (
        f"Nothing was applied. If the {change} is intended, run `dinmo sync {activation}"
        f" --allow-large-{change}`, or launch apply_tag_changes with allow_large_{change}: true. A smaller"
        " change set is released by itself."
    )


def repair_remedy(activation: str) -> str:
    """What a person can do about a repair that is held."""
    return (
        "Nothing was repaired. If the removal is intended, run"
        f" `dinmo reconcile {activation} --repair --allow-large-removal`, or launch reconcile_tags with"
        " repair: true and allow_large_removal: true."
    )


def _not_as_reviewed(cause: ReviewCause) -> str:
    match cause:
        case OtherChanges(planned, now):
            difference = _difference(planned, now)
        case OtherSettings(changed):
            difference = "; ".join(
                f"{name} was {then!r} and is now {value!r}" for name, then, value in changed
            )
        case UnreadableFingerprint(text):
            difference = f"{text!r} is not the fingerprint of a plan"
    return f"The changes differ from the reviewed plan: {difference}."


def _difference(planned: Fingerprint, now: Fingerprint) -> str:
    if (planned.entered, planned.left) == (now.entered, now.left):
        return f"still {now.entered:,} to tag and {now.left:,} to untag, but different members"
    return (
        f"{planned.entered:,} to tag and {planned.left:,} to untag in the plan,"
        f" {now.entered:,} to tag and {now.left:,} to untag now"
    )
