"""A model can name a dbt model: what dbt builds is what a segment reads."""

import json

import pytest
import yaml

from dinmo_pipeline.cli import main
from dinmo_pipeline.config import ConfigError, load_project
from dinmo_pipeline_tests.dbt.conftest import declared


@pytest.fixture
def declarations(shop, tmp_path):
    """Write declarations over the shop's tables; the path of their file."""

    def write(**changes):
        path = tmp_path / "dinmo.yaml"
        path.write_text(yaml.safe_dump(declared(shop, **changes), sort_keys=False))
        return path

    return write


def test_a_segment_reads_what_dbt_built(declarations, monkeypatch, capfd):
    """Through `ref` of two packages' spellings, and from a table by its alias."""
    monkeypatch.setenv("DINMO_CONFIG", str(declarations()))
    capfd.readouterr()
    with pytest.raises(SystemExit) as exit_:
        main(["segments", "--json"])
    printed = capfd.readouterr()
    assert exit_.value.code == 0, printed.err
    sizes = {key: each["members"] for key, each in json.loads(printed.out).items()}
    assert sizes == {"buyers": 1, "trialists": 1, "planned": 1}


@pytest.mark.parametrize(
    ("ref", "table"),
    [
        ("customers", "warehouse.main.customers"),
        ("shop.customers", "warehouse.main.customers"),
        ("orders", "warehouse.main_staging.orders"),
        ("raw_orders", "warehouse.main.raw_orders"),
        ("trials", "warehouse.main.trial_users"),
        ("days", "warehouse.main_vendor.days"),
        ("vendor.calendar", "warehouse.main_vendor.calendar"),
        ("plans", "warehouse.main.plans_v2"),
        ("plans.v1", "warehouse.main.plans_v1"),
        ("shop.plans.v1", "warehouse.main.plans_v1"),
    ],
)
def test_a_ref_is_the_table_that_dbt_builds(declarations, ref, table):
    """In its schema, under its alias, in the version that is the latest."""
    models = {"m": {"ref": ref, "key": "id"}}
    project = load_project(declarations(models=models, segments={}, activations={}))
    assert project.models["m"].table == table


_UNKNOWN = "`ref` is not a model, seed or snapshot of the dbt project 'shop'"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            {"ref": "custmers"},
            f"{_UNKNOWN}: 'custmers'.",
        ),
        ({"ref": "people"}, f"{_UNKNOWN}: 'people'."),
        (
            {"ref": "plans.v3"},
            f"{_UNKNOWN}: 'plans.v3'.",
        ),
        ({"ref": "buyers"}, "`ref` is an ephemeral dbt model, which has no table: 'buyers'."),
        ({"ref": "retired"}, "`ref` is a dbt model that is disabled: 'retired'."),
        ({"ref": "calendar"}, "`ref` is in 2 dbt packages: 'calendar'."),
        ({"ref": "customers", "table": "customers"}, "`table` and `ref` both name the table. Keep one."),
    ],
)
def test_a_ref_without_one_table_is_refused(declarations, model, message):
    """With what to write instead."""
    with pytest.raises(ConfigError) as refused:
        load_project(declarations(models={"m": model}, segments={}, activations={}))
    (problem,) = refused.value.problems
    assert problem.message == message
    if model["ref"] == "custmers":
        assert problem.hint.startswith("Perhaps you meant 'customers'. The manifest is of 2")
    if model["ref"] == "calendar":
        assert set(problem.allowed) == {"shop.calendar", "vendor.calendar"}
