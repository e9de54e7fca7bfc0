"""From a declared segment to the SELECT of its members' identifiers."""

from dataclasses import dataclass
from datetime import datetime

from sqlglot import exp

from dinmo_pipeline.config.declarations import Activation, Project, Segment
from dinmo_pipeline.config.strict_yaml.problems import Problem
from dinmo_pipeline.segments.compiler.segment import SegmentCompiler
from dinmo_pipeline.segments.errors import SegmentError
from dinmo_pipeline.segments.sources.opening import OpenSource
from dinmo_pipeline.segments.sql.clock import Clock
from dinmo_pipeline.segments.sql.columns import ColumnKind, ColumnType
from dinmo_pipeline.segments.sql.identifiers import identifier
from dinmo_pipeline.segments.sql.writing import write

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
    """The SELECT, in the source's dialect, of one text column `identifier`: the segment's members.

    They come as they are in the source: not normalised, not distinct, NULLs among them.

    Args:
        project: What is declared.
        segment_key: The key of the segment.
        column: The column that holds the identifier.
        source: The open source; its real columns are what the declarations are checked against.
        now: The instant that relative days and times are told from; it must have a time zone.
        timezone: The IANA name of the time zone whose days count.

    Raises:
        SegmentError: the segment does not fit the source; it holds every problem.
        SourceError: the source does not answer.
        KeyError: there is no such segment.
    """
    clock = Clock.at(now, timezone)
    return _selected(project, project.segments[segment_key], column, source, clock)[0]


@dataclass(frozen=True, slots=True)
class ActivatedSelect:
    """The SELECT of an activation's members; `identifier_type` is the source's word for its column's type."""

    sql: str
    identifier_type: str


def select_activated(
    project: Project, activation: Activation, source: OpenSource, *, now: datetime
) -> ActivatedSelect:
    """The SELECT of an activation's members: of its segment, column and time zone; see `select_members`.

    Raises:
        SegmentError: also where the column's type cannot identify people.
    """
    segment = project.segments[activation.segment]
    clock = Clock.at(now, activation.timezone)
    sql, type_ = _selected(project, segment, activation.column, source, clock)
    if type_.kind not in _IDENTIFYING_KINDS:
        raise SegmentError([_not_identifying(segment, activation.column, type_.type)])
    return ActivatedSelect(sql, type_.type)


def _selected(
    project: Project, segment: Segment, column: str, source: OpenSource, clock: Clock
) -> tuple[str, ColumnType]:
    compiler = SegmentCompiler(project, source, clock)
    found = compiler.column_of(segment, column, segment.place)
    if found is None or compiler.problems:
        raise SegmentError(compiler.problems)
    rows, chosen = found
    as_text = exp.cast(chosen.expression, exp.DataType.Type.TEXT)
    query = rows.select(exp.alias_(as_text, identifier(IDENTIFIER)))
    return write(query, source.dialect), chosen.type


# Days, moments and truth values tell nobody apart; lists, JSON and bytes have no one way to be written.
_IDENTIFYING_KINDS: tuple[ColumnKind, ...] = ("text", "integer", "decimal", "float")


def _not_identifying(segment: Segment, column: str, type_: str) -> Problem:
    return Problem(
        segment.place,
        f"segment {segment.key!r}",
        f"the column {column!r} is {type_}, which cannot identify people",
        allowed=("text", "a number", "UUID"),
        hint="Choose another `column`, or make it text in a `sql` segment.",
    )
