"""One `now` per run, and the days and moments relative to it in the activation's time zone.

Bounds are computed here and become literals, so no warehouse's clock, time zone or date arithmetic matters.
"""

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dinmo_pipeline.config.declarations.conditions import Duration, Moment, Relative, Unit

_DAYS: dict[Unit, int] = {"days": 1, "weeks": 7}
_MONTHS: dict[Unit, int] = {"months": 1, "years": 12}
_MINUTES: dict[Unit, int] = {"minutes": 1, "hours": 60}


class OutsideCalendarError(Exception):
    """A day before the year 1 or after 9999."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The instant that a run takes as now, and the time zone that its days belong to."""

    now: datetime
    zone: ZoneInfo

    @classmethod
    def at(cls, now: datetime, timezone: str) -> "Clock":
        """A clock stopped at `now`; raises ValueError if `now` has no time zone."""
        if now.tzinfo is None:
            raise ValueError("now must have a time zone")
        return cls(now.astimezone(UTC), ZoneInfo(timezone))

    @property
    def today(self) -> date:
        """The current day in the time zone."""
        return self.now.astimezone(self.zone).date()

    def start_of(self, day: date) -> datetime:
        """The instant at which a day begins in the time zone; the first after it if midnight is skipped."""
        return datetime.combine(day, time.min, self.zone).astimezone(UTC)

    def instant(self, moment: datetime) -> datetime:
        """A moment as an instant; without an offset it is read on the time zone's wall clock."""
        return (moment if moment.tzinfo else moment.replace(tzinfo=self.zone)).astimezone(UTC)

    def wall(self, instant: datetime) -> datetime:
        """The time zone's wall clock at an instant, without an offset."""
        return instant.astimezone(self.zone).replace(tzinfo=None)

    def resolve(self, moment: Moment) -> date | datetime:
        """The whole day (a date) or the instant (a datetime) that a moment means.

        Raises:
            OutsideCalendarError: it is before the year 1 or after 9999.
        """
        if isinstance(moment, Relative):
            return self._shifted(moment.offset, moment.unit)
        return self.instant(moment) if isinstance(moment, datetime) else moment

    def ago(self, length: Duration) -> date | datetime:
        """The day or instant a length of time ago."""
        return self._shifted(-length.amount, length.unit)

    def ahead(self, length: Duration) -> date | datetime:
        """The day or instant a length of time from now."""
        return self._shifted(length.amount, length.unit)

    def _shifted(self, offset: int, unit: Unit) -> date | datetime:
        try:
            if unit in _MINUTES:
                return self.now + timedelta(minutes=offset * _MINUTES[unit])
            if unit in _DAYS:
                return self.today + timedelta(days=offset * _DAYS[unit])
            return _months_later(self.today, offset * _MONTHS[unit])
        except (OverflowError, ValueError) as error:
            raise OutsideCalendarError from error


def _months_later(day: date, months: int) -> date:
    """The same day of another month, or that month's last day if it is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))
