"""What a declaration means, in plain Python over rows: written from the reference, not from the SQL."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from dinmo_pipeline.config.declarations import Project
from dinmo_pipeline.config.declarations.conditions import (
    AllOf,
    AnyOf,
    Condition,
    Duration,
    FieldCondition,
    InSegment,
    Not,
    RelatedCondition,
    Relative,
    Test,
)

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Evaluator:
    """Rows by table, and the moment and time zone that relative days refer to."""

    project: Project
    tables: Mapping[str, Sequence[Row]]
    now: datetime
    zone: ZoneInfo

    def members(self, key: str, column: str) -> list[str | None]:
        """The identifiers of a segment, sorted, None first."""
        segment = self.project.segments[key]
        rows = [row for row in self.rows_of(segment.model) if self.holds(segment.where, segment.model, row)]
        values = [None if row[column] is None else str(row[column]) for row in rows]
        return sorted(values, key=lambda value: (value is not None, value or ""))

    def rows_of(self, model: str | None) -> Sequence[Row]:
        """The rows of a model."""
        return self.tables[self.project.models[model].table]

    def holds(self, condition: Condition | None, model: str, row: Row) -> bool:
        """Whether a condition is true of a row; never unknown."""
        match condition:
            case None:
                return True
            case AllOf(conditions):
                return all(self.holds(each, model, row) for each in conditions)
            case AnyOf(conditions):
                return any(self.holds(each, model, row) for each in conditions)
            case Not(inner):
                return not self.holds(inner, model, row)
            case FieldCondition(name, test):
                return self.passes(row[name], test)
            case InSegment(key):
                return self.is_in(key, model, row)
            case RelatedCondition():
                return self.related(condition, model, row)
        raise AssertionError(condition)

    def is_in(self, key: str, model: str, row: Row) -> bool:
        """Whether a row of that segment has this row's key."""
        segment = self.project.segments[key]
        primary = self.project.models[model].primary_key
        return row[primary] is not None and any(
            other[primary] == row[primary] and self.holds(segment.where, model, other)
            for other in self.rows_of(model)
        )

    def related(self, condition: RelatedCondition, model: str, row: Row) -> bool:
        """Whether a test of the related rows is true."""
        ends = [(model, row)]
        for name in condition.relations:
            ends = [found for here, each in ends for found in self.follow(here, name, each)]
        rows = [each for here, each in ends if self.holds(condition.where, here, each)]
        match condition.measure:
            case "exists":
                return bool(rows)
            case "none":
                return not rows
            case "count":
                return self.passes(len(rows), condition.test)
        values = [each[condition.field] for each in rows]
        known = [value for value in values if value is not None]
        match condition.measure:
            case "count_distinct":
                return self.passes(len(set(known)), condition.test)
            case "first" | "last":
                end = self.project.models[ends[0][0]] if ends else None
                order = [
                    condition.order_by,
                    *([end.primary_key] if end and end.primary_key else []),
                ]
                return self.passes(self.first(condition, rows, order), condition.test)
        measures: dict[str, Callable[[Iterable[Any]], Any]] = {
            "sum": sum,
            "avg": lambda numbers: Fraction(sum(map(Fraction, numbers)), len(known)),
            "min": min,
            "max": max,
        }
        return self.passes(measures[condition.measure](known) if known else None, condition.test)

    def first(self, condition: RelatedCondition, rows: Sequence[Row], order: Sequence[str]) -> Any:
        """The measured value of the first or last row by order, key and value; NULLs are at the end."""
        left = list(rows)
        for name in (*order, condition.field):
            known = [row[name] for row in left if row[name] is not None]
            best = (max if condition.measure == "last" else min)(known) if known else None
            left = [row for row in left if row[name] == best]
        return left[0][condition.field] if left else None

    def follow(self, model: str, name: str, row: Row) -> list[tuple[str, Row]]:
        """The rows whose columns equal ours; NULL equals nothing."""
        relation = self.project.models[model].relations[name]
        return [
            (relation.model, other)
            for other in self.rows_of(relation.model)
            if all(
                row[ours] is not None and row[ours] == other[theirs] for ours, theirs in relation.join.columns
            )
        ]

    def passes(self, value: Any, test: Test) -> bool:
        """Whether a test is true of a value; of None only negated tests are."""
        match test.operator:
            case "not_equals":
                return not self.passes(value, Test("equals", test.value, test.ignore_case))
            case "not_in":
                return not self.passes(value, Test("in", test.value, test.ignore_case))
            case "is_blank":
                return not self.passes(value, Test("is_set", value=True))
        if value is None:
            return False
        if isinstance(value, date):
            return self.passes_in_time(value, test)
        fold = str.lower if test.ignore_case else (lambda text: text)
        if isinstance(value, str):
            value = fold(value)
        match test.operator, test.value:
            case "is_set", _:
                return not isinstance(value, str) or value.strip(" \t\n\r") != ""
            case "is_true", _:
                return value is True
            case "is_false", _:
                return value is False
            case "in", choices:
                return value in [fold(each) if isinstance(each, str) else each for each in choices]
            case "between", (low, high):
                return low <= value <= high
            case "contains", part:
                return fold(part) in value
            case "starts_with", part:
                return value.startswith(fold(part))
            case "ends_with", part:
                return value.endswith(fold(part))
        return _COMPARE[test.operator](value, fold(test.value) if isinstance(test.value, str) else test.value)

    def passes_in_time(self, value: date, test: Test) -> bool:
        """Days and moments: a value is within a day, before it or after it."""
        match test.operator, test.value:
            case "is_set", _:
                return True
            case "in", choices:
                return any(self.place(value, each) == 0 for each in choices)
            case "between", (low, high):
                return self.place(value, low) >= 0 and self.place(value, high) <= 0
            case "within_last", Duration(amount, unit):
                return (
                    self.place(value, Relative(-amount, unit)) >= 0
                    and self.place(value, self.here(value)) <= 0
                )
            case "within_next", Duration(amount, unit):
                return (
                    self.place(value, Relative(amount, unit)) <= 0
                    and self.place(value, self.here(value)) >= 0
                )
            case "anniversary_on", day:
                return self.has_anniversary(value, self.day_of(day), 0)
            case "anniversary_within_next", Duration(amount, unit):
                return self.has_anniversary(value, self.today, amount * (7 if unit == "weeks" else 1))
        return _COMPARE[test.operator](self.place(value, test.value), 0)

    @property
    def today(self) -> date:
        """The current day in the time zone."""
        return self.now.astimezone(self.zone).date()

    def here(self, value: date) -> date:
        """Now, in the precision of the column."""
        return self.now if isinstance(value, datetime) else self.today

    def place(self, value: date, moment: Any) -> int:
        """-1 before the moment, 1 after it, 0 in it; a day is as long as it is."""
        if isinstance(moment, Relative) and moment.unit in ("minutes", "hours"):
            moment = self.now + timedelta(**{moment.unit: moment.offset})
        if isinstance(moment, datetime):
            instant = self.instant(value)
            return (instant > self.instant(moment)) - (instant < self.instant(moment))
        day = self.day_of(moment)
        if isinstance(value, datetime):
            value = value if value.tzinfo is None else value.astimezone(self.zone)
            value = value.date()
        return (value > day) - (value < day)

    def instant(self, moment: datetime) -> datetime:
        """A moment without a time zone is on the zone's wall clock."""
        return (moment if moment.tzinfo else moment.replace(tzinfo=self.zone)).astimezone(UTC)

    def day_of(self, day: date | Relative) -> date:
        """The day itself, or the one relative to today."""
        if not isinstance(day, Relative):
            return day
        if day.unit in ("days", "weeks"):
            return self.today + day.offset * timedelta(**{day.unit: 1})
        months = self.today.year * 12 + self.today.month - 1 + day.offset * (12 if day.unit == "years" else 1)
        for last in range(self.today.day, 0, -1):
            try:
                return date(months // 12, months % 12 + 1, last)
            except ValueError:
                continue
        raise AssertionError(day)

    def has_anniversary(self, value: date, first: date, days: int) -> bool:
        """Whether one of the days is the anniversary, in its own year."""
        if isinstance(value, datetime) and value.tzinfo:
            value = value.astimezone(self.zone)
        for offset in range(min(days, 400) + 1):
            day = first + timedelta(days=offset)
            try:
                anniversary = date(day.year, value.month, value.day)
            except ValueError:
                anniversary = date(day.year, 2, 28)
            if anniversary == day:
                return True
        return False


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "equals": lambda a, b: a == b,
    "on": lambda a, b: a == b,
    "greater_than": lambda a, b: a > b,
    "after": lambda a, b: a > b,
    "at_least": lambda a, b: a >= b,
    "less_than": lambda a, b: a < b,
    "before": lambda a, b: a < b,
    "at_most": lambda a, b: a <= b,
}
