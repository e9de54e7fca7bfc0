"""Old runs go, with all that Dagster keeps of them; the last ones of each activation stay."""

import dagster as dg
import pytest
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable

from dinmo_pipeline.config import load_project
from dinmo_pipeline.orchestration.checks import all_check_keys
from dinmo_pipeline.orchestration.naming import HISTORY_SENSOR, Names
from dinmo_pipeline.orchestration.runs.in_process import reconcile_activations, sync_activations
from dinmo_pipeline.orchestration.sensors import history
from dinmo_pipeline_tests.aging import age_runs
from dinmo_pipeline_tests.ticking import Ticks, counted_queries

EVERYBODY = [f"user{n}@example.com" for n in range(4)]


@pytest.fixture
def shop(stored_company):
    """A company on SQLite, as in production, with two activations in a synced state."""
    stored_company.people(*EVERYBODY)
    for key in ("vip", "monthly"):
        stored_company.activate(key)
        stored_company.members(EVERYBODY[:2], table=key)
    return stored_company


def files_of(shop, run_id):
    """The files of a run: its events and its compute logs."""
    home = shop.folder / "dagster_home"
    return [path for path in home.rglob("*") if run_id in str(path) and path.is_file()]


def evaluations_of(shop, run_id):
    """The stored evaluations of checks in a run."""
    columns = AssetCheckExecutionsTable.c
    with shop.instance.event_log_storage.index_connection() as connection:
        return connection.execute(
            AssetCheckExecutionsTable.select().where(columns.run_id == run_id)
        ).fetchall()


def newest(shop):
    """What the UI and the sensors show of each activation."""
    return (
        {
            (asset, kind): shop.instance.get_latest_storage_id_by_partition(dg.AssetKey(asset), kind)
            for asset in ("segment_membership", "membership_changes", "intercom_tags")
            for kind in (
                dg.DagsterEventType.ASSET_MATERIALIZATION,
                dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
            )
        },
        shop.instance.event_log_storage.get_asset_check_partition_info(all_check_keys(Names())),
        {
            key: (
                shop.instance.get_latest_materialization_event(Names().audience(key)),
                shop.instance.event_log_storage.get_latest_asset_check_execution_by_key(
                    [Names().audience_check(key)]
                ),
            )
            for key in ("vip", "monthly")
        },
    )


def run_ids(shop):
    """All runs of the instance, oldest first."""
    return [record.dagster_run.run_id for record in shop.instance.get_run_records(ascending=True)]


def foreign_definitions():
    """Another project in the same instance, with a job and an asset page like ours."""

    @dg.op
    def something_else():
        pass

    @dg.job
    def sync_membership():
        something_else()

    @dg.asset
    def theirs():
        pass

    return sync_membership, theirs


def test_old_runs_go_with_everything_but_the_last_ones_of_each_activation(shop):
    """Also of an activation that is synced once a month, or whose last run failed."""
    sync_membership, theirs = foreign_definitions()
    sync_membership.execute_in_process(instance=shop.instance)
    dg.materialize([theirs], instance=shop.instance)
    foreign = run_ids(shop)
    shop.synced("vip")
    superseded = set(run_ids(shop)) - set(foreign)
    for shown_by in (0, 1, None):
        # The second sync has nothing to apply, which its first run shows. The third has nothing new to plot.
        before = set(run_ids(shop))
        shop.synced("monthly")
        runs = [run_id for run_id in run_ids(shop) if run_id not in before]
        superseded.update(runs[shown_by:] if shown_by is not None else ())
    reconcile_activations(
        shop.definitions(),
        shop.instance,
        [load_project(shop.declarations).activations["vip"]],
        names=Names(),
        repair=False,
        recent_minutes=0,
        log_level="CRITICAL",
    )
    before = set(run_ids(shop))
    shop.members(EVERYBODY[:3])
    shop.synced("vip")
    superseded.add(next(run_id for run_id in run_ids(shop) if run_id not in before))
    before = set(run_ids(shop))
    shop.faults({"kind": "status", "status": 401})
    shop.members(EVERYBODY[:1])
    assert shop.sync("vip").status == "failed"
    shop.faults()
    ticks = Ticks(shop.definitions(), shop.instance)
    for sensor in ("tag_changes_sensor", "staleness_sensor"):
        ticks.tick(sensor)
    assert ticks.tick(HISTORY_SENSOR) == ([], "0 runs removed (0 bytes).")
    age_runs(shop.instance, 13)
    assert ticks.tick(HISTORY_SENSOR) == ([], "0 runs removed (0 bytes).")
    age_runs(shop.instance, 40)
    shown = newest(shop)
    assert all(files_of(shop, run_id) and evaluations_of(shop, run_id) for run_id in superseded)

    _, done = ticks.tick(HISTORY_SENSOR)

    left = run_ids(shop)
    assert before - set(left) == superseded
    assert done.startswith(f"{len(superseded)} runs removed (")
    assert "old runs kept, as the last of an activation." in done
    assert not any(files_of(shop, run_id) or evaluations_of(shop, run_id) for run_id in superseded)
    assert set(foreign) <= set(left)
    assert newest(shop) == shown
    # Nothing that a cursor has passed comes again, and what is new is found.
    assert ticks.tick("tag_changes_sensor")[0] == []
    assert ticks.tick(HISTORY_SENSOR)[1].startswith("0 runs removed (0 bytes).")
    assert (
        shop.definitions()
        .resolve_job_def("sync_membership")
        .execute_in_process(instance=shop.instance, partition_key="monthly")
        .success
    )
    shop.members(EVERYBODY, table="monthly")
    assert (
        shop.definitions()
        .resolve_job_def("sync_membership")
        .execute_in_process(instance=shop.instance, partition_key="monthly")
        .success
    )
    assert ticks.tick("tag_changes_sensor")[0] == ["monthly"]


def test_a_tick_ends_after_some_runs_and_the_next_one_continues(shop, monkeypatch):
    """Also if those that stay fill a whole step."""
    for _ in range(3):
        shop.synced("monthly")
        shop.synced("vip")
    age_runs(shop.instance, 30)
    monkeypatch.setattr(history, "RUNS_PER_TICK", 2)
    ticks = Ticks(shop.definitions(), shop.instance)
    for _ in range(8):
        ticks.tick(HISTORY_SENSOR)
    # Of each activation the last sync, and the run that its audience shows.
    assert len(run_ids(shop)) == 6


@pytest.mark.parametrize("removing", [True, False])
def test_the_queries_of_a_tick_depend_on_neither_activations_nor_stored_runs(company, monkeypatch, removing):
    """But on the runs that it removes, here two."""
    company.people(*EVERYBODY)
    keys = ["vip", "beta", "gamma", "delta"]
    for key in keys:
        company.activate(key)
        company.members(EVERYBODY, table=key)
    monkeypatch.setattr(history, "RUNS_PER_TICK", 2)

    def queries(activations, syncs):
        with dg.DagsterInstance.ephemeral() as instance:
            declared = load_project(company.declarations).activations
            for number in range(syncs):
                for key in activations:  # so that the first runs show nothing that the later ones do not
                    company.members(EVERYBODY[: 1 + number % 2], table=key)
                sync_activations(
                    company.definitions(for_a_run=True),
                    instance,
                    [declared[key] for key in activations],
                    names=Names(),
                    log_level="CRITICAL",
                )
            age_runs(instance, 30 if removing else 1)
            with counted_queries() as counts:
                _, done = Ticks(company.definitions(), instance).tick(HISTORY_SENSOR)
        assert done.startswith(f"{2 if removing else 0} runs removed ("), done
        return counts["queries"]

    assert queries(keys, 3) == queries(keys[:1], 4)


def test_a_run_whose_logs_cannot_be_removed_stays_and_holds_up_no_other(shop, monkeypatch):
    """The tick says why."""
    shop.synced("vip")
    first = run_ids(shop)
    shop.synced("vip")
    age_runs(shop.instance, 30)
    logs = type(shop.instance.compute_log_manager)
    delete_logs = logs.delete_logs

    def refused(self, log_key=None, prefix=None):
        if prefix == [first[0]]:
            raise PermissionError("AccessDenied")
        delete_logs(self, log_key, prefix)

    monkeypatch.setattr(logs, "delete_logs", refused)
    _, done = Ticks(shop.definitions(), shop.instance).tick(HISTORY_SENSOR)
    assert f"Run {first[0][:8]} could not be removed: PermissionError: AccessDenied" in done
    assert [run_id for run_id in first if run_id in run_ids(shop)] == first[:1]


def test_without_a_limit_there_is_no_sensor(company):
    """`forever`."""
    company.declared["history"] = {"keep_runs": "forever"}
    names = {sensor.name for sensor in company.definitions().sensors}
    assert names
    assert HISTORY_SENSOR not in names


def test_the_first_run_of_a_day_removes_old_rows_of_the_state(company):
    """Once a day, since a sensor never opens a state file."""
    company.declared["history"] = {"keep_syncs": "1 day"}
    company.people(*EVERYBODY)
    company.members(EVERYBODY[:1])

    def syncs_after_one_more():
        company.synced()
        with company.state.transaction() as connection:
            connection.execute("UPDATE dinmo.syncs SET started_at = started_at - INTERVAL 9 DAY")
        return company.rows("SELECT count(*) FROM dinmo.syncs")

    assert [syncs_after_one_more() for _ in range(3)] == [[(1,)], [(2,)], [(3,)]]
    with company.state.transaction() as connection:
        connection.execute(
            "UPDATE dinmo.membership_sizes SET materialized_at = materialized_at - INTERVAL 1 DAY"
        )
    assert syncs_after_one_more() == [(2,)]
