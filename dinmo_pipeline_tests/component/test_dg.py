"""`dg` in a project that has the package: what it lists, writes and checks."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from dinmo_pipeline_tests.component.shop import Shop

PROJECT = Path(__file__).parents[2]
NAME = "dinmo_pipeline.SegmentActivationsComponent"


@pytest.fixture
def dg_in(tmp_path):
    """Run `dg` in a project, where the package is installed as pyproject.toml says."""
    groups = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["entry-points"]
    installed = tmp_path / "installed" / "dinmo_pipeline-0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: dinmo-pipeline\nVersion: 0\n")
    lines = [f"[{group}]\n{name} = {value}\n" for group, ((name, value),) in entries(groups)]
    (installed / "entry_points.txt").write_text("".join(lines))

    def call(shop, *words):
        path = [installed.parent, shop.folder / "src", PROJECT]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), "COLUMNS": "200"}
        command = [str(Path(sys.executable).with_name("dg")), *words]
        return subprocess.run(
            command, cwd=shop.folder, env=environment, capture_output=True, text=True, check=False
        )

    return call


def entries(groups):
    return ((group, tuple(values.items())) for group, values in groups.items())


def test_dg_finds_scaffolds_and_checks_the_component(tmp_path, dg_in):
    """In a project that was there before."""
    shop = Shop(tmp_path / "shop")
    listed = json.loads(dg_in(shop, "list", "components", "--json").stdout)
    assert NAME in {each["key"] for each in listed["items"]}
    scaffolded = dg_in(shop, "scaffold", "defs", NAME, "crm")
    assert scaffolded.returncode == 0, scaffolded.stderr
    checked = dg_in(shop, "check", "defs")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    (shop.defs / "crm" / "defs.yaml").write_text(f"type: {NAME}\nattributes: {{declaration: dinmo.yaml}}\n")
    wrong = dg_in(shop, "check", "yaml")
    assert wrong.returncode == 1
    assert "'declarations' is a required property" in wrong.stdout + wrong.stderr


def test_listing_components_imports_nothing_heavy():
    """`dg` and the code server import every package with components."""
    program = (
        "import sys, dagster, dinmo_pipeline as d; assert 'dagster' in sys.modules;"
        "[getattr(d, name) for name in dir(d)];"
        "print([m for m in sys.modules if m in ('duckdb', 'pyarrow', 'requests', 'sqlglot')"
        " or m.startswith('dinmo_pipeline.') and 'component' not in m])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
    without = "import sys, dinmo_pipeline; print('dagster' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", without], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "False"
