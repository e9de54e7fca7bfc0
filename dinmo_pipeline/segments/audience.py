"""Who is in a segment, before anything is sent: its size, a sample, and its overlap with others.

The source counts; only numbers and the few identifiers of a sample leave it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlglot import exp

from dinmo_pipeline.config.declarations import Activation, MatchBy, Project, Segment
from dinmo_pipeline.segments.errors import SourceError
from dinmo_pipeline.segments.members import IDENTIFIER, members_query
from dinmo_pipeline.segments.sources.opening import OpenSource
from dinmo_pipeline.segments.sql.columns import ColumnType
from dinmo_pipeline.segments.sql.identifiers import column, identifier, look_up
from dinmo_pipeline.segments.sql.key_sets import derived
from dinmo_pipeline.segments.sql.literals import number, text
from dinmo_pipeline.segments.sql.statements import RefusedSqlError, one_select
from dinmo_pipeline.segments.sql.writing import verbatim, write

_MINE, _THEIRS = "mine", "theirs"


@dataclass(frozen=True, slots=True)
class MemberColumn:
    """The column that identifies a segment's members, and how its values are compared."""

    column: str
    match_by: MatchBy
    timezone: str = "UTC"

    @classmethod
    def of(cls, activation: Activation) -> "MemberColumn":
        """The column that an activation sends."""
        return cls(activation.column, activation.match_by, activation.timezone)


@dataclass(frozen=True, slots=True)
class Audience:
    """A segment's members: `sql` selects them all, `distinct` each usable identifier once.

    `readable_sql` is `sql` on several lines.
    """

    sql: str
    readable_sql: str
    distinct: exp.Select


@dataclass(frozen=True, slots=True)
class Overlap:
    """The number of members of another segment, and of those in both."""

    members: int
    in_both: int


def member_column(project: Project, segment: Segment, source: OpenSource) -> MemberColumn:
    """The column that identifies a segment's members.

    It is its first activation's column; else its model's key; else `email`, `user_id` or the first column.
    """
    for activation in project.activations.values():
        if activation.segment == segment.key:
            return MemberColumn.of(activation)
    model = project.models.get(segment.model or "")
    if model is not None and model.primary_key is not None:
        return MemberColumn(model.primary_key, "user_id")
    columns = _columns(project, segment, source)
    if not columns or look_up("email", columns):
        return MemberColumn("email", "email")
    return MemberColumn("user_id" if look_up("user_id", columns) else next(iter(columns)), "user_id")


def _columns(project: Project, segment: Segment, source: OpenSource) -> Mapping[str, ColumnType]:
    """The columns of a segment's rows; none if they cannot be read: compiling the segment reports why."""
    try:
        if segment.sql is not None:
            select = one_select(segment.sql, source.dialect)
            source.judge(select)
            return source.query_columns(select)
        table = segment.table or project.models[segment.model or ""].table
        return source.columns(table)
    except (SourceError, RefusedSqlError):
        return {}


def audience_of(
    project: Project, segment_key: str, by: MemberColumn, source: OpenSource, *, now: datetime
) -> Audience:
    """The members of a segment by one of its columns.

    Raises:
        SegmentError: the segment, or its column, does not fit the source.
        SourceError: the source does not answer.
    """
    query = members_query(project, segment_key, by.column, source, now=now, timezone=by.timezone)
    sql = write(query, source.dialect)
    members = verbatim(sql, "members")
    identity = column("members", IDENTIFIER)
    trimmed = exp.Trim(this=identity)
    compared = exp.Lower(this=trimmed) if by.match_by == "email" else identity
    distinct = (
        exp.select(exp.alias_(compared, identifier(IDENTIFIER)))
        .distinct()
        .from_(members)
        .where(exp.NEQ(this=trimmed.copy(), expression=text("")))
    )
    return Audience(sql, write(query, source.dialect, pretty=True), distinct)


def size_of(audience: Audience, source: OpenSource) -> int:
    """The number of distinct members; raises SourceError."""
    return source.count(write(audience.distinct, source.dialect))


def sample_of(audience: Audience, source: OpenSource, *, limit: int) -> list[str]:
    """A few identifiers, always the same ones; raises SourceError.

    They are chosen by hash: the alphabetically first ones are too much alike.
    """
    identity = column(_MINE, IDENTIFIER)
    query = (
        exp.select(identity)
        .from_(derived(audience.distinct.copy(), _MINE))
        .order_by(exp.MD5(this=identity.copy()))
        .limit(limit)
    )
    rows = source.batches(write(query, source.dialect)).read_all()
    return [str(each) for each in rows.column(0).to_pylist()]


def overlaps_of(audience: Audience, others: Sequence[Audience], source: OpenSource) -> list[Overlap]:
    """The overlap of an audience with each of the others, counted by the source in one SELECT.

    Raises:
        SourceError: the source does not answer.
    """
    if not others:
        return []
    counts = [_count_in_both(position, other) for position, other in enumerate(others)]
    query: exp.Query = counts[0]
    for count in counts[1:]:
        query = exp.union(query, count, distinct=False, copy=False)
    query = query.with_(identifier(_MINE), as_=audience.distinct.copy())
    rows = source.batches(write(query, source.dialect)).read_all()
    counted = {row["position"]: row for row in rows.to_pylist()}
    return [
        Overlap(int(counted[position]["members"]), int(counted[position]["in_both"]))
        for position in range(len(others))
    ]


def _count_in_both(position: int, other: Audience) -> exp.Select:
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
