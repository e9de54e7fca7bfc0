"""Two components beside the one of dagster-dbt, in a project with resources called `source` and `state`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dinmo_pipeline_tests.component.shop import Shop
from dinmo_pipeline_tests.dbt.conftest import declared

DBT = """\
type: dagster_dbt.DbtProjectComponent
attributes: {{project: {}, translation: {{key_prefix: warehouse}}}}
"""


@pytest.fixture
def project(shop, tmp_path):
    """A `dg` project whose dbt assets have a prefix. The manifest, which `crm` declares, does not know it."""
    pytest.importorskip("dagster_dbt")
    project = Shop(tmp_path / "project")
    (project.defs / "models").mkdir()
    (project.defs / "models" / "defs.yaml").write_text(DBT.format(shop.project))
    trialists = {"segments": {"trialists": {"table": "trial_users"}}, "activations": {"trialists": {}}}
    for name, declarations in (
        ("crm", declared(shop, **trialists)),
        ("ops", {k: v for k, v in declared(shop, **trialists, models={}).items() if k != "dbt"}),
    ):
        folder = project.add(name, {"name": name, "translation": {"key_prefix": name}})
        (folder / "dinmo.yaml").write_text(yaml.safe_dump(declarations))
    return project


def test_dg_checks_and_lists_the_lineage_from_the_dbt_models(shop, project):
    """As in a terminal: `upstream: auto` finds the assets by the keys that dagster-dbt gives them."""
    programs = Path(sys.executable).parent
    places = {
        "SHOP_WAREHOUSE": shop.warehouse,
        "DBT_PROFILES_DIR": shop.project,
        "PYTHONPATH": project.folder / "src",
    }
    environment = {
        **os.environ,
        **{name: str(place) for name, place in places.items()},
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",  # where dagster-dbt looks for dbt
    }

    def dg(*words):
        command = [programs / "dg", *words]
        done = subprocess.run(
            command, cwd=project.folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    dg("check", "defs")
    found = json.loads(dg("list", "defs", "--json"))
    upstream = {asset["asset_key"]: asset["dependency_keys"] for asset in found["assets"]}
    for name in ("crm", "ops"):
        assert upstream[f"{name}/segment_membership"] == ["warehouse/billing/trials"]
        assert upstream[f"{name}/intercom_tags"] == [f"{name}/membership_changes"]
    assert {"source", "state", "crm_source", "ops_state"} <= {each["name"] for each in found["resources"]}
