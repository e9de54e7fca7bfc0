"""From nothing to the first tag, by the README's commands, in an environment with the wheel alone."""

import json
import re
import tomllib

import duckdb
import pytest
import requests

from dinmo_pipeline.cli.development.ports import free_port
from dinmo_pipeline_tests.installed.environment import PROJECT


@pytest.fixture
def folder(tmp_path):
    """A folder with a warehouse, and nothing else."""
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute(
            "create table customers as select i as customer_id, 'person' || i || '@example.com' as email"
            " from range(200) t(i)"
        )
    return tmp_path


def readme_commands():
    """The commands of the README, after the one that installs."""
    text = (PROJECT / "README.md").read_text().split("## Use it for your own users")[1]
    install, *commands = re.search(r"```\n(.*?)```", text, re.DOTALL)[1].strip().splitlines()
    assert install == "pip install 'dinmo-pipeline[ui,emulator]'"
    return commands


def test_the_readme_leads_from_nothing_to_the_first_tag(environment, folder):
    """Two commands after the install. Only the port differs, since other tests run beside this one."""
    before = environment.files()
    imported = environment.run("python -c 'import dinmo_pipeline; print(dinmo_pipeline.__file__)'", folder)
    assert str(PROJECT) not in imported
    init, dev = readme_commands()
    environment.run(init, folder)
    port = free_port()
    declared = folder / "crm" / "dinmo.yaml"
    declared.write_text(declared.read_text().replace(":8055", f":{port}"))
    cd, _, command = dev.partition(" && ")
    assert cd == "cd crm"
    with environment.running(command, folder / "crm", until="^all_customers +ok"):
        tag = f"http://127.0.0.1:{port}/_emulator/tags/All%20customers/contacts"
        assert len(requests.get(tag, timeout=30).json()["contacts"]) > 100
        doctor = json.loads(environment.run("dinmo doctor --json", folder / "crm"))
        statuses = {finding["subject"]: finding["status"] for finding in doctor["findings"]}
        assert (statuses["daemon"], statuses["settings"], statuses["DAGSTER_HOME"]) == ("ok", "ok", "ok")
    assert environment.files() == before


def test_definitions_that_a_person_adds_to_the_project_are_loaded(environment, folder):
    """`dg scaffold defs` writes them into the folder that `dinmo init` made for them."""
    init, _ = readme_commands()
    environment.run(init, folder)
    environment.run("dg scaffold defs dagster.asset raw.py", folder / "crm")
    for what in ("yaml", "defs"):
        environment.run(f"dg check {what}", folder / "crm")
    listed = json.loads(environment.run("dg list defs --json", folder / "crm"))
    assert {"raw", "intercom_tags"} <= {asset["asset_key"] for asset in listed["assets"]}


def test_the_sample_and_the_instance_settings_are_in_the_wheel(environment, tmp_path):
    """Nothing is written beside the package."""
    before = environment.files()
    environment.run("dinmo init shop --sample", tmp_path)
    found = json.loads(environment.run("dinmo segments --json", tmp_path / "shop"))
    assert len(found) > 3
    settings = (tmp_path / "shop" / "dagster.yaml").read_text()
    assert settings == (PROJECT / "dagster.yaml").read_text()
    assert environment.files() == before


def test_every_extra_that_a_message_names_exists():
    """`pip install 'dinmo-pipeline[NAME]'`."""
    named = {
        extra
        for path in (PROJECT / "dinmo_pipeline").rglob("*.py")
        for extras in re.findall(r"dinmo-pipeline\[([a-z,]+)\]", path.read_text())
        for extra in extras.split(",")
    }
    assert {"ui", "emulator"} <= named
    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert named <= set(declared)
