"""An activation whose declarations have a problem fails by itself; the others go on."""

import json
import os

import dagster as dg
import pytest

from dinmo_pipeline.config import load_project
from dinmo_pipeline.orchestration.build import build_definitions
from dinmo_pipeline_tests.chat import chat_of_a_test
from dinmo_pipeline_tests.ticking import Ticks

ANA, BEN = "ana@example.com", "ben@example.com"
WRONG = {"table": "vip", "tabel": "vip"}


@pytest.fixture
def half(company):
    """The activation `vip`, and `bad`, which was in sync until somebody broke its segment."""
    company.people(ANA, BEN)
    company.members([ANA])
    company.activate("bad", schedule="0 * * * *")
    company.members([ANA], "bad")
    company.synced("bad")
    company.members([ANA, BEN], "bad")
    return company


def spoil(company):
    company.declared["segments"]["bad"] = {"name": "Bad", **WRONG}


def definitions(company):
    found = build_definitions(load_project(company.declarations, partly=True), os.environ)
    dg.Definitions.validate_loadable(found)
    return found


def test_a_run_of_a_broken_activation_fails_with_its_problem(half):
    """In a batch, the others go on."""
    spoil(half)
    job = definitions(half).resolve_job_def("sync_membership")
    config = {"ops": {"read_segments": {"config": {"activations": ["bad", "vip"]}}}}
    run = job.execute_in_process(
        instance=half.instance, partition_key="bad", run_config=config, raise_on_error=False
    )
    assert not run.success
    events = run.get_asset_materialization_events()
    assert {event.partition for event in events} == {"vip"}
    (check,) = [each for each in run.get_asset_check_evaluations() if each.partition == "bad"]
    assert "There is no setting `tabel` here" in check.description
    failed = half.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    data = failed[0].dagster_event.step_failure_data.user_failure_data
    assert data.description.startswith("1 of 2 activations failed.\nbad: failed. Its declarations cannot be")
    description = definitions(half).resolve_asset_graph().get(dg.AssetKey("segment_membership")).description
    assert "So these are not synced: bad." in description


def test_the_sensors_leave_a_broken_activation_out_and_say_so(half, monkeypatch):
    """Its changes wait; the chat hears of it once, and of its recovery."""
    good = definitions(half)
    assert (
        good.resolve_job_def("sync_membership")
        .execute_in_process(instance=half.instance, partition_key="bad")
        .success
    )
    with chat_of_a_test() as chat:
        half.declared["alerts"] = {"webhook": {"env": "TEST_WEBHOOK"}}
        monkeypatch.setenv("TEST_WEBHOOK", chat.url)
        spoil(half)
        ticks = Ticks(definitions(half), half.instance)
        assert ticks.tick() == ([], "Nothing to apply: bad cannot be used as it is declared.")
        ticks.tick("staleness_sensor")
        _, told = ticks.tick("alerts_sensor")
        assert told.startswith("bad: Its declarations cannot be used:")
        assert ticks.tick("alerts_sensor")[1] == "Nothing new to report."

        half.declared["segments"]["bad"] = {"name": "BAD", "table": "bad"}
        ticks.definitions = definitions(half)
        assert "Its declarations can be used again." in ticks.tick("alerts_sensor")[1]
        assert ticks.tick() == (["bad"], None)
        assert ticks.definitions.resolve_job_def("sync_membership").partitions_def is not None


def test_commands_work_on_the_others(half, dinmo):
    """With a warning; `check` lists the problem, and a command on the broken one refuses with it."""
    spoil(half)
    checked = dinmo("check", "--json")
    assert (checked.code, json.loads(checked.out)["broken_activations"]) == (2, ["bad"])
    assert "1 activation cannot be used: bad. The others can." in dinmo("check").err
    synced = dinmo("sync", "vip", "--json")
    assert (synced.code, json.loads(synced.out)["vip"]["status"]) == (0, "ok")
    assert "The declarations have 1 problem. 1 activation cannot be used: bad." in synced.err
    every = dinmo("sync", "--all", "--json")
    assert (every.code, list(json.loads(every.out))) == (2, ["vip"])
    for words in (("sync", "bad"), ("plan", "vip", "bad"), ("retire", "bad"), ("segments", "bad")):
        refused = dinmo(*words)
        assert (refused.code, refused.out) == (2, "")
        assert "There is no setting `tabel` here" in refused.err
    status = json.loads(dinmo("status", "--json").out)
    assert (status["bad"]["schedule"], len(status["bad"]["problems"])) == ("broken", 1)
