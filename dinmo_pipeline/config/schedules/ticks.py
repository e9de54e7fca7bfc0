"""When a cron schedule last ran, without importing Dagster, which takes seconds.

A test compares the ticks with those of Dagster's scheduler.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dinmo_pipeline.config.schedules.cron import cron_sets

# 29 February comes after at most eight years.
_DAYS_LOOKED_BACK = 8 * 366 + 1


def missed_tick(cron: str, timezone: str, *, since: datetime, now: datetime) -> datetime | None:
    """The tick that an activation in sync at `since` missed by a whole interval; None while it is on time.

    The run of the newest tick may be under way, so only the one before counts.
    """
    ticks = ticks_before(cron, timezone, now)
    next(ticks, None)
    due = next(ticks, None)
    return due if due and since < due else None


def ticks_before(cron: str, timezone: str, now: datetime) -> Iterator[datetime]:
    """The ticks of a valid schedule up to a time, in UTC, the newest first.

    A time that the clocks skip in spring is taken as the time after; one that comes twice is the first.
    """
    zone = ZoneInfo(timezone)
    fields = cron_sets(cron)
    hours, minutes = sorted(fields.hours, reverse=True), sorted(fields.minutes, reverse=True)
    today = now.astimezone(zone).date()
    for age in range(_DAYS_LOOKED_BACK):
        day = today - timedelta(days=age)
        if not fields.has_day(day):
            continue
        for hour in hours:
            for minute in minutes:
                tick = _moment(day, time(hour, minute), zone)
                if tick <= now:
                    yield tick


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, zone).astimezone(UTC)
