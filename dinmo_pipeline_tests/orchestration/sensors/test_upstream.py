"""Lineage: dbt-like assets upstream of the membership, and activations that follow them."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import duckdb
import pytest

from dinmo_pipeline.config import load_project
from dinmo_pipeline.config.models import OWN_ASSETS
from dinmo_pipeline.orchestration import naming
from dinmo_pipeline.orchestration.sensors.staleness import Observer
from dinmo_pipeline.orchestration.sensors.upstream import Newest, decide
from dinmo_pipeline_tests.ticking import Ticks

ANA, BEN, CLEO = "ana@example.com", "ben@example.com", "cleo@example.com"
CUSTOMERS, ORDERS = dg.AssetKey(["dbt", "customers"]), dg.AssetKey(["raw", "orders"])
FOLLOWING = {"schedule": {"after": "upstream"}}


@pytest.fixture
def shop(company):
    """Buyers follow two tables, and the French one of them; Belgians have a cron schedule."""
    company.people(ANA, BEN, CLEO)
    company.declared["models"] = {
        "customers": {
            "key": "customer_id",
            "upstream": ["dbt/customers"],
            "relations": {"orders": {"model": "orders", "join": "customer_id"}},
        },
        "orders": {"key": "order_id", "upstream": ["raw/orders"]},
    }
    company.declared["segments"] = {
        "buyers": {"model": "customers", "where": {"exists": "orders"}},
        "french": {"model": "customers", "where": {"field": "country", "equals": "FR"}},
        "belgians": {"model": "customers", "where": {"field": "country", "equals": "BE"}},
    }
    company.declared["activations"] = {
        "buyers": FOLLOWING,
        "french": FOLLOWING,
        "belgians": {"schedule": "0 * * * *"},
    }
    warehouse = company.folder / "warehouse.duckdb"
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("CREATE TABLE customers (customer_id INTEGER, email VARCHAR, country VARCHAR)")
        connection.execute("CREATE TABLE orders (order_id INTEGER, customer_id INTEGER)")
    return Dagster(company, transformations(warehouse))


def transformations(warehouse):
    """What a dbt project would be in the user's own code location: assets that build tables."""

    @dg.asset(key=CUSTOMERS)
    def customers():
        with duckdb.connect(str(warehouse)) as connection:
            connection.execute(
                "CREATE OR REPLACE TABLE customers AS FROM (VALUES"
                f" (1, '{ANA}', 'FR'), (2, '{BEN}', 'BE'), (3, '{CLEO}', 'FR'))"
                " AS rows(customer_id, email, country)"
            )

    @dg.asset(key=ORDERS, deps=[CUSTOMERS])
    def orders():
        with duckdb.connect(str(warehouse)) as connection:
            connection.execute(
                "CREATE OR REPLACE TABLE orders AS FROM (VALUES (10, 2)) AS rows(order_id, customer_id)"
            )

    return [customers, orders]


class Dagster:
    """What the daemon and the user's other code location do, called by hand."""

    def __init__(self, company, upstream):
        self.company = company
        self.upstream = upstream
        self.definitions = company.definitions()
        self.project = load_project(company.declarations)
        self.instance = company.instance
        self.ticks = Ticks(self.definitions, self.instance)

    def build(self, *keys):
        """Materialize upstream assets in one run."""
        dg.materialize(self.upstream, instance=self.instance, selection=list(keys))

    def tick(self, name="upstream_sensor"):
        """Evaluate a sensor where it stopped; the activations it asks runs for, and its reason."""
        return self.ticks.tick(name)

    def run(self, job, activation):
        """Run a job for an activation, as a launched run does."""
        return self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance, partition_key=activation
        )


def test_the_tags_are_right_after_an_upstream_table_was_built(shop):
    """Materialization, sensor, membership and changes, the other sensor, tags; nobody else is synced."""
    shop.build(CUSTOMERS)
    assert shop.tick()[0] == ["buyers", "french"]
    shop.build(ORDERS)
    assert shop.tick()[0] == ["buyers"]
    shop.run("sync_membership", "buyers")
    assert shop.tick("tag_changes_sensor")[0] == ["buyers"]
    shop.run("apply_tag_changes", "buyers")
    assert shop.company.tagged("buyers") == {BEN}
    assert shop.tick() == (
        [],
        "Nothing to sync: buyers has nothing new upstream; french has nothing new upstream.",
    )


def test_one_run_that_builds_two_tables_gives_one_sync(shop):
    """And so do several runs between two ticks."""
    shop.build(CUSTOMERS, ORDERS)
    shop.build(CUSTOMERS, ORDERS)
    assert shop.tick()[0] == ["buyers", "french"]
    assert shop.tick()[0] == []


def test_before_anything_materialized_nothing_is_launched(shop):
    """The tables may be there, or half of them."""
    assert shop.tick()[0] == []


def test_an_activation_waits_for_the_run_that_builds_its_tables(shop):
    """It is launched at the first tick after that run has ended, whether it failed or not."""
    noted = []

    @dg.asset(key=CUSTOMERS)
    def customers():
        """Materialized, while the run goes on with the orders."""

    @dg.asset(key=ORDERS, deps=[CUSTOMERS])
    def orders():
        noted.append(shop.tick())
        raise ValueError

    dg.materialize([customers, orders], instance=shop.instance, raise_on_error=False)
    waiting = (
        "Nothing to sync: buyers waits for the run that materializes dbt/customers;"
        " french waits for the run that materializes dbt/customers."
    )
    assert noted == [([], waiting)]
    assert shop.tick()[0] == ["buyers", "french"]


def test_an_activation_waits_while_its_own_sync_runs(shop):
    """That sync may have read the table as it was before."""
    job = shop.definitions.resolve_job_def("sync_membership")
    under_way = shop.instance.create_run_for_job(
        job, tags={"dagster/partition": "french"}, status=dg.DagsterRunStatus.STARTED
    )
    shop.build(CUSTOMERS)
    assert shop.tick()[0] == ["buyers"]
    assert "french has a sync under way" in shop.tick()[1]
    shop.instance.report_run_failed(under_way)
    assert shop.tick()[0] == ["french"]


def test_a_materialization_that_an_outside_system_reports_counts(shop):
    """It has no run in this instance."""
    shop.instance.report_runless_asset_event(dg.AssetMaterialization(CUSTOMERS))
    assert shop.tick()[0] == ["buyers", "french"]


def test_an_upstream_table_with_time_partitions_counts(shop):
    """Any of its partitions; also the definitions load together."""

    @dg.asset(key=CUSTOMERS, partitions_def=dg.DailyPartitionsDefinition("2026-01-01"))
    def customers():
        """A table that is loaded by day."""

    both = dg.Definitions.merge(shop.definitions, dg.Definitions(assets=[customers]))
    dg.Definitions.validate_loadable(both)
    dg.materialize([customers], instance=shop.instance, partition_key="2026-01-02")
    assert shop.tick()[0] == ["buyers", "french"]


def test_the_graph_shows_the_upstream_of_every_activation(shop):
    """Through relations, too; alone, and in one code location with the upstream."""
    both = dg.Definitions.merge(shop.definitions, dg.Definitions(assets=shop.upstream))
    for definitions in (shop.definitions, both):
        dg.Definitions.validate_loadable(definitions)
        graph = definitions.resolve_asset_graph()
        assert graph.get(dg.AssetKey("segment_membership")).parent_keys == {CUSTOMERS, ORDERS}
    assert both.resolve_asset_graph().get(ORDERS).is_materializable


def test_a_materialization_tells_its_own_upstream(shop):
    """Not that of other activations."""
    shop.build(CUSTOMERS)
    told = {}
    for key in ("buyers", "french"):
        event, *_ = shop.run("sync_membership", key).asset_materializations_for_node("read_segments")
        told[key] = event.metadata["upstream"].value
    assert told == {"buyers": ["dbt/customers", "raw/orders"], "french": ["dbt/customers"]}


def test_who_follows_upstream_has_no_schedule_and_without_them_there_is_no_sensor(shop):
    """Each has one way to be launched."""
    assert {schedule.name for schedule in shop.definitions.schedules} == {"main_sync_0_x_x_x_x_UTC"}
    for key in ("buyers", "french"):
        shop.company.declared["activations"][key] = {**FOLLOWING, "enabled": False}
    sensors = {sensor.name for sensor in shop.company.definitions().sensors}
    assert "tag_changes_sensor" in sensors
    assert "upstream_sensor" not in sensors


def test_a_sync_does_not_claim_that_who_follows_upstream_is_up_to_date(shop):
    """It may have applied members that were read before the table was built again."""
    shop.build(CUSTOMERS)
    for key, claimed in (("french", set()), ("belgians", {"up_to_date"})):
        shop.run("sync_membership", key)
        applied = shop.run("apply_tag_changes", key)
        found = {check.check_name for check in applied.get_asset_check_evaluations()}
        assert found & {"up_to_date"} == claimed


def test_an_activation_is_behind_its_upstream_an_hour_after_a_table_was_built(shop):
    """Until a sync that began afterwards has applied its changes; a failed one does not count."""
    activations = {key: shop.project.activations[key] for key in ("buyers", "french")}
    first_seen = datetime.now(UTC)

    def behind(hours):
        now = datetime.now(UTC) + timedelta(hours=hours)
        observer = Observer(shop.project, shop.instance)
        found = {
            key: observer.staleness_of(each, now, known_since=first_seen) for key, each in activations.items()
        }
        return {key: each.description for key, each in found.items() if each.stale}

    assert behind(9) == {}, "nothing was built since they were declared"
    shop.build(CUSTOMERS, ORDERS)
    shop.company.synced("buyers")
    shop.run("sync_membership", "french")
    assert behind(0.9) == {}
    (sentence,) = behind(1.1).values()
    assert sentence.startswith("Behind its upstream assets since ")
    assert sentence.endswith("runs of french, and check that the sensors are running.")
    shop.run("apply_tag_changes", "french")
    assert behind(9) == {}
    shop.run("sync_membership", "french")
    assert behind(9) == {}, "nothing was left to apply"
    shop.build(ORDERS)
    assert list(behind(1.1)) == ["buyers"], "the other does not read that table"
    shop.build(CUSTOMERS)
    assert list(behind(1.1)) == ["buyers", "french"]
    definitions = shop.definitions
    sensor = definitions.resolve_sensor_def("staleness_sensor")
    with dg.build_sensor_context(instance=shop.instance, definitions=definitions) as context:
        evaluated = [event.partition for event in sensor.evaluate_tick(context).asset_events]
    assert evaluated == ["buyers", "french", "belgians"]


def test_segments_without_upstream_have_none(company):
    """Neither dependency nor metadata."""
    company.people(ANA)
    company.members([ANA])
    company.synced()
    graph = company.definitions().resolve_asset_graph()
    assert graph.get(dg.AssetKey("segment_membership")).parent_keys == set()


def test_the_decision_needs_no_dagster():
    """Seen is what was launched for: an asset added later counts as new."""
    newest = {"a": Newest(7, under_way=False), "b": Newest(9, under_way=False)}
    decision = decide({"x": ["a", "b", "never"]}, newest, {"x": {"a": 7}}, under_way=[], paused=[])
    assert decision.launch == ("x",)
    assert decision.seen == {"x": {"a": 7, "b": 9}}
    assert decide({"x": ["a", "b"]}, newest, decision.seen, under_way=[], paused=[]).launch == ()


def test_the_assets_that_cannot_be_upstream_are_those_of_the_pipeline():
    """Declared in the config layer, which knows nothing of this one."""
    assert set(OWN_ASSETS) == {
        naming.SEGMENT_MEMBERSHIP,
        naming.MEMBERSHIP_CHANGES,
        naming.INTERCOM_TAGS,
    }
