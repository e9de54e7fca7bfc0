"""`dinmo pause` and `resume`: schedules and sensors leave an activation alone, people can still sync it."""

import json
from datetime import UTC, datetime

import dagster as dg
import duckdb
import pytest

from dinmo_pipeline.orchestration.runs.pauses import PAUSED_ACTIVATIONS
from dinmo_pipeline.state.schema.migrations import MIGRATIONS
from dinmo_pipeline_tests.ticking import Ticks, requested

EVERYBODY = [f"user{i}@example.com" for i in range(4)]


@pytest.fixture
def two(stored_company):
    """Two activations that share a schedule, both with people to tag; the command line uses its instance."""
    company = stored_company
    company.declared["segments"], company.declared["activations"] = {}, {}
    company.people(*EVERYBODY)
    for index, key in enumerate(("vip", "beta")):
        company.activate(key, schedule="0 * * * *")
        company.members(EVERYBODY[index * 2 : index * 2 + 2], key)
    return company


def due(company):
    """What the one schedule does at a tick."""
    definitions = company.definitions()
    (schedule,) = definitions.schedules
    with dg.build_schedule_context(
        instance=company.instance,
        repository_def=definitions.get_repository_def(),
        scheduled_execution_time=datetime(2026, 3, 1, 12, tzinfo=UTC),
    ) as context:
        return schedule.evaluate_tick(context)


def execute(company, request, job):
    return (
        company.definitions()
        .resolve_job_def(job)
        .execute_in_process(
            instance=company.instance,
            partition_key=request.partition_key,
            run_config=request.run_config,
            tags=request.tags,
        )
    )


def test_the_schedule_leaves_out_a_paused_activation_until_it_is_resumed(two, dinmo):
    """Its tick says so, and so does `dinmo status`."""
    printed = dinmo("pause", "vip", "--reason", "The list is being cleaned up.").out
    assert printed.startswith("vip: Paused since ")
    assert printed.endswith(" UTC: The list is being cleaned up. To go on: dinmo resume vip\n")
    (request,) = due(two).run_requests
    assert requested(request) == ["beta"]
    dinmo("pause", "beta")
    assert due(two).skip_message == "Paused: vip, beta."
    status = dinmo("status").out
    assert "vip: paused. Paused since " in status
    assert json.loads(dinmo("status", "--json").out)["vip"]["schedule"] == "paused"
    assert dinmo("resume", "vip", "beta", "vip").out == "vip: resumed.\nbeta: resumed.\n"
    (request,) = due(two).run_requests
    assert requested(request) == ["vip", "beta"]


def test_changes_of_a_paused_activation_wait_and_are_applied_once_it_is_resumed(two, dinmo):
    """It was paused between the two jobs."""
    (request,) = due(two).run_requests
    execute(two, request, "sync_membership")
    dinmo("pause", "vip")
    ticks = Ticks(two.definitions(), two.instance)
    assert ticks.tick()[0] == ["beta"]
    assert ticks.tick() == ([], "Nothing to apply: vip is paused.")
    dinmo("resume", "vip")
    (again,), _ = ticks.requests("tag_changes_sensor")
    assert requested(again) == ["vip"]
    execute(two, again, "apply_tag_changes")
    assert two.tagged("VIP") == set(EVERYBODY[:2])


def test_a_run_that_was_in_the_queue_asks_the_state_again(two, dinmo):
    """The tick came first, then the pause; the run of a person goes on."""
    (request,) = due(two).run_requests
    dinmo("pause", "vip")
    two.instance.delete_dynamic_partition(PAUSED_ACTIVATIONS, "vip")  # as with another DAGSTER_HOME
    assert "dagster/schedule_name" in request.tags
    run = execute(two, request, "sync_membership")
    assert {event.partition for event in run.get_asset_materialization_events()} == {"beta"}
    assert requested(due(two).run_requests[0]) == ["beta"]  # from now on
    run = execute(two, request.with_replaced_attrs(tags={}), "sync_membership")
    assert {event.partition for event in run.get_asset_materialization_events()} == {"vip", "beta"}


def test_sync_all_leaves_it_out_and_a_person_can_still_name_it(two, dinmo):
    """As with `enabled: false`."""
    dinmo("pause", "vip")
    everything = dinmo("sync", "--all")
    assert "vip: left out. Paused since " in everything.err
    assert (two.tagged("VIP"), two.tagged("BETA")) == (set(), set(EVERYBODY[2:]))
    dinmo("sync", "vip")
    assert two.tagged("VIP") == set(EVERYBODY[:2])


def test_a_paused_activation_is_not_behind_and_has_an_interval_after_it_is_resumed(two, dinmo):
    """Nobody wants an alert about what they stopped themselves."""
    two.synced("vip")
    dinmo("pause", "vip")
    ticks = Ticks(two.definitions(), two.instance)
    definitions = two.definitions()
    sensor = definitions.resolve_sensor_def("staleness_sensor")
    with dg.build_sensor_context(instance=two.instance, definitions=definitions) as context:
        tick = sensor.evaluate_tick(context)
    (paused,) = (each for each in tick.asset_events if each.partition == "vip")
    assert paused.passed
    assert paused.description.startswith("Paused: last in sync ")
    ticks.tick("staleness_sensor")
    known_since, is_stale, is_paused = json.loads(ticks.cursors["staleness_sensor"])["vip"]
    assert (is_stale, is_paused) == (False, True)
    dinmo("resume", "vip")
    ticks.tick("staleness_sensor")
    assert json.loads(ticks.cursors["staleness_sensor"])["vip"] == [known_since, False, False]


@pytest.mark.parametrize("launched_by", ["a command", "a schedule"])
def test_the_state_of_an_earlier_release_is_migrated(two, dinmo, launched_by):
    """Nobody could pause anything then, so there is no table to read."""
    with duckdb.connect(str(two.folder / "state.duckdb")) as connection:
        connection.execute("CREATE SCHEMA dinmo")
        connection.execute("CREATE TABLE dinmo.schema_version (version INTEGER, installed_at TIMESTAMPTZ)")
        for version, script in enumerate(MIGRATIONS[:6], start=1):
            connection.execute(script)
            connection.execute("INSERT INTO dinmo.schema_version VALUES (?, now())", [version])
    if launched_by == "a command":
        assert dinmo("sync", "--all").code == 0
    else:
        (request,) = due(two).run_requests
        execute(two, request, "sync_membership")
    assert two.rows("SELECT count(*) FROM dinmo.segment_membership") == [(4,)]


def test_names_that_are_not_declared_are_refused(two, dinmo):  # the declarations
    """But a pause can be ended after its activation is gone."""
    refused = dinmo("pause", "vipp")
    assert refused.code == 2
    assert "There is no activation 'vipp'. Perhaps you meant 'vip'." in refused.err
    dinmo("pause", "vip")
    del two.declared["activations"]["vip"]
    two.declarations  # noqa: B018  # writes them
    assert dinmo("resume", "vip", "--json").code == 0
    assert dinmo("resume", "vip").code == 2
