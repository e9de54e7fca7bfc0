"""The members of a segment on an engine, read as the pipeline reads them."""

from collections import Counter
from datetime import UTC, datetime

from dinmo_pipeline.config.declarations import Project
from dinmo_pipeline.config.declarations.conditions import Condition
from dinmo_pipeline.segments import OpenSource, select_members
from dinmo_pipeline_tests.segments import declaring

NOON = datetime(2026, 3, 15, 12, 0, tzinfo=UTC)


def members(
    source: OpenSource,
    project: Project,
    key: str,
    column: str = "id",
    *,
    now: datetime = NOON,
    timezone: str = "UTC",
) -> list[str | None]:
    """The identifiers of a segment, sorted, with repetitions; None first."""
    sql = select_members(project, key, column, source, now=now, timezone=timezone)
    rows = source.batches(sql).read_all()
    assert rows.column_names == ["identifier"]
    return sorted(rows.column(0).to_pylist(), key=lambda value: (value is not None, value or ""))


def holds(
    source: OpenSource,
    project: Project,
    model: str,
    condition: Condition,
    *,
    now: datetime = NOON,
    timezone: str = "UTC",
) -> str:
    """The ids of the model's rows that a condition is true of, as one word: `"13"`."""
    segment = declaring.segment("tested", condition, over=model)
    tested = declaring.project(*project.models.values(), *project.segments.values(), segment)
    found = members(source, tested, "tested", now=now, timezone=timezone)
    assert not [each for each, times in Counter(found).items() if times > 1]
    return "".join(str(each) for each in found)
