"""Batches: activations that are due together share a run, and each is worked on as if it were alone."""

import json
import uuid
from datetime import UTC, datetime

import dagster as dg
import pytest

from dinmo_pipeline_tests.state.file.other_process import holding_lock
from dinmo_pipeline_tests.ticking import Ticks, counted_queries, requested

EVERYBODY = [f"user{i}@example.com" for i in range(20)]
KEYS = ("vip", "beta", "gamma", "delta")


@pytest.fixture
def four(stored_company):
    """A company with four scheduled activations of five people each."""
    company = stored_company
    company.declared["segments"], company.declared["activations"] = {}, {}
    company.people(*EVERYBODY)
    for index, key in enumerate(KEYS):
        company.activate(key, schedule="0 * * * *")
        company.members(EVERYBODY[index * 5 : index * 5 + 5], key)
    return company


def execute(company, request, job):
    """Run what a schedule or sensor asked for, as the daemon does."""
    return (
        company.definitions()
        .resolve_job_def(job)
        .execute_in_process(
            instance=company.instance,
            partition_key=request.partition_key,
            run_config=request.run_config,
            tags=request.tags,
            raise_on_error=False,
        )
    )


def scheduled(company):
    """The run of the one schedule."""
    definitions = company.definitions()
    (schedule,) = definitions.schedules
    with dg.build_schedule_context(
        instance=company.instance,
        repository_def=definitions.get_repository_def(),
        scheduled_execution_time=datetime(2026, 3, 1, 12, tzinfo=UTC),
    ) as context:
        (request,) = schedule.evaluate_tick(context).run_requests
    return execute(company, request, "sync_membership")


def applied(company):
    """The runs that the sensor asks for."""
    ticks = Ticks(company.definitions(), company.instance)
    requests, _ = ticks.requests("tag_changes_sensor")
    return [execute(company, request, "apply_tag_changes") for request in requests]


def tagged(company):
    return {key: len(company.tagged(key.upper())) for key in KEYS}


def test_two_runs_bring_the_tags_of_all_to_intercom(four):
    """One reads the segments, one applies the changes; both log events for each partition."""
    read = scheduled(four)
    assert read.success
    (run,) = applied(four)
    assert run.success
    assert tagged(four) == dict.fromkeys(KEYS, 5)
    assert four.calls()["GET /tags"] == 1  # though four were made
    for executed, assets in ((read, 2), (run, 1)):
        events = executed.get_asset_materialization_events()
        assert sorted(event.partition for event in events if event.partition) == sorted(KEYS * assets)
    shown = [event.asset_key.path[-1] for event in events if not event.partition]
    assert sorted(shown) == sorted(KEYS)  # a point of each audience
    checks = {(check.check_name, check.partition) for check in run.get_asset_check_evaluations()}
    assert {("match_rate", key) for key in KEYS} <= checks
    tags = run.dagster_run.tags
    assert tags["dinmo/destination"] == "main"
    assert sorted(tags["dinmo/activations"].split(", ")) == sorted(KEYS)


def test_one_that_fails_neither_stops_nor_hides_the_others(four):
    """The run names it, its check says why, and the sensor applies the rest."""
    four.declared["segments"]["beta"] = {"name": "BETA", "table": "gone"}
    read = scheduled(four)
    assert not read.success
    (failure,) = (event for event in read.all_events if event.is_step_failure)
    data = failure.step_failure_data.user_failure_data
    assert data.description.startswith("1 of 4 activations failed.\nbeta: failed. ")
    assert set(data.metadata["failed_activations"].value) == {"beta"}
    evaluated = [
        event.asset_check_evaluation_data
        for event in read.all_events
        if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION
    ]
    unread = [check for check in evaluated if check.partition == "beta"]
    assert [(check.check_name, check.passed) for check in unread] == [("usable_identifiers", False)]
    assert "The source has no table 'gone'." in unread[0].description
    (run,) = applied(four)
    assert run.success
    assert tagged(four) == {"vip": 5, "beta": 0, "gamma": 5, "delta": 5}


def test_only_those_that_failed_are_repeated(four):
    """Intercom did not answer for a while, and then it did."""
    scheduled(four)
    four.faults({"match": {"method": "POST", "route": "/tags"}, "kind": "status", "status": 503, "times": 5})
    (run,) = applied(four)
    assert not run.success
    done = {each.partition for each in run.get_asset_materialization_events()}
    assert done
    sensor = Ticks(four.definitions(), four.instance)
    assert "Attempt 2 follows at" in sensor.tick("apply_tag_changes_retries")[1]
    cursor = json.loads(sensor.cursors["apply_tag_changes_retries"])
    cursor["failed"][0]["ended"] -= 60
    sensor.cursors["apply_tag_changes_retries"] = json.dumps(cursor)
    (request,), _ = sensor.requests("apply_tag_changes_retries")
    assert set(requested(request)) == set(KEYS) - done
    assert execute(four, request, "apply_tag_changes").success
    assert tagged(four) == dict.fromkeys(KEYS, 5)
    assert sensor.tick("apply_tag_changes_retries") == ([], "No failed run to repeat.")


@pytest.mark.usefixtures("four")
def test_an_unchanged_batch_costs_one_call(dinmo, four):
    """The list of tags answers for all of them."""
    dinmo("sync", "--all")
    four.calls()
    assert dinmo("sync", "--all").code == 0
    assert four.calls() == {"GET /tags": 1}


@pytest.mark.usefixtures("four")
def test_sign_ups_are_read_once_for_a_batch(dinmo, four):
    """Each activation misses a member, who then signs up; all of them get the tag at the next sync."""
    for key in KEYS:
        four.members([*EVERYBODY[:5], "new@example.com"], table=key)
    dinmo("sync", "--all", "--allow-large-removal")
    four.calls()
    assert dinmo("sync", "--all").code == 0
    assert four.calls() == {"GET /tags": 1, "POST /contacts/search": 1}
    four.people("new@example.com")
    assert dinmo("sync", "--all").code == 0
    assert all("new@example.com" in four.tagged(key.upper()) for key in KEYS)


def test_a_tag_deleted_after_the_list_is_made_again(dinmo, four):
    """No list is trusted to say that a tag is gone, nor asked after a rename."""
    dinmo("sync", "--all")
    (tag,) = (t for t in four.intercom_call("GET", "/tags")["data"] if t["name"] == "BETA")
    four.intercom_call("DELETE", f"/tags/{tag['id']}")
    assert dinmo("sync", "--all").code == 0
    assert tagged(four) == dict.fromkeys(KEYS, 5)
    four.declared["activations"]["beta"]["name"] = "Beta plus"
    four.calls()
    assert dinmo("sync", "--all").code == 0
    assert four.tagged("Beta plus") == set(EVERYBODY[5:10])
    # One list before the rename, one for the new name, and one for the other tags after it.
    assert four.calls()["GET /tags"] <= 3


def test_one_that_another_sync_works_on_comes_last(four):
    """The others do not wait for it."""
    run_id, seen = str(uuid.uuid4()), []
    job = four.definitions().resolve_job_def("sync_membership")
    config = {"ops": {"read_segments": {"config": {"activations": list(KEYS)}}}}
    with holding_lock(four.folder / "state.duckdb.locks") as other:

        def hear(event):
            if event.user_message.startswith("Another sync of vip is running"):
                query = "SELECT DISTINCT activation FROM dinmo.segment_membership ORDER BY ALL"
                seen.extend(key for (key,) in four.rows(query))
                other.let_go()

        four.instance.add_event_listener(run_id, hear)
        result = job.execute_in_process(
            instance=four.instance, partition_key="vip", run_config=config, run_id=run_id
        )
    assert result.success
    assert seen == ["beta", "delta", "gamma"]
    assert four.rows("SELECT count(*) FROM dinmo.segment_membership WHERE activation = 'vip'") == [(5,)]


def test_a_batch_that_was_killed_repeats_what_it_had_not_done(four):
    """Nothing but its events shows how far it came."""
    scheduled(four)
    run_id = str(uuid.uuid4())
    job = four.definitions().resolve_job_def("apply_tag_changes")
    config = {"ops": {"intercom_tags": {"config": {"activations": list(KEYS)}}}}

    def die(event):
        if event.user_message.startswith("Materialized value"):
            raise SystemExit

    four.instance.add_event_listener(run_id, die)
    with pytest.raises(SystemExit):
        job.execute_in_process(instance=four.instance, partition_key="vip", run_config=config, run_id=run_id)
    run = four.instance.get_run_by_id(run_id)
    if not run.is_finished:
        four.instance.report_run_failed(run, "Its machine went down.")
    _, said = Ticks(four.definitions(), four.instance).tick("apply_tag_changes_retries")
    assert len(said.splitlines()) == 3


@pytest.mark.usefixtures("four")
def test_sync_all_is_the_same_batch(dinmo):
    """Two runs for all."""
    printed = dinmo("sync", "--all", "--json")
    assert printed.code == 0
    results = json.loads(printed.out)
    assert {key: result["tagged"] for key, result in results.items()} == dict.fromkeys(KEYS, 5)
    with dg.DagsterInstance.get() as instance:
        runs = [run.job_name for run in instance.get_runs()]
    assert runs == ["apply_tag_changes", "sync_membership"]


def test_new_changes_take_the_place_of_a_failed_run_though_another_segment_broke(four):
    """A run that failed for one has computed the changes of the others."""
    scheduled(four)
    job = four.definitions().resolve_job_def("apply_tag_changes")
    config = {"ops": {"intercom_tags": {"config": {"activations": list(KEYS)}}}}
    failed = four.instance.create_run_for_job(job, run_config=config)
    four.instance.report_run_failed(failed, "Its machine went down.")
    sensor = Ticks(four.definitions(), four.instance)
    assert len(sensor.tick("apply_tag_changes_retries")[1].splitlines()) == 4
    four.declared["segments"]["beta"] = {"name": "BETA", "table": "gone"}
    assert not scheduled(four).success
    assert sensor.tick("apply_tag_changes_retries")[1].startswith("beta: ")
    assert len(sensor.tick("apply_tag_changes_retries")[1].splitlines()) == 1


@pytest.mark.parametrize(
    ("sensor", "cursor"),
    [
        ("staleness_sensor", {"vip": True}),
        (
            "alerts_sensor",
            {"at": 1_790_000_000.0, "activations": {"vip": {"as_of": 0.0, "kinds": ["tags"]}}},
        ),
        (
            "apply_tag_changes_retries",
            {
                "at": 1_790_000_000.0,
                "failed": [
                    {
                        "activation": "vip",
                        "job": "apply_tag_changes",
                        "run_id": "r1",
                        "ended": 1_790_000_000.0,
                        "attempt": 1,
                        "first_failed": 1_790_000_000.0,
                        "why_not": "",
                        "summary": "Away.",
                    }
                ],
                "judged": {"vip": 1_790_000_000.0},
            },
        ),
    ],
)
def test_the_cursor_of_an_earlier_release_is_read(four, monkeypatch, sensor, cursor):
    """It knew of runs of one activation only."""
    monkeypatch.setenv("TEST_ALERTS_WEBHOOK", "http://127.0.0.1:9/")
    four.declared["alerts"] = {"webhook": {"env": "TEST_ALERTS_WEBHOOK"}}
    ticks = Ticks(four.definitions(), four.instance, {sensor: json.dumps(cursor)})
    ticks.tick(sensor)
    ticks.tick(sensor)


def test_one_that_is_no_longer_declared_does_not_stop_the_others(four):
    """As when a run was queued before the declarations changed."""
    config = {"ops": {"read_segments": {"config": {"activations": ["vip", "gone", "beta"]}}}}
    job = four.definitions().resolve_job_def("sync_membership")
    result = job.execute_in_process(instance=four.instance, partition_key="vip", run_config=config)
    assert result.success
    read = {each.partition for each in result.get_asset_materialization_events()}
    assert read == {"vip", "beta"}


@pytest.mark.parametrize(
    "sensor", ["tag_changes_sensor", "staleness_sensor", "apply_tag_changes_retries", "alerts_sensor"]
)
def test_the_queries_of_a_tick_do_not_depend_on_the_number_of_activations(four, monkeypatch, sensor):
    """All of them in one batch, or one."""
    monkeypatch.setenv("TEST_ALERTS_WEBHOOK", "http://127.0.0.1:9/")
    four.declared["alerts"] = {"webhook": {"env": "TEST_ALERTS_WEBHOOK"}}
    scheduled(four)
    applied(four)
    with counted_queries() as of_four:
        Ticks(four.definitions(), four.instance).tick(sensor)
    for key in KEYS[1:]:
        del four.declared["activations"][key]
    with counted_queries() as of_one:
        Ticks(four.definitions(), four.instance).tick(sensor)
    assert of_four["queries"] == of_one["queries"] > 0
