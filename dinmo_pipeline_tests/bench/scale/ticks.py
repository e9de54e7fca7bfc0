"""What ticks of sensors, commands and the UI take with 1,000 activations and 100,000 stored events."""

import json
import logging
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from rich.console import Console
from rich.table import Table

from dinmo_pipeline.config import load_project
from dinmo_pipeline.orchestration.naming import Names
from dinmo_pipeline.orchestration.runs.in_process import sync_activations
from dinmo_pipeline_tests.company import TOKEN, TOKEN_VARIABLE, Company, intercom_of_tests
from dinmo_pipeline_tests.ticking import Ticks, counted_queries

ACTIVATIONS = 1_000
EVENTS = 100_000
SENSORS = (
    "tag_changes_sensor",
    "upstream_sensor",
    "staleness_sensor",
    "alerts_sensor",
    "history_sensor",
    "sync_membership_retries",
    "apply_tag_changes_retries",
    "reconcile_tags_retries",
)
_COMMANDS = (("status",), ("status", "--json"), ("check",))
_PROJECT = Path(__file__).parents[3]
_FIRST = "segment_0000"
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Cost:
    """Seconds of wall time and of the processor, and the number of Dagster's queries."""

    wall: float
    processor: float
    queries: int | None = None


def bench(console: Console, folder: Path) -> None:
    """Print the cost of a first tick of each sensor and of the next one, then that of commands and the UI."""
    logging.disable(logging.INFO)
    os.environ[TOKEN_VARIABLE] = TOKEN
    # Nothing is posted there, since nothing is in trouble.
    os.environ["BENCH_WEBHOOK"] = "http://127.0.0.1:9/"
    home = folder / "dagster_home"
    home.mkdir()
    os.environ["DAGSTER_HOME"] = str(home)
    shutil.copy(_PROJECT / "dagster.yaml", home)
    with intercom_of_tests() as base_url, dg.DagsterInstance.get() as instance:
        company = Company(folder, base_url, instance)
        _declare(company)
        os.environ["DINMO_CONFIG"] = str(company.declarations)
        company.people(*(f"u{n}@example.com" for n in range(50)))
        first = load_project(company.declarations).activations[_FIRST]
        definitions = company.definitions(for_a_run=True)
        for _ in range(2):
            sync_activations(definitions, instance, [first], names=Names(), log_level="CRITICAL")
        events = _replicate(home, folder / "state.duckdb")
        console.width = max(console.width, 110)
        table = Table(
            *("What", "Seconds", "of processor", "queries", "Next: seconds", "of processor", "queries"),
            title=f"{ACTIVATIONS:,} activations, {events:,} events",
        )
        ticks = Ticks(company.definitions(), instance)
        for sensor in SENSORS:
            costs = [_measured(partial(ticks.requests, sensor)) for _ in range(2)]
            table.add_row(sensor, *_cells(costs))
        table.add_row("asset page (GraphQL)", *_cells(_asset_page(company)))
        for command in _COMMANDS:
            table.add_row(f"dinmo {' '.join(command)}", *_cells([_command(command), _command(command)]))
        loading = "import dinmo_pipeline.definitions as d; d.defs()"
        table.add_row("definitions, with Python", *_cells([_process("-c", loading), _process("-c", loading)]))
    console.print(table)


def _declare(company: Company) -> None:
    """Half of the activations are due each hour, half follow an asset upstream."""
    company.members((f"u{n}@example.com" for n in range(100)), table="customers")
    keys = [f"segment_{number:04}" for number in range(ACTIVATIONS)]
    company.declared["models"] = {
        "customers": {"table": "customers", "key": "customer_id", "upstream": ["dbt/customers"]}
    }
    company.declared["segments"] = {
        key: {"name": key, "model": "customers", "where": {"field": "email", "is": "set"}} for key in keys
    }
    company.declared["activations"] = {
        key: {"schedule": {"after": "upstream"} if number % 2 else "0 * * * *"}
        for number, key in enumerate(keys)
    }
    company.declared["alerts"] = {"webhook": {"env": "BENCH_WEBHOOK"}}


def _replicate(home: Path, state: Path) -> int:
    """Make what Dagster and the state have of one activation that of all, hour by hour up to now.

    Returns the number of stored events. Logging so many through Dagster would take an hour.
    """
    keys = [f"segment_{number:04}" for number in range(ACTIVATIONS)]
    _replicate_state(state)
    with closing(sqlite3.connect(home / "history" / "runs" / "index.db")) as index:
        index.row_factory = sqlite3.Row
        (newest,) = index.execute(
            "SELECT max(run_id) FROM event_logs GROUP BY run_id ORDER BY max(id) DESC"
        ).fetchone()
        runs = [newest, _run_before(index, newest)]
        marks = ", ".join("?" * len(runs))
        events = index.execute(
            f"SELECT * FROM event_logs WHERE run_id IN ({marks}) AND partition IS NOT NULL ORDER BY id", runs
        ).fetchall()
        checks = index.execute(
            f"SELECT * FROM asset_check_executions WHERE run_id IN ({marks}) ORDER BY id", runs
        ).fetchall()
        hours = max(EVENTS // (ACTIVATIONS * len(events)), 1)
        for hour in reversed(range(hours)):
            ids = {run: str(uuid.uuid4()) for run in runs}
            at = datetime.now(UTC) - hour * _HOUR - timedelta(minutes=5)
            _replicate_runs(home, ids, keys, at)
            for old, new_id in ids.items():
                _replicate_log(
                    home / "history" / "runs",
                    (old, new_id),
                    [row for row in events if row["run_id"] == old],
                    keys,
                    at,
                )
            new = {
                "run_id": lambda row, _key, ids=ids: ids[row["run_id"]],
                "timestamp": lambda _row, _key, at=at: at.replace(tzinfo=None).isoformat(" "),
            }
            _insert(index, "event_logs", events, keys, {**new, "event": _event_at(ids, at)})
            _insert(
                index,
                "asset_check_executions",
                checks,
                keys,
                {
                    "run_id": new["run_id"],
                    "evaluation_event": _event_at(ids, at),
                    "evaluation_event_timestamp": new["timestamp"],
                    "create_timestamp": new["timestamp"],
                },
            )
        index.commit()
        return int(index.execute("SELECT count(*) FROM event_logs").fetchone()[0])


def _run_before(index: sqlite3.Connection, run_id: str) -> str:
    """The run whose events come before those of another."""
    found = index.execute(
        "SELECT run_id FROM event_logs WHERE partition IS NOT NULL AND id <"
        " (SELECT min(id) FROM event_logs WHERE run_id = ?) ORDER BY id DESC LIMIT 1",
        [run_id],
    ).fetchone()
    return str(found[0])


def _event_at(ids: dict[str, str], at: datetime) -> Callable[[sqlite3.Row, str], str]:
    def text(row: sqlite3.Row, key: str) -> str:
        column = "event" if "event" in row.keys() else "evaluation_event"  # noqa: SIM118  # of sqlite3.Row
        event = json.loads(row[column].replace(_FIRST, key).replace(row["run_id"], ids[row["run_id"]]))
        return json.dumps({**event, "timestamp": at.timestamp()})

    return text


def _insert(
    connection: sqlite3.Connection,
    table: str,
    rows: Iterable[sqlite3.Row],
    keys: Iterable[str],
    new: dict[str, Callable[[sqlite3.Row, str], Any]],
) -> None:
    """Insert the rows of one activation again for each, with new values of some columns and new ids."""
    values = [
        {
            **{column: row[column] for column in row.keys() if column != "id"},  # noqa: SIM118
            "partition": key,
            **{column: value(row, key) for column, value in new.items()},
        }
        for key in keys
        for row in rows
    ]
    columns = list(values[0])
    names, marks = ", ".join(columns), ", ".join(f":{column}" for column in columns)
    connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)


def _replicate_runs(home: Path, ids: dict[str, str], keys: list[str], at: datetime) -> None:
    """The runs of one activation become batches of all."""
    with closing(sqlite3.connect(home / "history" / "runs.db")) as runs:
        runs.row_factory = sqlite3.Row
        for old, new in ids.items():
            row = dict(runs.execute("SELECT * FROM runs WHERE run_id = ?", [old]).fetchone())
            body = json.loads(row["run_body"].replace(old, new))
            op = "read_segments" if row["pipeline_name"] == "sync_membership" else "intercom_tags"
            body["run_config"] = {"ops": {op: {"config": {"activations": keys}}}}
            moment = at.replace(tzinfo=None).isoformat(" ")
            seconds = {"start_time": at.timestamp(), "end_time": at.timestamp() + 60}
            times = {"create_timestamp": moment, "update_timestamp": moment, **seconds}
            row = {**row, **times, "run_id": new, "run_body": json.dumps(body)}
            row.pop("id")
            names, marks = ", ".join(row), ", ".join(f":{column}" for column in row)
            runs.execute(f"INSERT INTO runs ({names}) VALUES ({marks})", row)
            runs.execute(
                "INSERT INTO run_tags (run_id, key, value) SELECT ?, key, value FROM run_tags"
                " WHERE run_id = ?",
                [new, old],
            )
        runs.commit()


def _replicate_log(
    folder: Path, runs: tuple[str, str], events: Iterable[sqlite3.Row], keys: Iterable[str], at: datetime
) -> None:
    """The log of a run, in its own file, gets the events of all activations."""
    old, new = runs
    with (
        closing(sqlite3.connect(folder / f"{old}.db")) as log,
        closing(sqlite3.connect(folder / f"{new}.db")) as copy,
    ):
        # Not by copying the file: what was written last may be in its journal.
        log.backup(copy)
        copy.execute("PRAGMA journal_mode = WAL")
        copy.execute("DELETE FROM event_logs WHERE partition IS NOT NULL")
        copy.execute(
            "UPDATE event_logs SET run_id = $new, event = replace(event, $old, $new)",
            {"old": old, "new": new},
        )
        values = {
            "run_id": lambda _row, _key: new,
            "timestamp": lambda _row, _key: at.replace(tzinfo=None).isoformat(" "),
            "event": _event_at({old: new}, at),
        }
        _insert(copy, "event_logs", events, keys, values)
        copy.commit()


def _replicate_state(state: Path) -> None:
    with duckdb.connect(str(state)) as connection:
        tables = connection.execute(
            "SELECT table_name FROM duckdb_columns() JOIN duckdb_tables() USING (schema_name, table_name)"
            " WHERE schema_name = 'dinmo' AND column_name = 'activation'"
        ).fetchall()
        for (table,) in tables:
            connection.execute(
                f"INSERT INTO dinmo.{table}"
                " SELECT old.* REPLACE (format('segment_{:04d}', n) AS activation)"
                f" FROM dinmo.{table} AS old, range(1, {ACTIVATIONS}) AS numbers(n)"
            )


def _measured(what: Callable[[], object]) -> _Cost:
    processor, wall = time.process_time(), time.monotonic()
    with counted_queries() as counts:
        what()
    return _Cost(time.monotonic() - wall, time.process_time() - processor, counts["queries"])


def _command(arguments: Iterable[str]) -> _Cost:
    return _process("-m", "dinmo_pipeline.cli", *arguments)


def _process(*arguments: str) -> _Cost:
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return _Cost(time.monotonic() - wall, processor)


# What the page of an asset asks for: the asset's partitions, its checks, and the health of each.
_ASSET_PAGE = """
query AssetPage($key: AssetKeyInput!) {
  assetNodeOrError(assetKey: $key) {
    ... on AssetNode {
      id
      partitionKeysByDimension { name partitionKeys }
      assetPartitionStatuses {
        ... on DefaultPartitionStatuses {
          materializedPartitions failedPartitions materializingPartitions unmaterializedPartitions
        }
      }
      latestMaterializationByPartition { partition timestamp runId metadataEntries { label } }
      assetChecksOrError {
        ... on AssetChecks { checks { name executionForLatestMaterialization { status } } }
      }
    }
  }
}
"""


def _asset_page(company: Company) -> list[_Cost]:
    """The queries of the page of `intercom_tags`, first and again, in a webserver of this process."""
    from dagster._core.test_utils import in_process_test_workspace  # noqa: PLC0415
    from dagster._core.types.loadable_target_origin import LoadableTargetOrigin  # noqa: PLC0415
    from dagster_graphql.test.utils import execute_dagster_graphql  # noqa: PLC0415

    origin = LoadableTargetOrigin(
        executable_path=sys.executable, module_name="dinmo_pipeline.definitions", attribute="defs"
    )
    with in_process_test_workspace(company.instance, origin) as workspace:

        def ask() -> None:
            answer = execute_dagster_graphql(workspace, _ASSET_PAGE, {"key": {"path": ["intercom_tags"]}})
            if answer.errors:
                raise AssertionError(answer.errors)

        return [_measured(ask), _measured(ask)]


def _cells(costs: Iterable[_Cost]) -> list[str]:
    return [
        cell
        for cost in costs
        for cell in (
            f"{cost.wall:.2f}",
            f"{cost.processor:.2f}",
            "" if cost.queries is None else f"{cost.queries:,}",
        )
    ]
