"""`upstream: auto` in a component: it finds the assets of its project, whatever made them."""

import dagster as dg
import pytest
import yaml

from dinmo_pipeline_tests.company import Company
from dinmo_pipeline_tests.component.shop import Shop

CUSTOMERS = """\
import dagster as dg

@dg.asset(key=["marts", "people"], metadata={"dagster/table_name": "warehouse.main.vip"})
def people(): ...
"""
NEEDS_IT = """\
import dagster as dg

@dg.definitions
def defs(context: dg.ComponentLoadContext):
    keys = context.build_defs("crm").resolve_all_asset_keys()
    return dg.Definitions([dg.AssetSpec("audience_report", deps=keys)])
"""


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path / "shop")


def finds_upstream(company: Company, folder) -> None:
    """Declarations beside a component, in which every upstream is to be found."""
    other = Company(folder, company.intercom, company.instance)
    other.declared["source"]["upstream"] = "auto"
    other.members(["ana@example.com"])
    assert other.declarations.exists()


def upstream(shop: Shop, prefix: str = "crm") -> set[str]:
    graph = shop.definitions().resolve_asset_graph()
    parents = graph.get(dg.AssetKey([prefix, "segment_membership"])).parent_keys
    return {key.to_user_string() for key in parents}


def test_assets_of_other_files_and_folders_are_found(company, shop):
    """Before and after it in the order of the folder, and beside a second component."""
    (shop.defs / "marts").mkdir()
    (shop.defs / "marts" / "people.py").write_text(CUSTOMERS)
    finds_upstream(company, shop.add("crm", {"name": "crm", "translation": {"key_prefix": "crm"}}))
    finds_upstream(company, shop.add("ops", {"name": "ops", "translation": {"key_prefix": "ops"}}))
    assert upstream(shop) == upstream(shop, "ops") == {"marts/people"}


def test_assets_of_the_same_yaml_file_are_found(company, shop):
    """`defs.yaml` may have several components."""
    folder = shop.add("crm", {"name": "crm", "translation": {"key_prefix": "crm"}})
    finds_upstream(company, folder)
    with (folder / "defs.yaml").open("a") as file:
        file.write("---\n")
        yaml.safe_dump({"type": f"{shop.module}.defs.crm.tables.Tables"}, file)
    (folder / "tables.py").write_text(
        f"{CUSTOMERS}\n\nclass Tables(dg.Component):\n    def build_defs(self, context):\n"
        "        return dg.Definitions(assets=[people])\n"
    )
    assert upstream(shop) == {"marts/people"}


FOLDER = "type: dagster.DefsFolderComponent\npost_processing: {assets: [{attributes: {tags: {a: b}}}]}\n"


@pytest.mark.parametrize("folder", [".", "teams"])
def test_folders_that_process_what_is_in_them_are_looked_into(company, shop, folder):
    """A `defs.yaml` above the component, which adds tags to all below it, and one in the file itself."""
    (shop.defs / "people.py").write_text(CUSTOMERS)
    (shop.defs / folder).mkdir(exist_ok=True)
    (shop.defs / folder / "defs.yaml").write_text(FOLDER)
    crm = shop.add(f"{folder}/crm", {"name": "crm", "translation": {"key_prefix": "crm"}})
    finds_upstream(company, crm)
    with (crm / "defs.yaml").open("a") as file:
        file.write("post_processing: {assets: [{attributes: {owners: ['team:crm']}}]}\n")
    assert upstream(shop) == {"marts/people"}
    node = shop.definitions().resolve_asset_graph().get(dg.AssetKey(["crm", "intercom_tags"]))
    assert (node.tags["a"], node.owners) == ("b", ["team:crm"])


def test_a_part_that_builds_the_component_ends(company, shop):
    """Each needs the other: the lineage goes one way."""
    (shop.defs / "report.py").write_text(NEEDS_IT)
    (shop.defs / "people.py").write_text(CUSTOMERS)
    finds_upstream(company, shop.add("crm", {"name": "crm", "translation": {"key_prefix": "crm"}}))
    assert upstream(shop) == {"marts/people"}
    report = shop.definitions().resolve_asset_graph().get(dg.AssetKey("audience_report"))
    assert dg.AssetKey(["crm", "intercom_tags"]) in report.parent_keys
