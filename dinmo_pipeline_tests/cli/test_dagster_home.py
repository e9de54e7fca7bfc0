"""DAGSTER_HOME: created by many processes at once, or a clear error with its path and the fix."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
SETTINGS = PROJECT / "dagster.yaml"
_OPEN = """
import dagster as dg
with dg.DagsterInstance.get() as instance:
    instance.get_runs_count()
    instance.all_instigator_state()
    instance.event_log_storage.get_maximum_record_id()
"""


def _started(home):
    environment = {**os.environ, "DAGSTER_HOME": str(home)}
    return subprocess.Popen([sys.executable, "-c", _OPEN], env=environment, stderr=subprocess.PIPE, text=True)


def test_many_processes_start_on_a_new_home_at_once(tmp_path):
    """As webserver, daemon and syncs do. Dagster's own storage breaks for good in most such starts."""
    (tmp_path / "dagster.yaml").write_text(SETTINGS.read_text())
    starting = [_started(tmp_path) for _ in range(5)]
    errors = [process.communicate()[1] for process in starting]
    assert [process.returncode for process in starting] == [0] * 5, errors
    later = _started(tmp_path)
    assert (later.communicate()[1], later.returncode) == ("", 0)


@pytest.fixture
def sync_at(company, dinmo, monkeypatch):
    """`dinmo sync vip` with a DAGSTER_HOME."""
    company.members([])

    def call(home):
        monkeypatch.setenv("DAGSTER_HOME", str(home))
        return dinmo("sync", "vip")

    return call


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("relative", "a relative path. Set it to an absolute one"),
        ("{}/missing", "which does not exist. Create the folder"),
        ("{}/dinmo.yaml", "which is not a folder."),
    ],
)
def test_a_home_that_cannot_be_used_is_a_clear_error(sync_at, tmp_path, name, problem):
    """With its path and the fix; nothing is created."""
    home = name.format(tmp_path)
    printed = sync_at(home)
    assert printed.code == 2
    assert f"DAGSTER_HOME is {home!r}, {problem}" in printed.err
    assert "unset it to use the folder .dagster in the project." in printed.err
    assert "Traceback" not in printed.err


@pytest.mark.parametrize("settings", ["nonsense: {a", "telemetri: {enabled: false}"])
def test_wrong_settings_of_the_instance_are_a_clear_error(sync_at, tmp_path, settings):
    """They name the file."""
    home = tmp_path / "wrong"
    home.mkdir()
    (home / "dagster.yaml").write_text(settings)
    printed = sync_at(home)
    assert printed.code == 1
    assert f"{home / 'dagster.yaml'} is not valid" in printed.err
    assert "Traceback" not in printed.err


@pytest.mark.parametrize(
    ("storage", "problem"),
    [
        ("custom: {module: dagster_mongo, class: Storage, config: {}}", "module dagster_mongo, which is not"),
        (
            "postgres: {postgres_db: {hostname: {env: NOWHERE_1}, username: u, password: p, db_name: d}}",
            "NOWHERE_1",
        ),
        ("postgres: {postgres_url: 'postgresql+psycopg2://u:hidden@127.0.0.1:1/d'}", "its server runs"),
        ("postgres: {postgres_url: 'postgresql://u:hidden@127.0.0.1:1/d'}", "scheme: postgresql+psycopg2"),
    ],
)
def test_a_database_that_cannot_be_used_is_a_clear_error(sync_at, tmp_path, storage, problem):
    """No module, no variable, no server, and a driver that Dagster does not bring."""
    if "postgres" in storage:
        pytest.importorskip("dagster_postgres", reason="the extra `deploy` is missing")
    (tmp_path / "dagster.yaml").write_text(f"storage: {{{storage}}}")
    printed = sync_at(tmp_path)
    assert printed.code == 1
    assert problem in printed.err
    assert str(tmp_path / "dagster.yaml") in printed.err
    assert "Traceback" not in printed.err
    assert "hidden" not in printed.err


def test_a_full_disk_below_the_home_is_a_clear_error(company, tmp_path):
    """The disk is full for this process when no file may grow beyond 100 KB."""
    company.members([])
    home = tmp_path / "full"
    home.mkdir()
    (home / "dagster.yaml").write_text(SETTINGS.read_text())
    found = subprocess.run(
        [sys.executable, "-m", "dinmo_pipeline.cli", "sync", "vip"],
        env={**os.environ, "DAGSTER_HOME": str(home), "DINMO_CONFIG": str(company.declarations)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1
    assert f"Dagster's storage in {home} cannot be used:" in found.stderr
    assert "Traceback" not in found.stderr
