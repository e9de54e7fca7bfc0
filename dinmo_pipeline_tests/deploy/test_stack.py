"""The services of Compose, as processes: a run from the UI, through queue and code server, tags everybody."""

import os
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from dinmo_pipeline_tests.deploy.files import DEPLOY, image_command, parsed

EVERYBODY = {f"user{n}@example.com" for n in range(30)}
LOADED = "{workspaceOrError {... on Workspace {locationEntries {name locationOrLoadError {__typename}}}}}"
LAUNCH = """mutation ($run: ExecutionParams!) {
    launchPipelineExecution(executionParams: $run) { __typename }
}"""


@pytest.fixture
def stack(company, postgres_uri, tmp_path, monkeypatch):
    """The environment of compose.yaml, with a database of its own, in this process and those it starts."""
    psycopg2 = pytest.importorskip("psycopg2", reason="the extra `deploy` is missing")
    connection = psycopg2.connect(postgres_uri)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {tmp_path.name.lower()}")
    connection.close()
    parts = urlsplit(postgres_uri)
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(DEPLOY / "dagster.yaml", home)
    for name, value in {
        "DAGSTER_HOME": str(home),
        "DINMO_CONFIG": str(company.declarations),
        "DINMO_CODE_HOST": "127.0.0.1",
        "DINMO_CODE_PORT": str(free_port()),
        "PORT": str(free_port()),
        "POSTGRES_HOST": parts.hostname or "",
        "POSTGRES_PORT": str(parts.port or 5432),
        "POSTGRES_USER": parts.username or "",
        "POSTGRES_PASSWORD": parts.password or "",
        # The server of the tests listens on a socket in a folder, for which dagster.yaml has no setting.
        "POSTGRES_DB": f"{tmp_path.name.lower()}?host={parse_qs(parts.query)['host'][0]}",
    }.items():
        monkeypatch.setenv(name, value)


def free_port():
    """A port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def here(command):
    """A command of the image, with the ports, files and programs of this machine."""
    known = {
        "0.0.0.0": "127.0.0.1",  # noqa: S104  # in the file, not here
        "4000": os.environ["DINMO_CODE_PORT"],
        "3000": os.environ["PORT"],
        "/etc/dinmo/workspace.yaml": str(DEPLOY / "workspace.yaml"),
    }
    program, *words = command
    return [Path(sys.executable).with_name(program), *(known.get(word, word) for word in words)]


@contextmanager
def service(command, health_check):
    """A service that its own health check calls healthy."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(here(command), **quiet) as process:
        try:
            until(lambda: is_healthy(health_check, process))
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=60)
            finally:
                process.kill()


def is_healthy(health_check, process):
    """Whether a health check succeeds; the service must be alive."""
    assert process.poll() is None
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.run(here(health_check), check=False, **quiet).returncode == 0


def until(reached, seconds=300):
    """Wait until something is true."""
    pause = Event()
    for _ in range(seconds * 5):
        if reached():
            return
        pause.wait(0.2)
    raise AssertionError(f"not reached: {reached}")


def graphql(query, **variables):
    """What the webserver answers."""
    answer = requests.post(
        f"http://127.0.0.1:{os.environ['PORT']}/graphql",
        json={"query": query, "variables": variables},
        timeout=60,
    )
    assert "errors" not in answer.json(), answer.json()
    return answer.json()["data"]


@pytest.mark.long
@pytest.mark.usefixtures("stack")
def test_a_run_from_the_ui_tags_everybody(company):
    """Instance and queue in PostgreSQL; the run and the sensor's tick in the code server, found by gRPC."""
    company.people(*EVERYBODY)
    company.members(sorted(EVERYBODY))
    services = parsed("compose.yaml")["services"]
    with ExitStack() as running:
        running.enter_context(service(image_command("CMD"), image_command("HEALTHCHECK")))
        for name in ("webserver", "daemon"):
            check = services[name]["healthcheck"]["test"]
            assert check[0] == "CMD"
            running.enter_context(service(services[name]["command"], check[1:]))
        assert graphql(LOADED)["workspaceOrError"]["locationEntries"] == [
            {"name": "dinmo_pipeline", "locationOrLoadError": {"__typename": "RepositoryLocation"}}
        ]
        job = {
            "repositoryLocationName": "dinmo_pipeline",
            "repositoryName": "__repository__",
            "pipelineName": "sync_membership",
        }
        tags = [{"key": "dagster/partition", "value": "vip"}]
        launched = graphql(
            LAUNCH,
            run={
                "selector": job,
                "mode": "default",
                "runConfigData": {},
                "executionMetadata": {"tags": tags},
            },
        )
        assert launched == {"launchPipelineExecution": {"__typename": "LaunchRunSuccess"}}
        until(lambda: company.tagged() == EVERYBODY)
