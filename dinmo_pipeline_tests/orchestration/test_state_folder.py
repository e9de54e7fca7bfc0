"""`state: {folder: …}`: each destination has a state file of its own, and one run at a time."""

import copy
import json
import re
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec

import dagster as dg
import duckdb
import pytest
import requests

from dinmo_pipeline.cli.leases import command_leases
from dinmo_pipeline.config import load_project
from dinmo_pipeline.emulator import EmulatorSettings, running
from dinmo_pipeline.orchestration.naming import names_of
from dinmo_pipeline.orchestration.resources import StateResource
from dinmo_pipeline.orchestration.runs import leases
from dinmo_pipeline.orchestration.runs.batch import BatchConfig
from dinmo_pipeline.orchestration.runs.leases import destination_lease, this_machine
from dinmo_pipeline.orchestration.runs.turns import taken_turn
from dinmo_pipeline.state.coordination.leases import Lease, newest_lease, take_lease
from dinmo_pipeline.state.coordination.pauses import pause, pauses
from dinmo_pipeline.state.errors import DestinationHeldError
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline_tests.company import TOKEN, TOKEN_VARIABLE

ANN, BO, CY = "ann@example.com", "bo@example.com", "cy@example.com"


@pytest.fixture(scope="module")
def elsewhere():
    """Another workspace, by its address."""
    with running(EmulatorSettings(token=TOKEN, workspace_id="elsewhere")) as server:
        yield server.base_url


@pytest.fixture
def two(stored_company, elsewhere):
    """Two destinations with an activation each, and a state folder."""
    company = stored_company
    requests.post(f"{elsewhere}/_emulator/reset", json={}, timeout=30).raise_for_status()
    company.declared["state"] = {"folder": "state"}
    company.declared["destinations"]["other"] = {
        "access_token": {"env": TOKEN_VARIABLE},
        "base_url": elsewhere,
    }
    company.declared["activations"]["vip"] = {"destination": "main"}
    company.activate("beta", destination="other")
    company.people(ANN, BO, CY)
    there(company).people(ANN, BO, CY)
    company.members([ANN, BO])
    company.members([CY], "beta")
    return company


def there(company):
    """The company, to be asked about the other workspace."""
    asked = copy.copy(company)
    asked.intercom = company.declared["destinations"]["other"]["base_url"]
    return asked


def state_of(company, destination):
    return StateDatabase(str(company.folder / "state" / f"{destination}.duckdb"))


def test_each_destination_has_a_file_and_commands_show_them_as_one(two, dinmo):
    """Nobody has to know where a row is."""
    assert dinmo("sync", "--all").code == 0
    assert (two.tagged("VIP"), there(two).tagged("BETA")) == ({ANN, BO}, {CY})
    assert sorted(file.name for file in (two.folder / "state").glob("*.duckdb")) == [
        "main.duckdb",
        "other.duckdb",
    ]
    for destination, activation in (("main", "vip"), ("other", "beta")):
        with state_of(two, destination).reading() as connection:
            assert connection.execute("SELECT DISTINCT activation FROM dinmo.syncs").fetchall() == [
                (activation,)
            ]
    shown = json.loads(dinmo("status", "--json").out)
    assert {key: row["tagged_contacts"] for key, row in shown.items()} == {"vip": 2, "beta": 1}
    planned = json.loads(dinmo("plan", "--json").out)
    assert {key: row["members"] for key, row in planned.items()} == {"vip": 2, "beta": 1}
    assert {key: len(json.loads(dinmo("history", key, "--json").out)["syncs"]) for key in shown} == {
        "vip": 1,
        "beta": 1,
    }
    for who, activation in ((ANN, "vip"), (CY, "beta")):
        found = json.loads(dinmo("who", who, "--json").out)["activations"]
        assert found[activation]["tagged_since"]
    if find_spec("vl_convert"):
        page = two.folder / "audience.html"
        assert dinmo("report", "--out", str(page)).out.startswith(f"{page}: 2 audiences")
        assert {"VIP", "BETA"} <= set(re.findall("[A-Z]{3,}", page.read_text()))
    dinmo("pause", "vip", "beta")
    assert "Paused since" in dinmo("status").out
    assert dinmo("resume", "vip", "beta").out == "vip: resumed.\nbeta: resumed.\n"
    assert dinmo("forget", CY).code == 0
    assert there(two).tagged("BETA") == set()
    two.declared["activations"]["vip"]["enabled"] = False
    assert dinmo("retire", "vip", "--yes").code == 0
    assert two.tagged("VIP") == set()


def test_an_activation_that_moves_leaves_its_tag_behind_in_the_other_file(two, dinmo):
    """As in one file: `status` shows it, and `retire --destination` takes it off."""
    dinmo("sync", "vip")
    two.declared["activations"]["vip"] = {"destination": "other", "name": "VIP there"}
    dinmo("sync", "vip")
    row = json.loads(dinmo("status", "--json").out)["vip"]
    assert (row["destination"], row["tag"], row["tagged_contacts"]) == ("other", "VIP there", 2)
    assert row["left_behind"] == [{"destination": "main", "tag": "VIP", "contacts": 2}]
    assert dinmo("retire", "vip", "--destination", "main", "--yes").code == 0
    assert (two.tagged("VIP"), there(two).tagged("VIP there")) == (set(), {ANN, BO})


def test_two_destinations_of_one_workspace_are_refused(two, dinmo):
    """Neither file would see who owns a tag in the other."""
    dinmo("sync", "vip")
    two.declared["destinations"]["other"]["base_url"] = two.intercom
    refused = dinmo("sync", "beta")
    assert refused.code == 1
    assert "Destinations 'main' and 'other' both lead to the Intercom workspace" in refused.err
    assert two.tagged("BETA") == set()


def rows_of(company, dinmo):
    """What people see of the state, and every row of it."""
    shown = json.loads(dinmo("status", "--json").out)
    folder = company.declared["state"].get("folder")
    files = sorted((company.folder / folder).glob("*.duckdb")) if folder else [company.folder / "all.duckdb"]
    rows = Counter()
    for file in files:
        with duckdb.connect(str(file), read_only=True) as connection:
            tables = connection.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'dinmo'")
            for (table,) in tables.fetchall():
                if table not in {"leases", "schema_version"}:
                    found = connection.execute(f"FROM dinmo.{table}").fetchall()
                    rows.update((table, *map(str, row)) for row in found)
    return shown, rows


def test_a_state_is_divided_and_joined_without_loss(two, dinmo):
    """A company grows, and thinks better of it."""
    two.declared["state"] = {"database": "all.duckdb"}
    dinmo("sync", "--all")
    two.members([BO])
    dinmo("sync", "--all")
    dinmo("pause", "beta", "--reason", "later")
    before = rows_of(two, dinmo)
    assert dinmo("move-state", str(two.folder / "all.duckdb")).code == 2  # it is there already
    two.declared["state"] = {"folder": "state"}
    assert dinmo("move-state", str(two.folder / "all.duckdb")).code == 0
    assert rows_of(two, dinmo) == before
    two.calls()
    assert dinmo("sync", "--all", "--json").code == 0
    assert not any(call.startswith("POST /tags") for call in two.calls())  # nothing was lost
    before = rows_of(two, dinmo)
    two.declared["state"] = {"database": "all.duckdb"}
    refused = dinmo("sync", "vip")
    assert refused.code == 1
    assert "was moved elsewhere by `dinmo move-state`" in refused.err
    assert "exists already. Move it away" in dinmo("move-state", str(two.folder / "state")).err
    (two.folder / "all.duckdb").rename(two.folder / "old.duckdb")
    assert dinmo("move-state", str(two.folder / "state")).code == 0
    assert rows_of(two, dinmo) == before
    assert dinmo("sync", "vip").code == 0
    assert two.tagged("VIP") == {BO}


def test_a_run_of_two_destinations_is_refused(two):
    """A person may name any activations in the launchpad."""
    run = (
        two.definitions()
        .resolve_job_def("sync_membership")
        .execute_in_process(
            instance=two.instance,
            partition_key="vip",
            run_config={"ops": {"read_segments": {"config": {"activations": ["vip", "beta"]}}}},
            raise_on_error=False,
        )
    )
    (failure,) = (event for event in run.all_events if event.is_step_failure)
    assert failure.step_failure_data.user_failure_data.description == (
        "The activations of a run must have one destination, since each has a state file of its own; these"
        " have 2: main, other. Launch a run for each."
    )


@contextmanager
def held_by(state, **changes):
    """A lease of another process."""
    values = {"holder": "x", "machine": "elsewhere", "pid": 1, "taken_at": datetime.now(UTC), **changes}
    with state.transaction() as connection:
        take_lease(connection, "main", Lease(**values), after=newest_lease(connection, "main"))
    yield


@pytest.fixture
def state(tmp_path):
    return StateDatabase(str(tmp_path / "main.duckdb"))


def leased(instance, state, **options):
    """Take the lease as a run; what was said while it waited."""
    said = []
    with (
        destination_lease(instance, state, "main", "me", on_wait=said.append, **options),
        state.reading() as connection,
    ):
        assert newest_lease(connection, "main").holder == "me"
    return said


def test_a_run_on_another_machine_is_waited_for(state):
    """Dagster says whether it is under way."""
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(dg.job(name="sync_membership")(lambda: None))
        with held_by(state, holder=run.run_id), pytest.raises(DestinationHeldError, match="'main' for 0 s"):
            leased(instance, state, wait_seconds=0.0)
        instance.report_run_failed(run)
        assert leased(instance, state) == []


def test_the_lease_of_a_killed_process_of_this_machine_is_taken_over(state):
    """Though Dagster still takes its run to be under way."""
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(dg.job(name="sync_membership")(lambda: None))
        with held_by(state, holder=run.run_id, machine=this_machine(), pid=2**22 + 1):
            assert leased(instance, state) == []


def test_a_run_whose_destination_was_taken_over_writes_nothing_more(two):
    """Dagster may take a living run to be dead: a person forced its end, or the launcher lost sight of it."""
    project = load_project(two.declarations)

    @dg.op(required_resource_keys={"state"})
    def work(context):
        with taken_turn(names_of(project), context, project, BatchConfig(activations=["vip"])) as turn:
            with turn.state.transaction() as connection:
                pause(connection, ["before"], None, now=datetime.now(UTC))
            with held_by(state_of(two, "main")), turn.state.transaction() as connection:
                pause(connection, ["after"], None, now=datetime.now(UTC))

    @dg.job(resource_defs={"state": StateResource(folder=str(two.folder / "state"))})
    def sync_membership():
        work()

    run = sync_membership.execute_in_process(instance=two.instance, raise_on_error=False)
    (failure,) = (event for event in run.all_events if event.is_step_failure)
    assert (
        "Another run or command has taken over the destination 'main'"
        in failure.step_failure_data.error.to_string()
    )
    with state_of(two, "main").reading() as connection:
        assert pauses(connection).keys() == {"before"}
        assert newest_lease(connection, "main").released_at is None  # of the other


def test_a_command_whose_destination_was_taken_over_writes_nothing_more(two):
    """Its machine slept for longer than others wait for a command that they cannot ask."""
    project = load_project(two.declarations)
    with command_leases(project, "retire", ["main"]) as fence:
        for key in ("main", "other"):  # nobody took the other one
            with fence(state_of(two, key)).transaction() as connection:
                pause(connection, ["before"], None, now=datetime.now(UTC))
        with (
            held_by(state_of(two, "main")),
            pytest.raises(DestinationHeldError, match="has taken over the destination 'main'"),
            fence(state_of(two, "main")).transaction() as connection,
        ):
            pause(connection, ["after"], None, now=datetime.now(UTC))
    with state_of(two, "main").reading() as connection:
        assert pauses(connection).keys() == {"before"}


def test_clean_removes_old_rows_from_all_files(two, dinmo):
    """And gives their leases back, so that the next sync does not wait."""
    two.declared["history"] = {"keep_syncs": "1 day"}
    for _ in range(2):
        assert dinmo("sync", "--all").code == 0
    for key in ("main", "other"):
        with state_of(two, key).transaction() as connection:
            connection.execute("UPDATE dinmo.syncs SET started_at = started_at - INTERVAL 9 DAY")
    preview, cleaned = (json.loads(dinmo("clean", "--json", *words).out) for words in (["--dry-run"], []))
    assert preview["rows"]["syncs"] == cleaned["rows"]["syncs"] == 2  # the last of each activation stays
    assert dinmo("sync", "--all").code == 0


def test_after_another_machine_the_budget_counts_anew(state, monkeypatch):
    """It may have spent the whole window."""
    slept = []
    monkeypatch.setattr(leases.time, "sleep", slept.append)
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(dg.job(name="sync_membership")(lambda: None))
        instance.report_run_failed(run)
        with held_by(state, holder=run.run_id):
            leased(instance, state)
        assert slept == [10.0]
        leased(instance, state)  # after this machine's own
    assert len(slept) == 1 or slept[1] == 0.0


def test_a_reader_sees_the_lease_as_a_table(state):
    """For a person who wonders what blocks a destination."""
    with dg.DagsterInstance.ephemeral() as instance:
        leased(instance, state)
    with duckdb.connect(state.database, read_only=True) as connection:
        ((holder, released_at),) = connection.execute(
            "SELECT holder, released_at FROM dinmo.leases"
        ).fetchall()
    assert holder == "me"
    assert released_at is not None
