"""From a declared segment to the SELECT of its members' identifiers."""

from datetime import datetime

from sqlglot import exp

from dinmo_pipeline.config.declarations import Activation, Project
from dinmo_pipeline.segments.clock import Clock
from dinmo_pipeline.segments.conditions import SegmentCompiler
from dinmo_pipeline.segments.errors import SegmentError
from dinmo_pipeline.segments.names import identifier
from dinmo_pipeline.segments.source import OpenSource
from dinmo_pipeline.segments.writing import write

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
    segment = project.segments[segment_key]
    compiler = SegmentCompiler(project, source, Clock.at(now, timezone))
    found = compiler.column_of(segment, column, segment.place)
    if found is None or compiler.problems:
        raise SegmentError(compiler.problems)
    rows, chosen = found
    as_text = exp.cast(chosen.expression, exp.DataType.Type.TEXT)
    query = rows.select(exp.alias_(as_text, identifier(IDENTIFIER)))
    return write(query, source.dialect)


def select_activated(
    project: Project, activation: Activation, source: OpenSource, *, now: datetime
) -> str:
    """The SELECT of an activation's members: of its segment, column and time zone; see `select_members`."""
    return select_members(
        project,
        activation.segment,
        activation.column,
        source,
        now=now,
        timezone=activation.timezone,
    )
