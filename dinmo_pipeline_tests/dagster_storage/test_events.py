"""Events of runs in SQLite: databases stay open, and other processes and Dagster's own class see the same."""

import multiprocessing
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from sqlalchemy import Engine, event

from dinmo_pipeline.dagster_storage import LockedSqliteStorage

STORAGE = {"module": LockedSqliteStorage.__module__, "class": LockedSqliteStorage.__name__, "config": {}}


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides={"storage": {"custom": STORAGE}}) as instance:
        yield instance


@contextmanager
def counted_opens() -> Iterator[Counter[str]]:
    """How often any SQLAlchemy engine opens a database, by its file."""
    opened: Counter[str] = Counter()

    def count(connection: object, _record: object) -> None:
        (_, _, file), *_ = connection.execute("PRAGMA database_list").fetchall()  # type: ignore[attr-defined]
        opened[Path(file).stem] += 1

    event.listen(Engine, "connect", count)
    try:
        yield opened
    finally:
        event.remove(Engine, "connect", count)


@dg.op
def materializes(context: dg.OpExecutionContext) -> None:
    for number in range(20):
        context.log_event(dg.AssetMaterialization("tags", partition=f"{number}"))
        context.log_event(
            dg.AssetCheckEvaluation(
                check_name="right", asset_key=dg.AssetKey("tags"), passed=True, partition=f"{number}"
            )
        )


@dg.job
def tagging() -> None:
    materializes()


def run_once(instance: dg.DagsterInstance) -> str:
    return tagging.execute_in_process(instance=instance).run_id


def materialized(instance: dg.DagsterInstance) -> int:
    return len(instance.fetch_materializations(dg.AssetKey("tags"), limit=1_000).records)


def test_a_run_opens_its_database_and_the_index_once(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    instance.event_log_storage.get_maximum_record_id()

    with counted_opens() as opened:
        run_id = run_once(instance)

    # Dagster looks at the tables of a new database by a second connection.
    assert opened[run_id] <= 2
    # It asks once, by a connection of its own, whether a table is there.
    assert opened["index"] <= 1
    dagsters = DagsterSqliteStorage.from_local(str(tmp_path)).event_log_storage
    assert len(dagsters.get_logs_for_run(run_id)) == len(instance.all_logs(run_id)) > 40


def test_databases_do_not_stay_open_for_ever(instance: dg.DagsterInstance) -> None:
    runs = [run_once(instance) for _ in range(8)]
    instance.delete_run(runs[0])

    kept = instance.event_log_storage._open  # type: ignore[attr-defined]

    assert set(kept) <= {"index", *runs[-3:]}
    assert materialized(instance) == 7 * 20
    instance.wipe()
    run_once(instance)
    assert materialized(instance) == 20


def test_a_forked_process_opens_them_itself(instance: dg.DagsterInstance) -> None:
    run_once(instance)

    child = multiprocessing.get_context("fork").Process(target=run_once, args=(instance,))
    child.start()
    child.join()
    run_once(instance)

    assert child.exitcode == 0
    assert materialized(instance) == 3 * 20
