"""Tests of days and moments: date, timestamp and timestamptz columns.

A day means all of it: `after` a day begins when the day ends, and `at_most` a day includes its evening.
On a timestamp column, days begin at midnight in the activation's time zone; a timestamp without a time zone
is read on that zone's wall clock.
"""

import calendar
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlglot import exp

from dinmo_pipeline.config.declarations.conditions import Duration, Relative, Test, Value
from dinmo_pipeline.segments.compiler.mismatches import (
    MismatchError,
    as_declared,
    not_applicable,
    value_as_declared,
    wrong_value,
)
from dinmo_pipeline.segments.sql import literals
from dinmo_pipeline.segments.sql.clock import Clock, OutsideCalendarError
from dinmo_pipeline.segments.sql.columns import ColumnType


@dataclass(frozen=True, slots=True)
class TemporalColumn:
    """A column of days or moments: an expression, its type, and the clock it is read with."""

    operand: exp.Expr
    type: ColumnType
    clock: Clock

    def test(self, test: Test) -> exp.Expr:
        """The test as an expression; it may be NULL where the column is.

        Raises:
            MismatchError: the test does not fit the column.
        """
        try:
            return self._test(test)
        except OutsideCalendarError:
            raise MismatchError(f"{as_declared(test)} leads outside the years 1 to 9999.") from None

    def _test(self, test: Test) -> exp.Expr:
        value = test.value
        if isinstance(value, Duration):
            return self._within(test.operator, value)
        if test.operator == "anniversary_on":
            day = self._moment(value)
            if isinstance(day, datetime):
                raise MismatchError("An anniversary is a day, not a time.")
            return self._anniversary(day, day)
        if isinstance(value, tuple):
            moments = [self._moment(each) for each in value]
            if test.operator == "between":
                return exp.and_(self._at_least(moments[0]), self._at_most(moments[1]))
            return exp.or_(*(self._equals(moment) for moment in moments))
        comparisons: dict[str, Callable[[date | datetime], exp.Expr]] = {
            "equals": self._equals,
            "on": self._equals,
            "greater_than": self._after,
            "after": self._after,
            "at_least": self._at_least,
            "less_than": self._before,
            "before": self._before,
            "at_most": self._at_most,
        }
        if test.operator not in comparisons:
            others = ("in", "between", "within_last", "within_next", "anniversary")
            raise not_applicable(test, self.type, (*comparisons, *others))
        return comparisons[test.operator](self._moment(value))

    def _moment(self, value: Value) -> date | datetime:
        """The day or instant of a value, which may be ISO text."""
        if isinstance(value, str):
            value = parse_moment(value) or value
        if not isinstance(value, date | datetime | Relative):
            raise wrong_value(self.type, value, "a day", allowed=("2026-03-01",))
        moment = self.clock.resolve(value)
        if isinstance(moment, datetime) and self.type.kind == "date":
            raise MismatchError(
                f"{self.type.type} holds whole days; {value_as_declared(value)} is a time of day.",
                hint="Compare it with a day: 2026-03-01, today, 30 days ago.",
            )
        return moment

    def _within(self, operator: str, length: Duration) -> exp.Expr:
        """From the start of the day so far back until now, or from now to the end of the day so far ahead."""
        now = self.clock.today if self.type.kind == "date" else self.clock.now
        if self.type.kind == "date" and length.unit in ("minutes", "hours"):
            raise MismatchError(
                f"{self.type.type} holds whole days; {value_as_declared(length)} is too precise.",
                allowed=("days", "weeks", "months", "years"),
            )
        if operator == "within_last":
            return exp.and_(self._at_least(self.clock.ago(length)), self._at_most(now))
        if operator == "within_next":
            return exp.and_(self._at_least(now), self._at_most(self.clock.ahead(length)))
        last = self.clock.ahead(length)
        if isinstance(last, datetime):
            raise MismatchError("An anniversary is a day, not a time.", allowed=("days", "weeks"))
        return self._anniversary(self.clock.today, last)

    def _equals(self, moment: date | datetime) -> exp.Expr:
        if isinstance(moment, datetime) or self.type.kind == "date":
            return exp.EQ(this=self._column(), expression=self._literal(moment))
        return exp.and_(self._at_least(moment), self._at_most(moment))

    def _at_least(self, moment: date | datetime) -> exp.Expr:
        return exp.GTE(this=self._column(), expression=self._literal(moment))

    def _before(self, moment: date | datetime) -> exp.Expr:
        return exp.LT(this=self._column(), expression=self._literal(moment))

    def _after(self, moment: date | datetime) -> exp.Expr:
        if isinstance(moment, datetime) or self.type.kind == "date":
            return exp.GT(this=self._column(), expression=self._literal(moment))
        return self._at_least(_next_day(moment))

    def _at_most(self, moment: date | datetime) -> exp.Expr:
        if isinstance(moment, datetime) or self.type.kind == "date":
            return exp.LTE(this=self._column(), expression=self._literal(moment))
        return self._before(_next_day(moment))

    def _literal(self, moment: date | datetime) -> exp.Expr:
        """The value to compare with; a day compared with a timestamp is the instant it begins."""
        if isinstance(moment, datetime):
            return literals.instant(moment, self.type, self.clock)
        if self.type.kind == "date":
            return literals.day(moment)
        if self.type.kind == "timestamp":
            # Midnight even where the zone's clock skips it: that is how the day is written.
            return literals.wall(datetime(moment.year, moment.month, moment.day))  # noqa: DTZ001
        return literals.instant(self.clock.start_of(moment), self.type, self.clock)

    def _anniversary(self, first: date, last: date) -> exp.Expr:
        """Whether month and day are within the span of days, compared as the number month x 100 + day."""
        if (last - first).days >= _DAYS_COVERING_A_YEAR:
            return exp.Not(this=exp.Is(this=self._column(), expression=exp.null()))
        start, end = _month_and_day(first), _month_and_day(last)
        if end == _FEBRUARY_28 and not calendar.isleap(last.year):
            end += 1  # 29 February falls on the 28th in short years
        at_least = exp.GTE(this=self._month_and_day(), expression=literals.number(start))
        at_most = exp.LTE(this=self._month_and_day(), expression=literals.number(end))
        return exp.or_(at_least, at_most) if first.year < last.year else exp.and_(at_least, at_most)

    def _month_and_day(self) -> exp.Expr:
        local = self._column()
        if self.type.kind == "timestamptz":
            local = exp.AtTimeZone(this=local, zone=literals.text(self.clock.zone.key))
        month = exp.Extract(this=exp.var("MONTH"), expression=local)
        day = exp.Extract(this=exp.var("DAY"), expression=local.copy())
        return exp.Paren(
            this=exp.Add(this=exp.Mul(this=month, expression=literals.number(100)), expression=day)
        )

    def _column(self) -> exp.Expr:
        return self.operand.copy()


_DAYS_COVERING_A_YEAR = 365  # 366 days with both ends
_FEBRUARY_28 = 228


def _month_and_day(day: date) -> int:
    return day.month * 100 + day.day


def _next_day(day: date) -> date:
    try:
        return day + timedelta(days=1)
    except OverflowError as error:
        raise OutsideCalendarError from error


def parse_moment(value: str) -> date | datetime | None:
    """An ISO day or time, None for other text."""
    try:
        return date.fromisoformat(value)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None
