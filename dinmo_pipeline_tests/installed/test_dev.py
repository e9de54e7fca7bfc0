"""`dinmo dev`: one instance with `dinmo sync`, changed declarations, and nothing left running afterwards."""

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
import requests

ANA = "ana@example.com"


@pytest.fixture
def project(company, tmp_path):
    """A project folder with the company's declarations, found without any variable."""
    company.people(ANA)
    company.members([ANA])
    assert company.declarations == tmp_path / "dinmo.yaml"
    return tmp_path


def without_project():
    """The environment, without the variables that name a project."""
    return {k: v for k, v in os.environ.items() if k not in ("DAGSTER_HOME", "DINMO_CONFIG")}


@contextmanager
def running_dev(project, *options):
    """`dinmo dev`; its lines are read one by one, so that a test waits for what it says."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "dinmo_pipeline.cli", "dev", *options],
        cwd=project,
        env=without_project(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def line_with(process, text):
    """Read lines up to the one that contains a text; that line."""
    said = []
    for line in process.stdout:
        said.append(line)
        if text in line:
            return line
    raise AssertionError(f"{text!r} was not said:\n{''.join(said)}")


def descendants(leader):
    """The ids of all processes that a process has started, by their parents."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(pid): int(parent) for pid, parent in map(str.split, listed.splitlines())}
    found = {leader}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {leader}


def left_running(ids):
    """Those of some processes that do not end; one that is about to is asked about again."""
    for _ in range(200):
        listed = subprocess.run(["ps", "-eo", "pid=,stat="], capture_output=True, text=True, check=True)
        states = dict(map(str.split, listed.stdout.splitlines()))
        found = {pid for pid in ids if not states.get(str(pid), "Z").startswith("Z")}
        if not found:
            break
    return found


def graphql(url, query):
    """What the webserver answers to a query."""
    answer = requests.post(f"{url}/graphql", json={"query": query}, timeout=60)
    answer.raise_for_status()
    return answer.json()["data"]


def partitions(url):
    """The activations that the webserver shows."""
    found = graphql(
        url,
        '{ partitionSetsOrError: repositoryOrError(repositorySelector: {repositoryName: "__repository__",'
        ' repositoryLocationName: "dinmo_pipeline"}) { ... on Repository { assetNodes { assetKey { path }'
        " partitionKeys } } } }",
    )
    nodes = found["partitionSetsOrError"]["assetNodes"]
    return {key for node in nodes for key in node["partitionKeys"]}


def test_dev_shares_the_instance_reloads_and_leaves_nothing_running(project, company):
    """From the first start to SIGTERM, with an edit, a broken edit, and a sync beside it."""
    with running_dev(project) as process:
        assert line_with(process, "Declarations:") == "Declarations: dinmo.yaml\n"
        report = re.search(r"http://127\.0\.0\.1:\d+", line_with(process, "Report: "))[0]
        assert "VIP" in requests.get(report, timeout=60).text
        said = line_with(process, "Dagster: ")
        url = re.search(r"http://127\.0\.0\.1:\d+", said)[0]
        assert str(project / ".dagster") in said
        assert partitions(url) == {"vip"}

        company.activate("trial")
        company.members([ANA], "trial")
        declared = company.declarations
        line_with(process, "were loaded again")
        assert partitions(url) == {"vip", "trial"}

        right = declared.read_text()
        declared.write_text(right.replace("activations:", "activation:"))
        line_with(process, "Not loaded: the earlier declarations stay")
        assert partitions(url) == {"vip", "trial"}
        declared.write_text(right)
        line_with(process, "were loaded again")

        synced = subprocess.run(
            [sys.executable, "-m", "dinmo_pipeline.cli", "sync", "vip"],
            cwd=project,
            env=without_project(),
            check=False,
            capture_output=True,
            text=True,
        )
        assert synced.returncode == 0, synced.stderr
        runs = graphql(url, "{ runsOrError { ... on Runs { results { status } } } }")["runsOrError"][
            "results"
        ]
        assert {run["status"] for run in runs} == {"SUCCESS"}

        started = descendants(process.pid)
        assert len(started) >= 4
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        assert process.wait() == 0, rest
        assert left_running(started) == set()
