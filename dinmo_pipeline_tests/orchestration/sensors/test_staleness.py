"""Which activations are behind their schedule: judged per activation, told once per change."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from dinmo_pipeline.config import load_project
from dinmo_pipeline.orchestration.sensors.staleness import judge

NOON = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)


@pytest.fixture
def hourly(company):
    """An activation that is due at each full hour."""
    company.declared["activations"]["vip"] = {"schedule": "0 * * * *"}
    return load_project(company.declarations).activations["vip"]


@pytest.mark.parametrize(
    ("minutes_ago", "stale"), [(10, False), (89, False), (91, True), (3_000, True)]
)
def test_one_whole_interval_may_be_missing(hourly, minutes_ago, stale):
    """The tick of 12:00 may be under way at 12:30; the one of 11:00 must be done."""
    found = judge(
        hourly, last_synced=NOON - timedelta(minutes=minutes_ago), known_since=None, now=NOON
    )
    assert found.stale is stale


def test_the_schedules_time_zone_counts(hourly):
    """Six in the morning in Tokyo was 21:00 UTC the day before."""
    daily = replace(hourly, schedule="0 6 * * *", timezone="Asia/Tokyo")
    late = judge(daily, last_synced=NOON - timedelta(days=2), known_since=None, now=NOON)
    assert late.due_since == datetime(2026, 2, 28, 21, tzinfo=UTC)


def test_an_activation_that_never_ran_is_not_late_and_one_that_only_failed_is(hourly):
    """Nobody knows when it was declared, so its first run is what counts."""
    assert not judge(hourly, last_synced=None, known_since=None, now=NOON).stale
    failing = judge(hourly, last_synced=None, known_since=NOON - timedelta(hours=5), now=NOON)
    assert failing.stale
    assert failing.description.startswith("Behind its schedule since 2026-03-02 11:00 UTC: never.")


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
