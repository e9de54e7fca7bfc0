"""Which activations are behind their schedule: judged per activation, reported once per change."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dinmo_pipeline.config import load_project
from dinmo_pipeline.orchestration.sensors.staleness import judge, last_interval

NOON = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)


@pytest.fixture
def hourly(company):
    """An activation that is due at each full hour."""
    company.declared["activations"]["vip"] = {"schedule": "0 * * * *"}
    return load_project(company.declarations).activations["vip"]


@pytest.mark.parametrize(("minutes_ago", "stale"), [(10, False), (89, False), (91, True), (3_000, True)])
def test_one_whole_interval_may_be_missing(hourly, minutes_ago, stale):
    """The tick of 12:00 may be under way at 12:30; the one of 11:00 must be done."""
    found = judge(hourly, last_synced=NOON - timedelta(minutes=minutes_ago), known_since=None, now=NOON)
    assert found.stale is stale


def test_the_schedules_time_zone_counts(hourly):
    """Six in the morning in Tokyo was 21:00 UTC the day before."""
    daily = replace(hourly, schedule="0 6 * * *", timezone="Asia/Tokyo")
    late = judge(daily, last_synced=NOON - timedelta(days=2), known_since=None, now=NOON)
    assert late.due_since == datetime(2026, 2, 28, 21, tzinfo=UTC)


ZONES = ("UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2031, 1, 1)).map(  # UTC follows
    lambda moment: moment.replace(tzinfo=UTC)
)
EVERY_DAY = frozenset(range(7))


def last_ticks(cron, timezone, now):
    """The last two ticks up to now, the newest first, in UTC."""
    interval = last_interval(cron, timezone, now)
    return [interval.end.astimezone(UTC), interval.start.astimezone(UTC)]


@given(
    st.sampled_from(ZONES),
    st.integers(0, 59),
    # Clocks are put forward and back before 4; what happens to a tick then is tested below.
    st.integers(4, 23),
    st.frozensets(st.sampled_from(range(7)), min_size=1),
    MOMENTS,
)
@example("Europe/Paris", 0, 4, EVERY_DAY, datetime(2026, 3, 29, 12, tzinfo=UTC))
@example("Europe/Paris", 0, 4, EVERY_DAY, datetime(2026, 10, 25, 12, tzinfo=UTC))
@example("America/New_York", 0, 4, frozenset({0}), datetime(2026, 11, 1, 9, tzinfo=UTC))
@example("UTC", 30, 9, EVERY_DAY, datetime(2026, 3, 1, 9, 30, tzinfo=UTC))
def test_the_last_interval_lies_between_the_last_two_ticks_by_the_wall_clock(
    timezone, minute, hour, weekdays, now
):
    """Against the days of the calendar, one by one; cron counts weekdays from Sunday."""
    cron = f"{minute} {hour} * * {','.join(map(str, sorted(weekdays)))}"
    today = now.astimezone(ZoneInfo(timezone)).replace(
        hour=hour, minute=minute, second=0, microsecond=0, fold=0
    )
    days = [today - timedelta(days=days) for days in range(15)]
    ticks = [day for day in days if day <= now and day.isoweekday() % 7 in weekdays]
    assert last_ticks(cron, timezone, now) == ticks[:2]


@given(st.sampled_from(ZONES[:4]), st.integers(0, 59), MOMENTS)
@example("Europe/Paris", 15, datetime(2026, 3, 29, 1, 30, tzinfo=UTC))
@example("Europe/Paris", 15, datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
def test_an_hourly_schedule_has_a_tick_in_every_hour_that_passes(timezone, minute, now):
    """Also in the hour that comes twice when clocks are put back."""
    second = now.replace(second=0, microsecond=0)
    minutes = (second - timedelta(minutes=ago) for ago in range(121))
    ticks = [at for at in minutes if at.astimezone(ZoneInfo(timezone)).minute == minute]
    assert last_ticks(f"{minute} * * * *", timezone, now) == ticks[:2]


@pytest.mark.parametrize(
    ("now", "ticks"),
    [
        (  # 2:30 does not exist on this night, so Dagster runs it at 3:00
            datetime(2026, 3, 29, 12, tzinfo=UTC),
            [datetime(2026, 3, 29, 1, 0, tzinfo=UTC), datetime(2026, 3, 28, 1, 30, tzinfo=UTC)],
        ),
        (  # 2:30 comes twice on this night, and it runs once, the second time
            datetime(2026, 10, 25, 12, tzinfo=UTC),
            [datetime(2026, 10, 25, 1, 30, tzinfo=UTC), datetime(2026, 10, 24, 0, 30, tzinfo=UTC)],
        ),
    ],
)
def test_a_daily_tick_is_neither_lost_nor_doubled_when_clocks_change(now, ticks):
    """As Dagster's scheduler does it."""
    assert last_ticks("30 2 * * *", "Europe/Paris", now) == ticks


def test_an_activation_that_never_ran_is_not_late_and_one_that_only_failed_is(hourly):
    """Nobody knows when it was declared, so its first run is what counts."""
    assert not judge(hourly, last_synced=None, known_since=None, now=NOON).stale
    failing = judge(hourly, last_synced=None, known_since=NOON - timedelta(hours=5), now=NOON)
    assert failing.stale
    assert failing.description.startswith("Behind its schedule since 2026-03-02 11:00 UTC: never in sync.")


def test_the_sensor_reports_each_activation_once_per_change(company):
    """The first tick tells how all are, the next one nothing new."""
    company.declared["activations"]["vip"] = {"schedule": "0 * * * *"}
    company.people("ana@example.com")
    company.members(["ana@example.com"])
    company.synced()
    definitions = company.definitions()
    sensor = definitions.resolve_sensor_def("staleness_sensor")
    with dg.build_sensor_context(instance=company.instance, definitions=definitions) as context:
        first = sensor.evaluate_tick(context)
    (event,) = first.asset_events
    assert (event.check_name, event.partition, event.passed) == ("up_to_date", "vip", True)
    with dg.build_sensor_context(
        instance=company.instance, cursor=first.cursor, definitions=definitions
    ) as context:
        assert sensor.evaluate_tick(context).asset_events == []


def test_the_check_is_evaluated_with_each_sync(company):
    """So that it turns green as soon as the activation is in sync again."""
    company.members(["ana@example.com"])
    definitions = company.definitions()
    for job in ("sync_membership", "apply_tag_changes"):
        result = definitions.resolve_job_def(job).execute_in_process(
            instance=company.instance, partition_key="vip"
        )
    found = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    assert found["up_to_date"] is True
