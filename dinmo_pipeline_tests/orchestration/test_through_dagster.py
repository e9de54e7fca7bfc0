"""Dagster alone, without the CLI: schedules, both jobs, the sensor, in a real instance."""

import os
import subprocess
import sys
from datetime import UTC, datetime

import dagster as dg
import pytest

from dinmo_pipeline_tests.company import TOKEN
from dinmo_pipeline_tests.ticking import Ticks, requested

EVERYBODY = [f"user{i}@example.com" for i in range(20)]
SCHEDULED = {"schedule": "0 * * * *"}


@pytest.fixture
def four(stored_company):
    """A company with four scheduled activations of five people each."""
    company = stored_company
    company.declared["segments"], company.declared["activations"] = {}, {}
    company.people(*EVERYBODY)
    for index, key in enumerate(("alpha", "beta", "gamma", "delta")):
        company.activate(key, **SCHEDULED)
        company.members(EVERYBODY[index * 5 : index * 5 + 5], key)
    return company


class Dagster:
    """What the daemon does, called by hand: ticks of schedules and the sensor, and runs."""

    def __init__(self, company):
        self.definitions = company.definitions()
        self.instance = company.instance
        self.ticks = Ticks(self.definitions, self.instance)

    def schedule_tick(self, activation):
        """Evaluate a schedule and run what it asks for."""
        return self.run("sync_membership", activation)

    def requested_by(self, schedule):
        """The run that a schedule asks for."""
        definition = self.definitions.resolve_schedule_def(schedule)
        with dg.build_schedule_context(
            instance=self.instance,
            scheduled_execution_time=datetime(2026, 3, 1, 12, tzinfo=UTC),
            repository_def=self.definitions.get_repository_def(),
        ) as context:
            (request,) = definition.evaluate_tick(context).run_requests
        return request

    def run(self, job, activation, config=None):
        """Run a job for an activation, as a launched run does."""
        return self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            partition_key=activation,
            run_config=config or {},
            raise_on_error=False,
        )

    def sensor_tick(self):
        """Evaluate the sensor where it stopped; the activations it asks runs for, and its reason."""
        return self.ticks.tick()


def test_a_schedule_and_the_sensor_bring_the_tags_to_intercom(four):
    """Schedule tick, membership and changes, sensor tick, apply run, tags."""
    dagster = Dagster(four)
    assert dagster.schedule_tick("alpha").success
    requested, _ = dagster.sensor_tick()
    assert requested == ["alpha"]
    assert dagster.run("apply_tag_changes", "alpha").success
    assert four.tagged("ALPHA") == set(EVERYBODY[:5])
    assert four.created_by_api() == 0


def test_three_changed_activations_give_three_runs_and_an_unchanged_one_none(four):
    """All between two ticks of the sensor."""
    dagster = Dagster(four)
    for key in ("alpha", "beta", "gamma", "delta"):
        four.synced(key)
    dagster.sensor_tick()
    for key in ("alpha", "beta", "gamma"):
        four.members(EVERYBODY[2:], key)
        dagster.schedule_tick(key)
    dagster.schedule_tick("delta")
    requested, _ = dagster.sensor_tick()
    assert sorted(requested) == ["alpha", "beta", "gamma"]


def test_members_missing_in_intercom_give_no_run_until_they_sign_up(four):
    """The look for sign-ups is part of computing the changes."""
    four.members(["late@example.com", *EVERYBODY[:5]], "alpha")
    dagster = Dagster(four)
    dagster.schedule_tick("alpha")
    dagster.sensor_tick()
    dagster.run("apply_tag_changes", "alpha")
    dagster.schedule_tick("alpha")
    assert dagster.sensor_tick()[0] == []
    four.people("late@example.com")
    dagster.schedule_tick("alpha")
    assert dagster.sensor_tick()[0] == ["alpha"]
    dagster.run("apply_tag_changes", "alpha")
    assert "late@example.com" in four.tagged("ALPHA")


def test_a_change_set_is_launched_once(four):
    """A second tick finds nothing new."""
    dagster = Dagster(four)
    dagster.schedule_tick("alpha")
    assert dagster.sensor_tick()[0] == ["alpha"]
    requested, reason = dagster.sensor_tick()
    assert requested == []
    assert reason == "Nothing to apply: no new change set."


def test_a_change_set_that_the_command_line_applied_is_not_launched(four):
    """`dinmo sync` and the UI share the instance."""
    four.synced("alpha")
    requested, reason = Dagster(four).sensor_tick()
    assert requested == []
    assert reason == "Nothing to apply: alpha was applied by another run."


def test_a_change_set_waits_while_its_activation_has_a_run(four):
    """It is launched at the first tick after that run has ended."""
    dagster = Dagster(four)
    job = dagster.definitions.resolve_job_def("apply_tag_changes")
    under_way = four.instance.create_run_for_job(
        job, tags={"dagster/partition": "alpha"}, status=dg.DagsterRunStatus.STARTED
    )
    dagster.schedule_tick("alpha")
    requested, reason = dagster.sensor_tick()
    assert requested == []
    assert reason == "Nothing to apply: alpha has a run under way."
    four.instance.report_run_failed(under_way)
    assert dagster.sensor_tick()[0] == ["alpha"]


def test_a_held_change_set_is_not_launched_and_its_check_fails(four):
    """The check says why, and how to release it; the launchpad's flag does."""
    dagster = Dagster(four)
    four.synced("alpha")
    dagster.sensor_tick()
    four.members([], "alpha")
    computed = dagster.schedule_tick("alpha")
    assert computed.success
    (check,) = [c for c in computed.get_asset_check_evaluations() if c.check_name == "removal_guard"]
    assert not check.passed
    assert "The segment became empty: all 5 tagged contacts" in check.description
    assert "--allow-large-removal" in check.description
    assert dagster.sensor_tick()[1] == "Nothing to apply: alpha is held by a guard."
    assert not dagster.run("apply_tag_changes", "alpha").success
    assert four.tagged("ALPHA") == set(EVERYBODY[:5])
    allowed = {"ops": {"intercom_tags": {"config": {"allow_large_removal": True}}}}
    assert dagster.run("apply_tag_changes", "alpha", allowed).success
    assert four.tagged("ALPHA") == set()


def test_a_disabled_activation_has_no_schedule_and_no_sensor_run(four):
    """It can still be run by hand, and keeps its tags."""
    four.synced("alpha")
    four.declared["activations"]["alpha"] = {**SCHEDULED, "enabled": False}
    dagster = Dagster(four)
    dagster.sensor_tick()
    four.members(EVERYBODY[:7], "alpha")
    dagster.run("sync_membership", "alpha")
    assert dagster.sensor_tick()[1] == ("Nothing to apply: alpha is disabled or no longer declared.")
    names = {schedule.name for schedule in dagster.definitions.schedules}
    assert names == {"main_sync_0_x_x_x_x_UTC"}
    request = dagster.requested_by("main_sync_0_x_x_x_x_UTC")
    assert requested(request) == ["beta", "gamma", "delta"]


def test_a_rename_alone_gives_a_run(four):
    """No member changed, and the tag must still get its new name."""
    four.synced("alpha")
    four.declared["activations"]["alpha"] = {**SCHEDULED, "name": "Alpha plus"}
    dagster = Dagster(four)
    dagster.sensor_tick()
    dagster.schedule_tick("alpha")
    assert dagster.sensor_tick()[0] == ["alpha"]
    assert dagster.run("apply_tag_changes", "alpha").success
    assert four.tagged("Alpha plus") == set(EVERYBODY[:5])


def test_schedules_follow_the_declared_cron_and_time_zone(four):
    """One schedule for those that are due together, running from the start."""
    four.declared["activations"]["alpha"] = {
        "schedule": "30 6 * * 1-5",
        "timezone": "Europe/Paris",
    }
    four.declared["activations"]["beta"] = {"schedule": "manual"}
    definitions = four.definitions()
    schedule = definitions.resolve_schedule_def("main_sync_30_6_x_x_1to5_Europe_Paris")
    assert schedule.cron_schedule == "30 6 * * 1-5"
    assert schedule.execution_timezone == "Europe/Paris"
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    others = definitions.resolve_schedule_def("main_sync_0_x_x_x_x_UTC")
    assert others.description == "Syncs gamma, delta in 'main'."
    assert len(definitions.schedules) == 2


@pytest.mark.parametrize("repair", [False, True])
def test_a_reconciliation_has_a_schedule_of_its_own(four, repair):
    """Which tells of what differs, or mends it, as declared; none where none is declared."""
    four.declared["activations"]["alpha"]["reconcile"] = {"schedule": "@daily", "repair": repair}
    four.declared["activations"]["beta"] |= {"reconcile": {"schedule": "@daily"}, "enabled": False}
    four.synced("alpha")
    dagster = Dagster(four)
    names = {schedule.name for schedule in dagster.definitions.schedules}
    name = f"main_{'repair' if repair else 'reconcile'}_daily_UTC"
    assert names == {name, "main_sync_0_x_x_x_x_UTC"}
    request = dagster.requested_by(name)
    run = dagster.run("reconcile_tags", request.partition_key, request.run_config)
    assert run.success
    assert request.run_config == {"ops": {"reconcile": {"config": {"repair": repair}}}}


def test_numbers_that_a_person_follows_are_numeric_metadata(four):
    """So that the UI plots them per partition."""
    dagster = Dagster(four)
    found = {}
    for job, op in (("sync_membership", "read_segments"), ("apply_tag_changes", "intercom_tags")):
        for event in dagster.run(job, "alpha").asset_materializations_for_node(op):
            of_audience = event.asset_key.path[0] == "audiences"
            assert event.partition == (None if of_audience else "alpha")
            found |= {key: value.value for key, value in event.metadata.items()}
    followed = (
        "members",
        "entered",
        "left",
        "to_tag",
        "to_untag",
        "tagged",
        "untagged",
        "not_in_intercom",
        "failed",
        "api_calls",
        "seconds",
    )
    assert {key: type(found[key]) for key in followed} == {
        **dict.fromkeys(followed, int),
        "seconds": float,
    }
    assert (found["members"], found["entered"], found["to_tag"], found["tagged"]) == (5, 5, 5, 5)


def test_assets_explain_themselves(four):
    """Kinds, descriptions, column schemas and table names are set."""
    graph = four.definitions().resolve_asset_graph()
    for key in ("segment_membership", "membership_changes", "intercom_tags"):
        node = graph.get(dg.AssetKey(key))
        assert node.kinds
        assert node.description
        assert node.metadata["dagster/column_schema"].columns
        assert node.metadata["dagster/table_name"].startswith("dinmo.")
        assert node.partitions_def.get_partition_keys() == ["alpha", "beta", "gamma", "delta"]


@pytest.mark.parametrize(
    ("asset", "table"),
    [
        ("segment_membership", "segment_membership"),
        ("membership_changes", "membership_changes"),
        ("intercom_tags", "tagged_contacts"),
    ],
)
def test_the_columns_of_an_asset_are_those_of_its_table(four, asset, table):
    """Name, type and description, as the state has them."""
    node = four.definitions().resolve_asset_graph().get(dg.AssetKey(asset))
    shown = node.metadata["dagster/column_schema"].columns
    assert [(column.name, column.type, column.description) for column in shown] == four.rows(
        "SELECT column_name, data_type, comment FROM duckdb_columns()"
        f" WHERE schema_name = 'dinmo' AND table_name = '{table}' ORDER BY column_index"
    )


def test_no_event_holds_the_token_or_a_member(four):
    """Also not those of a run that fails: everything in the instance's log is searched."""
    dagster = Dagster(four)
    dagster.schedule_tick("alpha")
    dagster.run("apply_tag_changes", "alpha")
    four.faults({"match": {"route": "/tags/{id}"}, "kind": "status", "status": 403})
    dagster.run("apply_tag_changes", "alpha")
    texts = [
        record.event_log_entry.to_json()
        for run in four.instance.get_runs()
        for record in four.instance.get_records_for_run(run.run_id).records
    ]
    assert len(texts) > 50
    assert not [text for text in texts if TOKEN in text]
    assert not [text for text in texts if "@example.com" in text]


def test_a_missing_token_fails_only_the_activation_that_needs_it(four, monkeypatch):
    """With a sentence that names the variable and the destination."""
    four.declared["destinations"]["other"] = {
        "access_token": {"env": "OTHER_TOKEN"},
        "base_url": four.intercom,
    }
    for key in ("beta", "gamma", "delta"):
        four.declared["activations"][key]["destination"] = "main"
    four.declared["activations"]["alpha"]["destination"] = "other"
    monkeypatch.delenv("OTHER_TOKEN", raising=False)
    assert four.sync("beta").status == "ok"
    outcome = four.sync("alpha")
    assert outcome.status == "failed"
    assert outcome.reason == (
        "The environment variable OTHER_TOKEN (access token of destination 'other') is not set."
        " Intercom cannot be called."
    )


def test_an_unreachable_intercom_does_not_stop_the_membership(four):
    """Members not in Intercom are looked for at the next sync."""
    four.members(["late@example.com"], "alpha")
    four.synced("alpha")
    four.faults({"match": {"route": "/contacts/search"}, "kind": "status", "status": 403})
    result = Dagster(four).schedule_tick("alpha")
    assert result.success
    _, event, _ = result.asset_materializations_for_node("read_segments")
    assert "403" in event.metadata["look_failed"].value


def test_declared_resources_show_every_setting(four):
    """The values in the UI are the resolved ones; the token is a variable's name."""
    definitions = four.definitions()
    resources = definitions.get_repository_def().get_top_level_resources()
    shown = resources["activation_alpha"].config_schema.default_value
    assert resources["activation_alpha"].description
    assert shown["name"] == "ALPHA"
    assert shown["schedule"] == "0 * * * *"
    assert shown["guards_max_removed_share"] == 0.3
    destination = resources["destination_main"].config_schema.default_value
    assert destination["access_token"] == {"env": "TEST_INTERCOM_TOKEN"}
    assert TOKEN not in repr(definitions)


def test_a_run_takes_no_part_of_what_else_is_declared(four):
    """The UI shows a resource per activation; a run has none of them."""
    keys = {"alpha", "beta", "gamma", "delta"}
    shown, in_a_run = ((four.definitions(for_a_run=each).resources) for each in (False, True))
    assert shown.keys() - in_a_run.keys() == {f"activation_{key}" for key in keys}
    for job in ("sync_membership", "apply_tag_changes", "reconcile_tags"):
        definition = four.definitions().resolve_job_def(job)
        required = {key for node in definition.all_node_defs for key in node.required_resource_keys}
        assert required <= {"io_manager", "source", "state"}


LOADED_FOR = """
import sys
from dagster._core.code_pointer import CodePointer
from dagster._core.definitions import reconstruct
pointer = CodePointer.from_module("dinmo_pipeline.definitions", "defs", working_directory=None)
if sys.argv[1] == "server":
    reconstruct.initialize_repository_def_from_pointer(pointer)
served = reconstruct.reconstruct_repository_def_from_pointer(pointer)
print(sum(key.startswith("activation_") for key in served.get_top_level_resources()))
"""


def test_dagster_loads_them_for_the_code_server_and_not_for_a_run(four):
    """As the two processes do, through the module that workspace.yaml names: a server loads them twice."""
    environment = {**os.environ, "DINMO_CONFIG": str(four.declarations)}
    loaded = [
        subprocess.run(
            [sys.executable, "-c", LOADED_FOR, process],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for process in ("server", "run")
    ]
    assert loaded == ["4", "0"]


def test_the_description_of_an_activation_shows_wherever_it_is_seen(four):
    """In its resource, and in each of its materializations."""
    text = "For the newsletter."
    four.declared["activations"]["alpha"] |= {"description": text}
    dagster = Dagster(four)
    resource = dagster.definitions.resources["activation_alpha"]
    shown = {
        event.materialization.metadata["description"].value
        for job in ("sync_membership", "apply_tag_changes")
        for event in dagster.run(job, "alpha").get_asset_materialization_events()
        if event.partition
    }
    assert resource.description == text
    assert shown == {text}
