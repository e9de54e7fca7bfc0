"""What `dinmo segments` shows, as typed rows: from the declarations, the source and the state."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from dinmo_pipeline.config.declarations import Project, Segment
from dinmo_pipeline.config.lineage import upstream_of
from dinmo_pipeline.config.strict_yaml.problems import Problem
from dinmo_pipeline.segments import OpenSource, SegmentError
from dinmo_pipeline.segments.audience import (
    Audience,
    MemberColumn,
    audience_of,
    member_column,
    overlaps_of,
    sample_of,
    size_of,
)
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.membership import earlier_sizes
from dinmo_pipeline.text.masking import mask_identifier

_SAMPLE_SIZE = 5
_MAX_SIZES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class SegmentFacts:
    """A segment as declared, and its distinct members by a column; None if it does not fit the source."""

    segment: str
    name: str
    description: str | None
    kind: str
    activations: list[str]
    upstream: list[str]
    column: str
    members: int | None


@dataclass(frozen=True, slots=True)
class OverlapFacts:
    """What another segment of `members` shares with this one; shares are from 0 to 1."""

    in_both: int
    share: float
    members: int
    share_of_other: float


@dataclass(frozen=True, slots=True)
class AudienceFacts:
    """What the source knows of a segment's members; the identifiers of the sample are masked."""

    match_by: str
    sample: list[str]
    sql: str
    overlap: dict[str, OverlapFacts]


@dataclass(frozen=True, slots=True)
class RecordedSize:
    """The size of an activation's membership at one of its syncs."""

    at: datetime
    members: int


@dataclass(frozen=True, slots=True)
class SegmentReader:
    """Reads facts about segments from an open source, as of one moment."""

    project: Project
    source: OpenSource
    now: datetime

    def list_all(self) -> tuple[list[SegmentFacts], list[Problem]]:
        """Every segment with its size, and the problems of those that cannot be counted."""
        facts: list[SegmentFacts] = []
        problems: list[Problem] = []
        for segment in self.project.segments.values():
            by = member_column(self.project, segment, self.source)
            members: int | None = None
            try:
                members = size_of(self._audience(segment, by), self.source)
            except SegmentError as error:
                problems += error.problems
            facts.append(self._facts(segment, by, members))
        return facts, problems

    def look_at(self, segment: Segment, warn: Callable[[str], None]) -> tuple[SegmentFacts, AudienceFacts]:
        """One segment in detail; `warn` is called for each segment that cannot be compared with it.

        Raises:
            SegmentError: the segment does not fit the source.
            SourceError: the source does not answer.
        """
        by = member_column(self.project, segment, self.source)
        audience = self._audience(segment, by)
        members = size_of(audience, self.source)
        others = dict(self._comparable_audiences(segment, by, warn))
        overlaps = overlaps_of(audience, [*others.values()], self.source)
        sample = sample_of(audience, self.source, limit=_SAMPLE_SIZE)
        details = AudienceFacts(
            by.match_by,
            [mask_identifier(each) for each in sample],
            audience.readable_sql,
            {
                key: OverlapFacts(
                    overlap.in_both,
                    _share(overlap.in_both, members),
                    overlap.members,
                    _share(overlap.in_both, overlap.members),
                )
                for key, overlap in zip(others, overlaps, strict=True)
            },
        )
        return self._facts(segment, by, members), details

    def _audience(self, segment: Segment, by: MemberColumn) -> Audience:
        return audience_of(self.project, segment.key, by, self.source, now=self.now)

    def _comparable_audiences(
        self, segment: Segment, by: MemberColumn, warn: Callable[[str], None]
    ) -> Iterator[tuple[str, Audience]]:
        """The other segments, by the column of an activation that matches alike, or else by the same."""
        for other in self.project.segments.values():
            if other.key == segment.key:
                continue
            own = [
                MemberColumn.of(activation)
                for activation in self.project.activations.values()
                if activation.segment == other.key and activation.match_by == by.match_by
            ]
            try:
                yield other.key, self._audience(other, own[0] if own else by)
            except SegmentError:
                warn(f"{other.key}: no overlap; it has no such column, or does not compile.")

    def _facts(self, segment: Segment, by: MemberColumn, members: int | None) -> SegmentFacts:
        return SegmentFacts(
            segment=segment.key,
            name=segment.name,
            description=segment.description,
            kind="sql" if segment.sql is not None else "where" if segment.table is None else "table",
            activations=[
                activation.key
                for activation in self.project.activations.values()
                if activation.segment == segment.key
            ],
            upstream=[*upstream_of(segment.key, self.project.segments, self.project.models)],
            column=by.column,
            members=members,
        )


def recorded_sizes(state: StateDatabase, activations: Iterable[str]) -> dict[str, list[RecordedSize]]:
    """The last sizes of each activation's membership, the oldest first."""
    with state.reading() as connection:
        return {
            key: [
                RecordedSize(at, members)
                for at, members in reversed(earlier_sizes(connection, key, limit=_MAX_SIZES_SHOWN))
            ]
            for key in activations
        }


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0
