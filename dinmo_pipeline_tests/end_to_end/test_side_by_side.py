"""Several processes on one source, one state, and one workspace: they wait, report it, and lose nothing."""

import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml

from dinmo_pipeline_tests.company import Company
from dinmo_pipeline_tests.state.file.other_process import holding_lock

EVERYBODY = [f"user{n}@example.com" for n in range(300)]
WRITER = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); input()"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Dagster's home, for this process and those it starts."""
    folder = tmp_path / "dagster_home"
    folder.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    return folder


@contextmanager
def writing(path) -> Iterator["subprocess.Popen[str]"]:
    """A process that has a DuckDB file open for writing until its input ends, as dbt does."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "open\n"
        try:
            yield process
        finally:
            process.kill()


class Command:
    """A `dinmo sync` in a process of its own; its standard error is read line by line."""

    def __init__(self, company: Company, monkeypatch, name: str, activation: str) -> None:
        declarations = company.folder / f"{name}.yaml"
        declarations.write_text(yaml.safe_dump(company.declared))
        monkeypatch.setenv("DINMO_CONFIG", str(declarations))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dinmo_pipeline.cli", "sync", activation],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def says(self, words: str) -> None:
        """Wait until it prints this."""
        lines = []
        for line in self.process.stderr:
            lines.append(line)
            if words in line:
                return
        raise AssertionError(f"it never said {words!r}: {lines}")

    def ends_well(self) -> None:
        """Wait for its end."""
        _, said = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, said


@pytest.mark.long
@pytest.mark.usefixtures("home")
def test_commands_of_two_code_locations_side_by_side(company, monkeypatch, tmp_path):
    """A build holds the source; one activation is synced twice, another from other declarations.

    Both locations have the state and the workspace, and name the state differently.
    """
    company.people(*EVERYBODY)
    company.members(EVERYBODY[:200])
    company.members(EVERYBODY[100:], "churned")
    (tmp_path / "link.duckdb").symlink_to(tmp_path / "state.duckdb")
    with writing(tmp_path / "warehouse.duckdb") as dbt:
        first = Command(company, monkeypatch, "one", "vip")
        first.says("warehouse.duckdb; waiting up to")
        second = Command(company, monkeypatch, "one", "vip")
        second.says("Another sync of vip is running; waiting for it to end")
        company.declared["segments"], company.declared["activations"] = {}, {}
        company.declared["state"] = {"database": "link.duckdb"}
        company.activate("churned")
        other = Command(company, monkeypatch, "two", "churned")
        other.says("warehouse.duckdb; waiting up to")
        dbt.communicate("\n")
    for command in (first, second, other):
        command.ends_well()
    assert company.tagged("VIP") == set(EVERYBODY[:200])
    assert company.tagged("CHURNED") == set(EVERYBODY[100:])
    assert company.rows(
        "SELECT activation, status, tagged FROM dinmo.syncs ORDER BY activation, started_at"
    ) == [("churned", "ok", 200), ("vip", "ok", 200), ("vip", "ok", 0)]


def test_a_run_of_dagster_waits_for_the_lock_of_its_activation(company):
    """While another sync applies a change set, no membership is read and no change set replaced."""
    company.people(*EVERYBODY[:3])
    company.members(EVERYBODY[:2])
    company.synced()
    company.members(EVERYBODY[:3])
    run_id, seen = str(uuid.uuid4()), []
    membership = company.definitions().resolve_job_def("sync_membership")
    with holding_lock(company.folder / "state.duckdb.locks") as other:

        def hear(event):
            if event.user_message.startswith("Another sync of vip is running"):
                seen.extend(company.rows("SELECT count(*) FROM dinmo.segment_membership"))
                other.let_go()

        company.instance.add_event_listener(run_id, hear)
        result = membership.execute_in_process(instance=company.instance, partition_key="vip", run_id=run_id)
    assert result.success
    assert seen == [(2,)]
    assert company.rows("SELECT count(*) FROM dinmo.segment_membership") == [(3,)]
