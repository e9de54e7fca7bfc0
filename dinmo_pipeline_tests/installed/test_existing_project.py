"""Two commands add the pipeline to a `dg` project with dbt; a second component stands beside the first."""

import json
import shutil
from dataclasses import replace
from shlex import quote

import duckdb
import pytest
import requests
import yaml

from dinmo_pipeline.cli.development.ports import free_port
from dinmo_pipeline_tests.component.shop import Shop
from dinmo_pipeline_tests.installed.environment import PROJECT

COMPONENT = "dinmo_pipeline.SegmentActivationsComponent"
DBT = """\
type: dagster_dbt.DbtProjectComponent
attributes: {{project: {}, translation: {{key_prefix: warehouse}}}}
"""
PEOPLE = ["ana@example.com", "ben@example.com", "cleo@example.com"]
RUNS = """
import dagster, json
with dagster.DagsterInstance.get() as instance:
    runs = [run for run in instance.get_runs() if run.is_success]
    print(json.dumps([[run.job_name, run.tags.get("dagster/sensor_name")] for run in runs]))
"""
MAX_LOOKS = 200


@pytest.fixture
def project(tmp_path):
    """A project with resources called `source` and `state`, and a logger called `console`."""
    return Shop(tmp_path / "acme")


@pytest.fixture
def shell(dbt_environment, project):
    """A shell in which the project is installed."""
    places = {
        "PYTHONPATH": project.folder / "src",
        "SHOP_WAREHOUSE": project.folder / "warehouse.duckdb",
        "DBT_PROFILES_DIR": project.folder / "dbt",
        "DAGSTER_HOME": project.folder / ".dagster",
    }
    (project.folder / ".dagster").mkdir()
    return replace(dbt_environment, extra={name: str(place) for name, place in places.items()})


@pytest.fixture
def dbt_project(project, shell):
    """Its dbt project, built once; the assets of dagster-dbt have a prefix."""
    folder = project.folder / "dbt"
    shutil.copytree(PROJECT / "dinmo_pipeline_tests" / "dbt" / "shop", folder)
    sign_up(project, *PEOPLE)
    shell.run("dbt --quiet deps", folder)
    shell.run("dbt --quiet build", folder)
    (project.defs / "models").mkdir()
    (project.defs / "models" / "defs.yaml").write_text(DBT.format(folder))
    return folder


def sign_up(project, *people):
    """People in the raw table, from which dbt makes the customers."""
    with duckdb.connect(str(project.folder / "warehouse.duckdb")) as connection:
        connection.execute("create schema if not exists crm")
        connection.execute("create table if not exists crm.raw_people (id int, email text, country text)")
        for email in people:
            connection.execute(
                "insert into crm.raw_people select count(*) + 1, ?, 'FR' from crm.raw_people", [email]
            )


def listed(shell, project):
    """What each asset depends on."""
    found = json.loads(shell.run("dg list defs --json", project.folder))
    return {asset["asset_key"]: asset["dependency_keys"] for asset in found["assets"]}


@pytest.mark.usefixtures("dbt_project")
def test_dbt_models_become_tags_by_the_daemon_and_by_the_command(shell, project):
    """`dinmo init` and `dinmo dev`. Then dbt runs in Dagster, and the daemon syncs what changed."""
    (project.folder / ".env").write_text("MINE=1\n")
    shell.run("dinmo init --component crm --source duckdb:warehouse.duckdb --table customers", project.folder)
    port = free_port()
    file = project.defs / "crm" / "segments" / "dinmo.yaml"
    declared = yaml.safe_load(file.read_text())
    declared["destinations"]["intercom"]["base_url"] = intercom = f"http://127.0.0.1:{port}"
    declared["activations"]["all_customers"] = {"schedule": {"after": "upstream"}}
    file.write_text(yaml.safe_dump(declared))

    def tagged():
        found = requests.get(f"{intercom}/_emulator/tags/All%20customers/contacts", timeout=30).json()
        return {contact["email"] for contact in found["contacts"]}

    with shell.running("dinmo dev --emulator --share 1", project.folder, until="^all_customers +ok"):
        assert tagged() == set(PEOPLE)
        contact = {"role": "user", "email": "dora@example.com"}
        requests.post(f"{intercom}/_emulator/contacts", json=[contact], timeout=30).raise_for_status()
        sign_up(project, "dora@example.com")
        shell.run("dg launch --assets 'key:\"warehouse/customers\"'", project.folder)
        for _ in range(MAX_LOOKS):
            if "dora@example.com" in tagged():
                break
            shell.run("dinmo status", project.folder)
        assert tagged() == {*PEOPLE, "dora@example.com"}
    runs = {tuple(run) for run in json.loads(shell.run(f"python -c {quote(RUNS)}", project.folder))}
    assert {("crm_apply_tag_changes", None), ("crm_apply_tag_changes", "crm_tag_changes_sensor")} <= runs
    assert listed(shell, project)["crm/segment_membership"] == ["warehouse/customers"]

    shell.run("dinmo init --component ops --source duckdb:warehouse.duckdb --table customers", project.folder)
    shell.run("dg check defs", project.folder)
    assert listed(shell, project)["ops/segment_membership"] == ["warehouse/customers"]
    assert "crm/segments and" in shell.run("dinmo status", project.folder, code=2)
    shell.run("dinmo check", project.defs / "ops")


def test_dg_lists_scaffolds_checks_and_describes_the_component(shell, project):
    """In a project that was there before."""
    components = json.loads(shell.run("dg list components --json", project.folder))
    assert COMPONENT in {each["key"] for each in components["items"]}
    described = shell.run(f"dg utils inspect-component {COMPONENT}", project.folder)
    assert "The file or folder of declarations, relative to this one." in described
    shell.run(f"dg scaffold defs {COMPONENT} crm", project.folder)
    for what in ("yaml", "defs"):
        shell.run(f"dg check {what}", project.folder)
    (project.defs / "crm" / "defs.yaml").write_text(
        f"type: {COMPONENT}\nattributes: {{declaration: dinmo.yaml}}\n"
    )
    wrong = shell.run("dg check yaml", project.folder, code=1)
    assert "'declarations' is a required property" in wrong
