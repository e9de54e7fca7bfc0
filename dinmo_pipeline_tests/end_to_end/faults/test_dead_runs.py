"""SIGKILL: the run is closed in Dagster and in the log of syncs, and its activation goes on."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import dagster as dg
import pytest
from dagster import DagsterRunStatus as RunStatus

from dinmo_pipeline.config import load_project
from dinmo_pipeline.orchestration.naming import Names
from dinmo_pipeline.orchestration.runs.in_process import sync_activations
from dinmo_pipeline.state.file.locks import activation_lock
from dinmo_pipeline_tests.company import TOKEN, TOKEN_VARIABLE
from dinmo_pipeline_tests.soak.killing import killed_syncs
from dinmo_pipeline_tests.ticking import Ticks

PROJECT = Path(__file__).parents[3]
EVERYBODY = [f"user{n}@example.com" for n in range(40)]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Dagster's home with the project's settings, and the token, in the environment."""
    folder = tmp_path / "dagster_home"
    folder.mkdir()
    (folder / "dagster.yaml").write_text((PROJECT / "dagster.yaml").read_text())
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    return folder


def until(reached: Callable[[], object], seconds: float = 120.0):
    """The result of `reached` as soon as it is true."""
    ticking = Event()
    for _ in range(int(seconds * 20)):
        if found := reached():
            return found
        ticking.wait(0.05)
    raise AssertionError(f"not reached: {reached}")


@pytest.mark.long
@pytest.mark.usefixtures("home")
def test_a_killed_command_is_closed_by_the_sensor_and_by_the_next_sync(tmp_path):
    """Otherwise its run would stay started, and block every run of its activation in Dagster's queue."""
    with (
        killed_syncs(tmp_path, users=60, latency_ms=20.0, seed=3) as syncs,
        dg.DagsterInstance.get() as instance,
    ):
        company = syncs.company
        company.instance = instance
        ticks = Ticks(company.definitions(), instance)
        syncs.move(40)
        assert syncs.kill_after_calls(3)
        assert [run.status for run in instance.get_runs(limit=1)] == [RunStatus.STARTED]
        assert ticks.tick()[0] == ["vip"]
        (run,) = instance.get_runs(limit=1)
        assert run.status == RunStatus.FAILURE
        assert syncs.statuses() == ["ok", "running"]  # sensors do not open the state
        assert ticks.tick()[0] == []
        told = []
        assert syncs.kill_after_calls(3)
        outcome = sync_and_tell(company, told)
        assert outcome.status == "ok"
        assert [sentence.partition(" run ")[0] for sentence in told] == ["vip:"]
        assert "was killed. Its process ended before the run did" in told[0]
        assert syncs.wrong() == set()
        assert syncs.statuses() == ["ok", "interrupted", "interrupted", "ok"]
        assert all(run.is_finished for run in instance.get_runs())
        assert not list(tmp_path.glob("state.duckdb.locks/*.run"))


def sync_and_tell(company, told):
    """One sync, with the sentences that a person reads."""
    results = sync_activations(
        company.definitions(),
        company.instance,
        [load_project(company.declarations).activations["vip"]],
        names=Names(),
        allow_large_removal=True,
        log_level="CRITICAL",
        on_wait=told.append,
    )
    return results["vip"]


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("job", ["apply_tag_changes", "reconcile_tags"])
def test_a_run_killed_while_it_waits_is_closed_too(company, job):
    """Its launcher died with it, so Dagster is not informed, and another sync has the activation."""
    company.people(*EVERYBODY)
    company.members(EVERYBODY)
    company.synced()
    locks = company.folder / "state.duckdb.locks"
    with (
        dg.DagsterInstance.get() as instance,
        activation_lock(locks, "vip", on_wait=print),
        executing(company, job) as process,
    ):
        until(lambda: list(locks.glob("*.run")))
        ticks = Ticks(company.definitions(), instance)
        ticks.tick()
        assert [run.status for run in instance.get_runs()] == [RunStatus.STARTED]
        process.kill()
        process.wait()
        ticks.tick()
        assert [run.status for run in instance.get_runs()] == [RunStatus.FAILURE]
        assert not list(locks.glob("*.run"))


@contextmanager
def executing(company, job):
    """A job for `vip` in a process of its own."""
    of_vip = ["--tags", '{"dagster/partition": "vip"}']
    definitions = ["-m", "dinmo_pipeline.definitions"]
    process = subprocess.Popen(
        [sys.executable, "-m", "dagster", "job", "execute", *definitions, "-j", job, *of_vip],
        env={**os.environ, "DINMO_CONFIG": str(company.declarations)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def daemon(company):
    """Dagster's own daemon, with a code server of the company's declarations."""
    workspace = company.folder / "workspace.yaml"
    workspace.write_text((PROJECT / "workspace.yaml").read_text())
    process = subprocess.Popen(
        [Path(sys.executable).with_name("dagster-daemon"), "run", "-w", workspace],
        env={**os.environ, "DINMO_CONFIG": str(company.declarations)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


def process_of(instance, run):
    """The process of a launched run, as recorded by Dagster."""
    for record in instance.all_logs(run.run_id):
        event = record.dagster_event
        if event and event.is_engine_event and "pid" in event.engine_event_data.metadata:
            return int(event.engine_event_data.metadata["pid"].value)
    return None


@pytest.mark.long
@pytest.mark.usefixtures("home")
def test_a_killed_run_of_the_daemon_is_closed_and_its_activation_goes_on(company):
    """Launched by the sensor through queue and launcher, and killed during calls to Intercom."""
    company.people(*EVERYBODY)
    company.members(EVERYBODY)
    company.declared["activations"]["vip"] = {"guards": {"max_removed_share": 1.0}}
    with dg.DagsterInstance.get() as instance:
        company.instance = instance
        company.synced()
        company.members(EVERYBODY[:5])
        membership = company.definitions().resolve_job_def("sync_membership")
        membership.execute_in_process(instance=instance, partition_key="vip")
        company.faults({"match": {"method": "DELETE"}, "kind": "latency", "seconds": 60})
        applying = dg.RunsFilter(job_name="apply_tag_changes", statuses=[RunStatus.STARTED])
        with daemon(company):
            (run,) = until(lambda: instance.get_runs(applying))
            until(lambda: company.rows("FROM dinmo.syncs WHERE status = 'running'"))
            os.kill(until(lambda: process_of(instance, run)), signal.SIGKILL)
            until(lambda: instance.get_run_by_id(run.run_id).is_finished)
        assert instance.get_run_by_id(run.run_id).status == RunStatus.FAILURE
        company.faults()
        ticks = Ticks(company.definitions(), instance)
        ticks.tick()
        membership.execute_in_process(instance=instance, partition_key="vip")
        assert ticks.tick()[0] == ["vip"]
        company.synced()
        statuses = company.rows("SELECT status FROM dinmo.syncs ORDER BY rowid")
        assert statuses == [("ok",), ("interrupted",), ("ok",)]
        assert company.tagged() == set(EVERYBODY[:5])
