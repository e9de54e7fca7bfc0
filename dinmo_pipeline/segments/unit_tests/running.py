"""Run a segment's unit test: the members of the given rows, against the expected ones."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from dinmo_pipeline.config.declarations import Project, Segment, SegmentTest
from dinmo_pipeline.config.declarations.conditions import Scalar
from dinmo_pipeline.config.lineage import uses_of
from dinmo_pipeline.config.strict_yaml.problems import Problem
from dinmo_pipeline.segments.errors import SegmentError
from dinmo_pipeline.segments.members import select_members
from dinmo_pipeline.segments.sql.statements import RefusedSqlError
from dinmo_pipeline.segments.tables_read import TableId, declared_dialect
from dinmo_pipeline.segments.unit_tests.frozen_now import on_duckdb
from dinmo_pipeline.segments.unit_tests.given_tables import tables_of, warehouse_of
from dinmo_pipeline.segments.unit_tests.inferred_columns import Columns, inferred_columns


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a test: expected members that are missing, and members that were not expected."""

    test: SegmentTest
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the members are exactly the expected ones."""
        return not self.missing and not self.unexpected

    def __str__(self) -> str:
        """`vip_needs_three_orders: customer_id of segment 'vip': missing 1, 2; unexpected 3`."""
        differences = [
            f"{what} {', '.join(members)}"
            for what, members in (("missing", self.missing), ("unexpected", self.unexpected))
            if members
        ]
        where = f"{self.test.column} of segment '{self.test.segment}'"
        return f"{self.test.key}: {where}: {'; '.join(differences) or 'as expected'}"


def run_segment_test(project: Project, test: SegmentTest, in_source: Mapping[TableId, Columns]) -> Verdict:
    """Put the rows of a test into an in-memory DuckDB and select the members.

    Args:
        project: The declarations.
        test: One of their tests.
        in_source: The columns of tables, as far as the source has them (see `source_columns`).

    Raises:
        SegmentError: the test or its segment does not fit the tables; it has every problem.
    """
    now = _now_of(test)
    known = {**inferred_columns(project), **in_source}
    ready = _with_sql_on_duckdb(project, test, now)
    with warehouse_of(test, tables_of(project, test, known)) as source:
        sql = select_members(ready, test.segment, test.column, source, now=now, timezone=test.timezone)
        found = source.batches(sql).read_all().column(0).to_pylist()
    return _verdict(test, {each for each in found if each is not None})


def _now_of(test: SegmentTest) -> datetime:
    if test.now is None:
        return datetime.now(UTC)
    return test.now if test.now.tzinfo else test.now.replace(tzinfo=ZoneInfo(test.timezone))


def _with_sql_on_duckdb(project: Project, test: SegmentTest, now: datetime) -> Project:
    """The project with the `sql` of the tested segments in DuckDB's dialect, at the time of the test."""
    segments: dict[str, Segment] = dict(project.segments)
    for key in uses_of(test.segment, project.segments, project.models).segments:
        segment = segments[key]
        if segment.sql is None:
            continue
        try:
            rewritten = on_duckdb(segment.sql, declared_dialect(project), now)
        except RefusedSqlError as error:
            problem = Problem(segment.place, f"segment {key!r}", f"Its SQL {error}")
            raise SegmentError([problem]) from error
        segments[key] = replace(segment, sql=rewritten)
    return replace(project, segments=segments)


def _verdict(test: SegmentTest, found: set[str]) -> Verdict:
    expected = {_as_text(member): member for member in test.members}
    numbers = {_plain_digits(text) for text, member in expected.items() if _is_number(member)}
    found_digits = {_plain_digits(text) for text in found}
    missing = {
        text
        for text in expected.keys() - found
        if not (_is_number(expected[text]) and _plain_digits(text) in found_digits)
    }
    unexpected = {text for text in found - expected.keys() if _plain_digits(text) not in numbers}
    return Verdict(test, tuple(sorted(missing)), tuple(sorted(unexpected)))


def _as_text(member: Scalar) -> str:
    if isinstance(member, bool):
        return str(member).lower()
    if isinstance(member, datetime):
        return member.isoformat(sep=" ")
    if isinstance(member, date):
        return member.isoformat()
    return format(member, "f") if isinstance(member, Decimal) else str(member)


def _is_number(member: Scalar) -> bool:
    return isinstance(member, int | Decimal) and not isinstance(member, bool)


_ZEROS_AFTER_POINT = re.compile(r"(-?[0-9]+)(?:\.0+|(\.[0-9]*[1-9])0*)")


def _plain_digits(text: str) -> str:
    """A number without the zeros that its column's type adds: `7.00` is `7`."""
    match = _ZEROS_AFTER_POINT.fullmatch(text)
    return f"{match[1]}{match[2] or ''}" if match else text
