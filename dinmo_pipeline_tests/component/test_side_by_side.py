"""Several instances in a project with assets, resources and loggers of its own, and `dinmo` beside them."""

import json

import dagster as dg
import pytest
import yaml

from dinmo_pipeline.definitions import defs as package_definitions
from dinmo_pipeline_tests.company import Company
from dinmo_pipeline_tests.component.shop import Shop
from dinmo_pipeline_tests.ticking import Ticks

ANA = "ana@example.com"
CRM = {
    "name": "crm",
    "translation": {"key_prefix": ["crm"], "group_name": "reverse_etl", "owners": ["team:crm"]},
}


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path / "shop")


def in_component(company: Company, folder, tag: str) -> Company:
    """The same workspace, with declarations in a component's folder and a state of their own."""
    other = Company(folder, company.intercom, company.instance)
    other.declared["segments"]["vip"] |= {"name": tag, "upstream": ["marts/customers"]}
    other.members([ANA])
    assert other.declarations.exists()
    return other


def materialized(instance, key):
    """The partitions of an asset that were materialized."""
    return instance.get_materialized_partitions(dg.AssetKey(key))


def run(company, definitions, job, **options):
    return definitions.resolve_job_def(job).execute_in_process(
        instance=company.instance, partition_key="vip", raise_on_error=False, **options
    )


def test_two_instances_never_touch_each_others_runs(company, shop):
    """They have activations of the same key, which read the same upstream asset."""
    company.people(ANA)
    in_component(company, shop.add("crm", CRM), "VIP")
    ops = in_component(company, shop.add("ops", {"name": "ops", "translation": {"key_prefix": "ops"}}), "Ops")
    definitions = shop.definitions()
    ticks = Ticks(definitions, company.instance)

    assert run(company, definitions, "crm_sync_membership").success
    assert ticks.tick("ops_tag_changes_sensor")[0] == []
    assert ticks.tick("crm_tag_changes_sensor")[0] == ["vip"]
    assert run(company, definitions, "crm_apply_tag_changes").success
    assert (company.tagged("VIP"), company.tagged("Ops")) == ({ANA}, set())
    keys = {key.to_user_string() for key in company.instance.get_asset_keys()}
    assert keys == {
        *("crm/segment_membership", "crm/membership_changes", "crm/intercom_tags", "crm/audiences/vip")
    }

    (ops.folder / "warehouse.duckdb").unlink()
    assert not run(company, definitions, "ops_sync_membership").success
    assert "vip: sync_membership failed." in ticks.tick("ops_sync_membership_retries")[1]
    assert ticks.tick("crm_sync_membership_retries")[1] == "No failed run to repeat."

    graph = definitions.resolve_asset_graph()
    first, last = (graph.get(dg.AssetKey(["crm", name])) for name in ("segment_membership", "intercom_tags"))
    assert first.parent_keys == {dg.AssetKey(["marts", "customers"])}
    assert last.parent_keys == {dg.AssetKey(["crm", "membership_changes"])}
    assert (last.group_name, last.owners) == ("reverse_etl", ["team:crm"])
    assert {"source", "crm_source", "ops_source"} <= set(definitions.resources)


def test_dinmo_works_on_the_keys_of_the_component_beside_the_declarations(company, shop, dinmo):
    """One sync by the command, one by a job; the sensor sees both."""
    company.people(ANA)
    company.folder = shop.add("crm", CRM)
    company.members([ANA])
    synced = dinmo("sync", "vip", "--json")
    assert json.loads(synced.out)["vip"]["tagged"] == 1, synced.err
    assert package_definitions().resolve_job_def("crm_sync_membership")  # as `dinmo dev` loads it
    definitions = shop.definitions()
    with dg.DagsterInstance.get() as instance:
        assert materialized(instance, ["crm", "intercom_tags"]) == {"vip"}
        assert materialized(instance, ["intercom_tags"]) == set()
        assert {run.job_name for run in instance.get_runs()} == {
            "crm_sync_membership",
            "crm_apply_tag_changes",
        }
        company.instance = instance
        company.members([])
        company.declared["activations"]["vip"] = {"guards": {"max_removed_share": 1}}
        assert run(company, definitions, "crm_sync_membership").success
        config = {"ops": {"crm_intercom_tags": {"config": {"allow_large_removal": True}}}}
        assert run(company, definitions, "crm_apply_tag_changes", run_config=config).success
    assert company.tagged() == set()
    assert json.loads(dinmo("reconcile", "vip", "--json").out)["vip"]["status"] == "ok"


def test_a_component_without_a_name_leaves_the_projects_own_resources_alone(company, shop):
    """Its jobs are called as without a component, its resources after its folder."""
    in_component(company, shop.add("reverse-etl", {}), "VIP")
    definitions = shop.definitions()
    assert run(company, definitions, "sync_membership").success
    assert {"state", "reverse_etl_state"} <= set(definitions.resources)


def test_names_in_the_declarations_hold_without_a_component(company, dinmo):
    """For projects that build their definitions in Python."""
    company.people(ANA)
    company.members([ANA])
    company.declared["dagster"] = {"name": "crm", "key_prefix": ["a", "b"], "owners": ["ana@example.com"]}
    assert dinmo("sync", "vip").code == 0
    with dg.DagsterInstance.get() as instance:
        assert materialized(instance, ["a", "b", "intercom_tags"]) == {"vip"}


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        ({"name": "c r m"}, "`name` is 'c r m'"),
        ({"translation": {"key": "everything"}}, "use `key_prefix` instead of `key`"),
    ],
)
def test_names_that_dinmo_could_not_know_are_refused(company, shop, attributes, sentence):
    in_component(company, shop.add("crm", attributes), "VIP")
    with pytest.raises(Exception, match="Error while building definitions for crm") as caught:
        shop.definitions()
    assert sentence in str(caught.value.__cause__)


def test_dinmo_refuses_names_that_a_template_makes(company, shop, dinmo):
    """Only Dagster can resolve it."""
    company.folder = shop.add("crm", {"name": "{{ env.NAME }}"})
    refused = dinmo("status")
    assert refused.code == 2
    assert "Write `name` and `key_prefix` under `dagster:`" in refused.err


def test_a_translator_changes_anything_but_the_key(company):
    """The functions for projects without components."""
    import dinmo_pipeline  # noqa: PLC0415  # as users import it

    class Translator(dinmo_pipeline.SegmentActivationsTranslator):
        def get_asset_spec(self, asset):
            spec = super().get_asset_spec(asset)
            return spec.replace_attributes(group_name=f"of_{asset.name}", tags={"tier": "1"})

    path = company.declarations
    definitions = dinmo_pipeline.build_segment_definitions(path, translator=Translator())
    node = definitions.resolve_asset_graph().get(dg.AssetKey("intercom_tags"))
    assert (node.group_name, node.tags["tier"]) == ("of_intercom_tags", "1")
    assert [spec.key.path[0] for spec in dinmo_pipeline.load_segment_asset_specs(path)] == [
        *("segment_membership", "membership_changes", "intercom_tags")
    ]

    class Renaming(dinmo_pipeline.SegmentActivationsTranslator):
        def get_asset_spec(self, asset):
            return asset.spec.replace_attributes(key=asset.spec.key.with_prefix("x"))

    with pytest.raises(dg.DagsterInvalidDefinitionError, match="`dinmo sync` would not know"):
        dinmo_pipeline.build_segment_definitions(path, translator=Renaming())


def test_a_subclass_of_the_component_keeps_the_translation_of_its_file(company, shop):
    """It overrides one method, as with the components of dagster-dbt."""
    folder = shop.add("crm", CRM, f"{shop.module}.own_component.Own")
    (shop.defs.parent / "own_component.py").write_text(
        "import dinmo_pipeline\n"
        "class Own(dinmo_pipeline.SegmentActivationsComponent):\n"
        "    def get_asset_spec(self, asset):\n"
        "        return super().get_asset_spec(asset).replace_attributes(kinds={'reverse-etl'})\n"
    )
    in_component(company, folder, "VIP")
    node = shop.definitions().resolve_asset_graph().get(dg.AssetKey(["crm", "membership_changes"]))
    assert (node.kinds, node.group_name) == ({"reverse-etl"}, "reverse_etl")
    assert node.parent_keys == {dg.AssetKey(["crm", "segment_membership"])}


def test_the_scaffold_loads(shop):
    """As `dg scaffold defs` makes it; what is there is kept."""
    from dinmo_pipeline.component.scaffolding import SegmentActivationsScaffolder  # noqa: PLC0415

    folder = shop.defs / "crm-tags"
    folder.mkdir()
    (folder / ".gitignore").write_text("mine")
    type_name = "dinmo_pipeline.SegmentActivationsComponent"
    request = dg.ScaffoldRequest(type_name, folder, "yaml", shop.folder, None)
    SegmentActivationsScaffolder().scaffold(request)
    assert (folder / ".gitignore").read_text() == "mine"
    assert yaml.safe_load((folder / "defs.yaml").read_text())["attributes"]["name"] == "crm_tags"
    assert (
        dg.AssetKey(["crm_tags", "intercom_tags"])
        in shop.definitions().resolve_asset_graph().get_all_asset_keys()
    )
