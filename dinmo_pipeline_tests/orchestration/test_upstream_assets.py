"""`upstream: auto`: assets are found by the tables that they fill."""

import json

import dagster as dg
import pytest

from dinmo_pipeline.orchestration.sensors.upstream import upstream_keys
from dinmo_pipeline.orchestration.upstream_assets import upstream_of_tables, with_upstream_found
from dinmo_pipeline.segments.upstream import KnownAsset, find_upstream
from dinmo_pipeline_tests.config.reading import DESTINATION, load

_BASE = (
    DESTINATION
    + """\
source: {type: duckdb, database: warehouse.duckdb, upstream: auto}
state: {database: state.duckdb}
models:
  customers: {table: marts.customers, key: id, relations: {orders: {model: orders, join: id}}}
  orders: {upstream: [raw/orders]}
  people: {upstream: auto, table: crm.people}
segments:
  buyers: {model: customers, where: {exists: orders}}
  listed: {table: LISTED}
  written: {sql: "with c as (select * from Shop.Marts.customers) select email from c join listed using (id)"}
activations:
  buyers: {schedule: {after: upstream}}
  listed: {}
  written: {}
"""
)


def _spec(key, table, **more):
    return dg.AssetSpec(key, metadata={"dagster/table_name": table, **more})


SPECS = [
    _spec(["dbt", "customers"], "shop.marts.customers"),
    _spec(["dbt", "listed"], "shop.main.listed"),
    _spec(["raw", "orders_table"], "shop.main.orders"),
    _spec(["segment_membership"], "dinmo.segment_membership"),
    dg.AssetSpec("without_table"),
]


def _found(project):
    return {key: {each.to_user_string() for each in keys} for key, keys in upstream_keys(project).items()}


def test_assets_are_found_by_the_tables_of_models_and_segments():
    """Also those of a SELECT, but for what it defines itself. A list is kept as it is."""
    project = with_upstream_found(load(_BASE), SPECS)
    assert _found(project) == {
        "buyers": {"dbt/customers", "raw/orders"},
        "listed": {"dbt/listed"},
        "written": {"dbt/customers", "dbt/listed"},
    }


@pytest.mark.parametrize(
    ("table", "keys"),
    [
        ("shop.marts.customers", ["marts"]),
        ("MARTS.Customers", ["marts"]),
        ('"marts"."customers"', ["marts"]),
        ("customers", []),
        ("other.marts.customers", []),
        ("db.short", ["short"]),
        ("twice", ["one", "two"]),
        ("segment_membership", []),
    ],
)
def test_a_name_may_be_short_but_not_ambiguous(table, keys):
    """Two assets of one table are both taken; our own never."""
    specs = [
        _spec("marts", "shop.marts.customers"),
        _spec("raw", "shop.raw.customers"),
        _spec("short", "short"),
        _spec("one", "a.twice"),
        _spec("two", "a.twice"),
        SPECS[3],
    ]
    assert upstream_of_tables([table], specs) == {table: [dg.AssetKey(key) for key in keys]}


def test_what_is_not_found_is_said():
    """A table that may be two, and tables that nothing fills, in one sentence."""
    assets = [KnownAsset("a", "x.people"), KnownAsset("b", "a.listed"), KnownAsset("c", "b.listed")]
    unclear = (
        "the table '{}' may be a.listed or b.listed, so no asset is taken for it. Write its schema, or list"
        " its assets as `upstream`."
    )
    *problems, unknown = find_upstream(load(_BASE), assets).warnings
    assert problems == [
        f"segment 'listed': {unclear.format('LISTED')}",
        f"segment 'written': {unclear.format('listed')}",
    ]
    assert unknown == (
        "upstream: auto found no asset that fills marts.customers, crm.people, Shop.Marts.customers. An asset"
        " is found by its metadata `dagster/table_name`, or in the manifest of `dbt`."
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "There is no manifest of dbt at"),
        ("{", "is not JSON. Run `dbt parse`"),
        ("[]", "is not a manifest of dbt."),
        ('{"metadata": {"dbt_schema_version": ".../manifest/v3.json"}}', "was written by a dbt before 1.0."),
        ('{"metadata": {"dbt_schema_version": ".../manifest/v12.json"}}', "is not laid out as a manifest"),
        (
            json.dumps(
                {
                    "metadata": {"dbt_schema_version": ".../manifest/v12.json"},
                    "nodes": {"m": {"resource_type": "model", "name": "m"}},
                    "sources": {},
                }
            ),
            "is not laid out as a manifest",
        ),
    ],
)
def test_a_manifest_that_cannot_be_used_stops_no_sync(tmp_path, content, message):
    """It is said, and assets are found by their metadata."""
    manifest = tmp_path / "manifest.json"
    if content is not None:
        manifest.write_text(content)
    project = load(f"{_BASE}dbt: {{manifest: {manifest}}}\n")
    found = find_upstream(project, [KnownAsset("dbt/customers", "shop.marts.customers")])
    assert message in found.warnings[0]
    assert _found(found.project)["buyers"] == {"dbt/customers", "raw/orders"}
