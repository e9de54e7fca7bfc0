"""Days and moments relative to now: months of different lengths, and days that begin at odd hours."""

from datetime import UTC, date, datetime

import pytest

from dinmo_pipeline.config.declarations.conditions import Duration, Moment, Relative
from dinmo_pipeline.segments.sql.clock import Clock, OutsideCalendarError


def clock(now: str, timezone: str = "UTC") -> Clock:
    """A clock stopped at an instant."""
    return Clock.at(datetime.fromisoformat(now), timezone)


@pytest.mark.parametrize(
    ("now", "moment", "expected"),
    [
        ("2026-03-31T12:00Z", Relative(-1, "months"), date(2026, 2, 28)),
        ("2024-03-31T12:00Z", Relative(-1, "months"), date(2024, 2, 29)),
        ("2026-03-29T12:00Z", Relative(-2, "months"), date(2026, 1, 29)),
        ("2024-02-29T12:00Z", Relative(-1, "years"), date(2023, 2, 28)),
        ("2024-02-29T12:00Z", Relative(4, "years"), date(2028, 2, 29)),
        ("2026-12-31T12:00Z", Relative(2, "months"), date(2027, 2, 28)),
        ("2026-01-15T12:00Z", Relative(-13, "months"), date(2024, 12, 15)),
        ("2026-01-15T12:00Z", Relative(-2, "weeks"), date(2026, 1, 1)),
        ("2026-01-15T12:00Z", Relative(0, "days"), date(2026, 1, 15)),
        ("2026-01-15T12:00Z", Relative(-90, "minutes"), datetime(2026, 1, 15, 10, 30, tzinfo=UTC)),
        ("2026-01-15T12:00Z", date(2020, 5, 5), date(2020, 5, 5)),
        ("2026-01-15T13:00+01:00", Relative(0, "hours"), datetime(2026, 1, 15, 12, tzinfo=UTC)),
    ],
)
def test_a_moment_is_relative_to_now(now: str, moment: Moment, expected: date) -> None:
    """A shorter month ends on its last day, and hours are exact."""
    assert clock(now).resolve(moment) == expected


@pytest.mark.parametrize(
    ("timezone", "day", "starts"),
    [
        ("UTC", date(2026, 3, 15), "2026-03-15T00:00Z"),
        ("Europe/Paris", date(2026, 3, 29), "2026-03-28T23:00Z"),
        ("Europe/Paris", date(2026, 3, 30), "2026-03-29T22:00Z"),
        # Clocks went from 23:59:59 to 01:00 in Sao Paulo, and back from 01:00 to midnight in Havana.
        ("America/Sao_Paulo", date(2018, 11, 4), "2018-11-04T03:00Z"),
        ("America/Havana", date(2026, 11, 1), "2026-11-01T04:00Z"),
    ],
)
def test_a_day_begins_at_midnight_of_its_time_zone(timezone: str, day: date, starts: str) -> None:
    """That includes days whose midnight is skipped or comes twice."""
    assert clock("2026-01-01T00:00Z", timezone).start_of(day) == datetime.fromisoformat(starts)


def test_lengths_of_time_reach_back_and_ahead() -> None:
    """The rules are the same as for moments."""
    now = clock("2026-03-31T23:30Z", "Europe/Paris")
    assert now.today == date(2026, 4, 1)
    assert now.ago(Duration(1, "days")) == date(2026, 3, 31)
    assert now.ahead(Duration(2, "hours")) == datetime(2026, 4, 1, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize("unit", ["minutes", "hours", "days", "weeks", "months", "years"])
def test_a_day_beyond_the_calendar_is_an_error(unit: str) -> None:
    """The arithmetic does not crash."""
    with pytest.raises(OutsideCalendarError):
        clock("2026-01-01T00:00Z").resolve(Relative(-(10**12), unit))
