"""`upstream: auto` finds the assets of dagster-dbt, by the tables that segments read."""

from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
import yaml

from dinmo_pipeline.config import load_project
from dinmo_pipeline.config.dbt.manifest import read_manifest
from dinmo_pipeline.orchestration.build import build_definitions
from dinmo_pipeline.orchestration.sensors.upstream import upstream_keys
from dinmo_pipeline.orchestration.upstream_assets import upstream_of_tables, with_upstream_found
from dinmo_pipeline_tests.dbt.conftest import declared

_UPSTREAM = {
    "buyers": {"customers", "staging/orders"},
    "trialists": {"billing/trials"},
    "planned": {"plans_v2", "crm/people"},
}


@pytest.fixture
def project(shop, tmp_path):
    """The shop's declarations, in which every upstream is to be found."""
    path = tmp_path / "dinmo.yaml"
    path.write_text(yaml.safe_dump(declared(shop)))
    return load_project(path)


def test_the_example_of_the_guide_loads(shop, tmp_path):
    """Over this project."""
    page = Path(__file__).parents[2] / "docs" / "guides" / "dbt.md"
    example = page.read_text().split("```yaml\n")[1].split("```")[0]
    path = tmp_path / "dinmo.yaml"
    path.write_text(f"{example}state: {{database: state.duckdb}}\n".replace("../dbt", str(shop.project)))
    assert _found(with_upstream_found(load_project(path), None)) == {
        "buyers": {"customers", "staging/orders"}
    }


@pytest.fixture(scope="module")
def specs(shop):
    """The assets as dagster-dbt makes them of the same manifest."""
    dagster_dbt = pytest.importorskip("dagster_dbt")

    @dagster_dbt.dbt_assets(manifest=shop.manifest)
    def shop_assets(context):
        raise NotImplementedError

    return list(shop_assets.specs)


def _found(project):
    return {
        activation: {key.to_user_string() for key in keys}
        for activation, keys in upstream_keys(project).items()
    }


def test_the_keys_of_the_manifest_are_those_of_dagster_dbt(shop, specs):
    """For every model and seed with a table."""
    nodes = read_manifest(shop.manifest).nodes
    ours = {node.asset for node in nodes if node.table and node.kind != "source"}
    assert ours == {spec.key.to_user_string() for spec in specs}


def test_the_tables_of_dagster_dbt_are_found(specs):
    """However much of a name is written, in any case."""
    tables = ["warehouse.main.customers", "MAIN.Customers", "customers", "calendar", "vendor"]
    found = upstream_of_tables(tables, specs)
    customers = [dg.AssetKey("customers")]
    assert [found[table] for table in tables] == [customers, customers, customers, [], []]


def test_upstream_auto_finds_the_assets_by_manifest_or_by_metadata(project, specs):
    """The same from both; sources of dbt are known to the manifest alone."""
    found = with_upstream_found(project, None)
    assert _found(found) == _UPSTREAM
    assert not found.finds_upstream  # a second look, at other assets, would add theirs
    without_manifest = replace(project, dbt=None)
    assert _found(with_upstream_found(without_manifest, specs)) == {**_UPSTREAM, "planned": {"plans_v2"}}


def test_the_definitions_load_beside_those_of_dbt(project, specs):
    """The membership depends on the dbt assets, and the sensor follows them."""
    ours = build_definitions(project, {}, other_assets=specs)
    merged = dg.Definitions.merge(ours, dg.Definitions(assets=specs))
    dg.Definitions.validate_loadable(merged)
    graph = merged.resolve_asset_graph()
    parents = {key.to_user_string() for key in graph.get(dg.AssetKey("segment_membership")).parent_keys}
    assert parents == set().union(*_UPSTREAM.values())
    assert "upstream_sensor" in [sensor.name for sensor in merged.sensors]
