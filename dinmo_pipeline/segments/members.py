"""From a declared segment to the SELECT of its members' identifiers."""

from dataclasses import dataclass
from datetime import datetime

from sqlglot import exp

from dinmo_pipeline.config.declarations import Activation, Project, Segment
from dinmo_pipeline.config.strict_yaml.problems import Problem
from dinmo_pipeline.segments.compiler.identifier_text import identifier_text
from dinmo_pipeline.segments.compiler.segment import SegmentCompiler
from dinmo_pipeline.segments.errors import SegmentError
from dinmo_pipeline.segments.sources.opening import OpenSource
from dinmo_pipeline.segments.sql.clock import Clock
from dinmo_pipeline.segments.sql.columns import ColumnKind, ColumnType
from dinmo_pipeline.segments.sql.identifiers import identifier
from dinmo_pipeline.segments.sql.writing import write
from dinmo_pipeline.text.wording import counted

IDENTIFIER = "identifier"


def select_members(
    project: Project,
    segment_key: str,
    column: str,
    source: OpenSource,
    *,
    now: datetime,
    timezone: str,
) -> str:
    """`members_query` as text in the source's dialect; raises what it raises."""
    query = members_query(project, segment_key, column, source, now=now, timezone=timezone)
    return write(query, source.dialect)


def members_query(
    project: Project,
    segment_key: str,
    column: str,
    source: OpenSource,
    *,
    now: datetime,
    timezone: str,
) -> exp.Select:
    """A segment's members as a SELECT of one text column `identifier`.

    Identifiers are as in the source: not normalised, not distinct, some NULL.

    Args:
        project: The declarations.
        segment_key: The segment.
        column: The column that holds the identifier.
        source: The open source; the declarations are checked against its columns.
        now: The instant that relative days and times refer to; it must have a time zone.
        timezone: The IANA name of the time zone that days belong to.

    Raises:
        SegmentError: the segment does not fit the source; it has every problem.
        SourceError: the source does not answer.
        KeyError: there is no such segment.
    """
    clock = Clock.at(now, timezone)
    return _select(project, project.segments[segment_key], column, source, clock)[0]


@dataclass(frozen=True, slots=True)
class ActivatedSelect:
    """The SELECT of an activation's members, and the type of their identifiers in the source.

    `remarks` are sentences about values that do not fit, too few to fail the segment.
    """

    sql: str
    identifier: ColumnType
    remarks: tuple[str, ...]


def select_activated(
    project: Project, activation: Activation, source: OpenSource, *, now: datetime
) -> ActivatedSelect:
    """The SELECT of an activation's members, by its segment, column and time zone; see `select_members`.

    Raises:
        SegmentError: also if the column's type cannot identify people.
    """
    segment = project.segments[activation.segment]
    clock = Clock.at(now, activation.timezone)
    query, type_, remarks = _select(project, segment, activation.column, source, clock)
    if type_.kind not in _IDENTIFYING_KINDS:
        raise SegmentError([_not_identifying(segment, activation.column, type_.type)])
    return ActivatedSelect(write(query, source.dialect), type_, remarks)


def _select(
    project: Project, segment: Segment, column: str, source: OpenSource, clock: Clock
) -> tuple[exp.Select, ColumnType, tuple[str, ...]]:
    compiler = SegmentCompiler(project, source, clock)
    found = compiler.column_of(segment, column, segment.place)
    if found is None or compiler.problems:
        raise SegmentError(compiler.problems)
    rows, chosen = found
    query = rows.select(exp.alias_(identifier_text(chosen, source.dialect), identifier(IDENTIFIER)))
    return query, chosen.type, compiler.remarks


def refuse_unfit_numbers(
    project: Project, activation: Activation, identifier_type: ColumnType, not_whole: int
) -> None:
    """Refuse identifiers that are numbers with a fraction, or too large to be the number that was meant.

    `not_whole` is the number of rows with such an identifier.

    Raises:
        SegmentError: there are some.
    """
    if not not_whole:
        return
    segment = project.segments[activation.segment]
    exact = " too large to be exact or" if identifier_type.kind == "float" else ""
    problem = Problem(
        segment.place,
        f"segment {segment.key!r}",
        f"The column {activation.column!r} is {identifier_type.type}. In {counted(not_whole, 'row')} its"
        f" number is{exact} not whole, so it cannot be a user id.",
        hint="Make it an integer or text where the table is built.",
    )
    raise SegmentError([problem])


# Days, moments and booleans identify nobody; lists, JSON and bytes have no single text form.
_IDENTIFYING_KINDS: tuple[ColumnKind, ...] = ("text", "integer", "decimal", "float")


def _not_identifying(segment: Segment, column: str, type_: str) -> Problem:
    return Problem(
        segment.place,
        f"segment {segment.key!r}",
        f"The column {column!r} is {type_}, which cannot identify people.",
        allowed=("text", "a number", "UUID"),
        hint="Choose another `column`, or make it text in a `sql` segment.",
    )
