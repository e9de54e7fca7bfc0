"""Membership and changes of a large segment with 1 % churn, compared with the same work in raw DuckDB.

Everybody is a member and tagged. Then 1 % leave and as many enter, who have not been looked up in Intercom
yet. It measures reading the segment into the membership, and computing and storing the changes. Raw DuckDB
writes a table of the normalised, distinct identifiers, and one of the differences to the day before.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table

from dinmo_pipeline.config import load_project
from dinmo_pipeline.config.declarations import Project
from dinmo_pipeline.segments.members import select_members
from dinmo_pipeline.segments.sources.opening import open_source
from dinmo_pipeline.state.changes import (
    compute_changes,
    newest_touch,
    settle,
    store_changes,
)
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.membership import refresh_membership
from dinmo_pipeline.state.tags.owners import ActivationTag, record_tag
from dinmo_pipeline_tests.bench.child import Phase, Stopwatch, in_child
from dinmo_pipeline_tests.state.declaring import staged

# The goal, as a multiple of raw DuckDB's time.
AIM = 1.3
_DAYS = {
    "before": datetime(2026, 3, 1, 9, tzinfo=UTC),
    "after": datetime(2026, 3, 2, 9, tzinfo=UTC),
}
_DECLARATIONS = """\
source: {{type: duckdb, database: warehouse.duckdb}}
state: {{database: state.duckdb}}
destinations:
  main: {{access_token: {{env: BENCH_TOKEN}}}}
segments:
  before: {{name: Before, sql: "SELECT email FROM users WHERE number < {members}"}}
  after: {{name: After, sql: "SELECT email FROM users WHERE number >= {churn}"}}
activations:
  large: {{segment: before, match_by: email, column: email}}
"""


_SELECT_AFTER = "SELECT DISTINCT lower(trim(email)) AS identifier FROM source.users WHERE number >= {}"
_SELECT_BEFORE = "SELECT DISTINCT lower(trim(email)) AS identifier FROM source.users WHERE number < {}"


def bench(console: Console, folder: Path, members: int, memory_limit: str) -> None:
    """Run all phases, and print their cost; `memory_limit` is DuckDB's, such as `1GB`."""
    in_child(make_warehouse, folder, members)
    table = Table(title=f"{members:,} members, 1 % churn", title_justify="left")
    for column in ("Phase", "Memory limit", "Seconds by step"):
        table.add_column(column)
    for column in ("Seconds", "Processor seconds", "Peak MB"):
        table.add_column(column, justify="right")
    _add(table, "first day", None, in_child(first_day, folder))
    in_child(tag_everybody, folder)
    in_child(raw_first_day, folder, members)
    ratios = []
    for limit in (None, memory_limit):
        shutil.copyfile(folder / "state.duckdb", folder / "copy.duckdb")
        ours = in_child(second_day, folder, limit)
        raw = in_child(raw_second_day, folder, members, limit)
        _add(table, "second day", limit, ours)
        _add(table, "raw DuckDB", limit, raw)
        ratios.append(
            f"{ours.total / raw.total:.2f} times the seconds"
            f" ({ours.processor_seconds / raw.processor_seconds:.2f} times the processor seconds)"
        )
    console.print(table)
    console.print(f"Compared with raw DuckDB: {ratios[0]}; with a memory limit, {ratios[1]}. Aim: {AIM}.")


def make_warehouse(folder: Path, members: int) -> dict[str, float]:
    """The source: users in random order, every tenth email not normalised."""
    churn = members // 100
    (folder / "dinmo.yaml").write_text(_DECLARATIONS.format(members=members, churn=churn))
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute(
            f"""
            CREATE TABLE users AS
            SELECT number, CASE WHEN number % 10 = 0 THEN ' ' || upper(email) ELSE email END AS email
            FROM (SELECT range AS number,
                         md5(range::VARCHAR)[:8] || '.' || range || '@example.com' AS email
                  FROM range({members + churn}))
            ORDER BY hash(number)
            """
        )
    return {}


def first_day(folder: Path) -> dict[str, float]:
    """Read the segment for the first time, and compute its changes: everybody enters."""
    project = load_project(folder / "dinmo.yaml")
    return _sync_membership(project, "before", StateDatabase(project.state.database))


def tag_everybody(folder: Path) -> dict[str, float]:
    """Record that the first sync found and tagged everybody."""
    project = load_project(folder / "dinmo.yaml")
    activation = project.activations["large"]
    with StateDatabase(project.state.database).transaction() as connection:
        record_tag(connection, "large", "main", ActivationTag("1", activation.name))
        connection.execute(
            """
            INSERT INTO dinmo.contacts
            SELECT 'main', md5(identifier)[:24], identifier, NULL, true, now(),
                   nextval('dinmo.touches'), now()
            FROM dinmo.segment_membership
            """
        )
        connection.execute(
            """
            INSERT INTO dinmo.tagged_contacts
            SELECT 'large', 'main', contact_id, email, now() FROM dinmo.contacts
            """
        )
        changes = compute_changes(connection, activation)
        if changes.entered or changes.left:
            raise AssertionError(changes)
        store_changes(connection, activation)
        settle(connection, "large", newest_touch(connection, "main"))
    return {}


def second_day(folder: Path, memory_limit: str | None) -> dict[str, float]:
    """Read the segment again, and compute its changes, on a copy of the state."""
    state = StateDatabase(str(folder / "copy.duckdb"), memory_limit=memory_limit)
    return _sync_membership(load_project(folder / "dinmo.yaml"), "after", state)


def _sync_membership(project: Project, segment: str, state: StateDatabase) -> dict[str, float]:
    """Do what the job `sync_membership` does, without Dagster and Intercom."""
    activation = project.activations["large"]
    watch = Stopwatch()
    with open_source(project.source, uri=None) as source:
        query = select_members(
            project, segment, activation.column, source, now=_DAYS[segment], timezone="UTC"
        )
        refresh_membership(
            state,
            activation.key,
            activation.match_by,
            staged(source.batches(query), activation.match_by, now=_DAYS[segment]),
        )
    watch.lap("membership")
    with state.transaction() as connection:
        compute_changes(connection, activation)
        store_changes(connection, activation)
    watch.lap("changes")
    return watch.seconds


def raw_first_day(folder: Path, members: int) -> dict[str, float]:
    """The table that the second day is compared with."""
    with _raw(folder, None) as connection:
        connection.execute(f"CREATE TABLE previous AS {_SELECT_BEFORE.format(members)}")
    return {}


def raw_second_day(folder: Path, members: int, memory_limit: str | None) -> dict[str, float]:
    """The table of identifiers, and that of the differences to the day before, both in the file."""
    watch = Stopwatch()
    with _raw(folder, memory_limit) as connection:
        select = _SELECT_AFTER.format(members // 100)
        connection.execute(f"CREATE OR REPLACE TABLE present AS {select}")
        watch.lap("table")
        connection.execute(
            """
            CREATE OR REPLACE TABLE differing AS
            SELECT present.identifier AS entered, previous.identifier AS gone
            FROM present FULL JOIN previous ON present.identifier = previous.identifier
            WHERE present.identifier IS NULL OR previous.identifier IS NULL
            """
        )
        watch.lap("join")
    watch.lap("close")
    return watch.seconds


@contextmanager
def _raw(folder: Path, memory_limit: str | None) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(folder / "raw.duckdb")) as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET preserve_insertion_order = false")
        if memory_limit:
            connection.execute(f"SET memory_limit = '{memory_limit}'")
        connection.execute(f"ATTACH '{folder / 'warehouse.duckdb'}' AS source (READ_ONLY)")
        yield connection


def _add(table: Table, name: str, limit: str | None, phase: Phase) -> None:
    table.add_row(
        name,
        limit or "none",
        "\n".join(f"{step} {seconds:.2f}" for step, seconds in phase.seconds.items()),
        f"{phase.total:.2f}",
        f"{phase.processor_seconds:.2f}",
        f"{phase.peak_mb:,}",
    )
