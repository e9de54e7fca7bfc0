"""Who is in a segment, before anything is sent: its size, a sample, and what it shares with others.

All is asked of the source in SELECTs; only counts and the few identifiers of a sample leave it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlglot
from sqlglot import exp

from dinmo_pipeline.config.declarations import MatchBy, Project, Segment
from dinmo_pipeline.segments.errors import SourceError
from dinmo_pipeline.segments.members import IDENTIFIER, select_members
from dinmo_pipeline.segments.sources.opening import OpenSource
from dinmo_pipeline.segments.sql.columns import ColumnType
from dinmo_pipeline.segments.sql.identifiers import column, identifier, look_up
from dinmo_pipeline.segments.sql.key_sets import derived
from dinmo_pipeline.segments.sql.literals import number, text
from dinmo_pipeline.segments.sql.statements import RefusedSqlError, parse_select
from dinmo_pipeline.segments.sql.writing import write


@dataclass(frozen=True, slots=True)
class Identified:
    """By which column a segment's members are told apart, and how its values are compared."""

    column: str
    match_by: MatchBy
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Audience:
    """A segment's members: `sql` selects them, `distinct` their usable identifiers, each once."""

    sql: str
    distinct: exp.Select
    dialect: str

    @property
    def readable_sql(self) -> str:
        """`sql` on several lines."""
        parsed = sqlglot.parse_one(self.sql, dialect=self.dialect)
        return parsed.sql(dialect=self.dialect, pretty=True)


@dataclass(frozen=True, slots=True)
class Overlap:
    """Members of another segment, and how many of them are in both."""

    members: int
    in_both: int


def identified(project: Project, segment: Segment, source: OpenSource) -> Identified:
    """How a segment's members are told apart.

    As its first activation does; else by its model's key; else by `email`, `user_id` or the first column.
    """
    for activation in project.activations.values():
        if activation.segment == segment.key:
            return Identified(activation.column, activation.match_by, activation.timezone)
    model = project.models.get(segment.model or "")
    if model is not None and model.primary_key is not None:
        return Identified(model.primary_key, "user_id")
    columns = _columns(project, segment, source)
    if not columns or look_up("email", columns):
        return Identified("email", "email")
    return Identified("user_id" if look_up("user_id", columns) else next(iter(columns)), "user_id")


def _columns(project: Project, segment: Segment, source: OpenSource) -> Mapping[str, ColumnType]:
    """The columns of a segment's rows; none where they cannot be told, which compiling it explains."""
    try:
        if segment.sql is not None:
            query = parse_select(segment.sql, source.dialect)
            return source.query_columns(write(query, source.dialect))
        table = segment.table or project.models[segment.model or ""].table
        return source.columns(table)
    except (SourceError, RefusedSqlError):
        return {}


def audience_of(
    project: Project, segment_key: str, by: Identified, source: OpenSource, *, now: datetime
) -> Audience:
    """The members of a segment by one of its columns.

    Raises:
        SegmentError: the segment, or its column, does not fit the source.
        SourceError: the source does not answer.
    """
    sql = select_members(project, segment_key, by.column, source, now=now, timezone=by.timezone)
    members = derived(parse_select(sql, source.dialect), "members")
    found = column("members", IDENTIFIER)
    usable = exp.Trim(this=found)
    compared = exp.Lower(this=usable) if by.match_by == "email" else found
    distinct = (
        exp.select(exp.alias_(compared, identifier(IDENTIFIER)))
        .distinct()
        .from_(members)
        .where(exp.NEQ(this=usable.copy(), expression=text("")))
    )
    return Audience(sql, distinct, source.dialect)


def size_of(audience: Audience, source: OpenSource) -> int:
    """How many distinct members there are; raises SourceError."""
    return source.count(write(audience.distinct, source.dialect))


def sample_of(audience: Audience, source: OpenSource, *, limit: int) -> list[str]:
    """A few identifiers, the same ones each time; raises SourceError.

    They are chosen by their hash: the first of the alphabet have too much in common.
    """
    found = column(_MINE, IDENTIFIER)
    query = (
        exp.select(found)
        .from_(derived(audience.distinct.copy(), _MINE))
        .order_by(exp.MD5(this=found.copy()))
        .limit(limit)
    )
    rows = source.batches(write(query, source.dialect)).read_all()
    return [str(each) for each in rows.column(0).to_pylist()]


def overlaps_of(
    audience: Audience, others: Sequence[Audience], source: OpenSource
) -> list[Overlap]:
    """What an audience shares with each of the others, counted by the source in one SELECT.

    Raises:
        SourceError: the source does not answer.
    """
    if not others:
        return []
    counts = [_count_of_both(position, other) for position, other in enumerate(others)]
    query: exp.Query = counts[0]
    for count in counts[1:]:
        query = exp.union(query, count, distinct=False, copy=False)
    query = query.with_(identifier(_MINE), as_=audience.distinct.copy())
    rows = source.batches(write(query, source.dialect)).read_all()
    found = {
        int(position): Overlap(int(members), int(in_both))
        for position, members, in_both in zip(
            *(rows.column(index).to_pylist() for index in range(3)), strict=True
        )
    }
    return [found[position] for position in range(len(others))]


_MINE, _THEIRS = "mine", "theirs"


def _count_of_both(position: int, other: Audience) -> exp.Select:
    """`SELECT 0, COUNT(*), COUNT(mine.identifier) FROM (…) AS theirs LEFT JOIN mine ON …`."""
    mine, theirs = column(_MINE, IDENTIFIER), column(_THEIRS, IDENTIFIER)
    return (
        exp.select(
            exp.alias_(number(position), identifier("position")),
            exp.alias_(exp.Count(this=exp.Star()), identifier("members")),
            exp.alias_(exp.Count(this=mine), identifier("in_both")),
        )
        .from_(derived(other.distinct.copy(), _THEIRS))
        .join(
            exp.Table(this=identifier(_MINE)),
            on=exp.EQ(this=theirs, expression=mine.copy()),
            join_type="left",
        )
    )
