"""What Dagster's SQLite storage keeps of each run, before and after old runs are removed."""

import logging
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
from rich.console import Console
from rich.table import Table

from dinmo_pipeline.config import load_project
from dinmo_pipeline.dagster_storage.leftovers import shrink, shrinkable
from dinmo_pipeline.orchestration.checks import all_check_keys
from dinmo_pipeline.orchestration.naming import Names
from dinmo_pipeline.orchestration.runs.history import remove_all_old_runs
from dinmo_pipeline.orchestration.runs.in_process import sync_activations
from dinmo_pipeline_tests.company import TOKEN, TOKEN_VARIABLE, Company, intercom_of_tests

ACTIVATIONS = (1, 20)
SYNCS = 5
_DAY = timedelta(days=1)


def bench(console: Console, folder: Path) -> None:
    """Print what is stored of each run, by the size of its batch, and what is left after `dinmo clean`."""
    logging.disable(logging.INFO)
    os.environ[TOKEN_VARIABLE] = TOKEN
    table = Table(
        *("Activations", "Runs", "stored", "removed", "and rewritten", "ms to remove one"),
        title="Dagster's SQLite storage, KB for each run",
    )
    with intercom_of_tests() as base_url:
        for number in ACTIVATIONS:
            table.add_row(*_row(folder / str(number), base_url, number))
    console.print(table)


def _row(folder: Path, base_url: str, number: int) -> tuple[str, ...]:
    home = folder / "dagster_home"
    home.mkdir(parents=True)
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        company = Company(folder, base_url, instance)
        company.declared["segments"], company.declared["activations"] = {}, {}
        for index in range(number):
            company.activate(f"segment_{index}")
            company.members(["ann@example.com"], table=f"segment_{index}")
        declared = load_project(company.declarations).activations.values()

        def sync() -> None:
            definitions = company.definitions(for_a_run=True)
            sync_activations(definitions, instance, declared, names=Names(), log_level="CRITICAL")

        sync()
        empty = _bytes(home)
        for _ in range(SYNCS):
            sync()
        runs = 2 * SYNCS
        stored = _bytes(home) - empty
        started = time.monotonic()
        keys = [activation.key for activation in declared]
        soon = datetime.now(UTC) + _DAY
        done = remove_all_old_runs(Names(), instance, all_check_keys(Names()), keys, before=soon)
        milliseconds = (time.monotonic() - started) * 1000 / done.removed
        kept = _bytes(home)
        for path in shrinkable(instance):
            shrink(path)
        rewritten = _bytes(home)
    sizes = (stored, kept - empty, rewritten - empty)
    return (f"{number}", f"{runs}", *(f"{size / runs / 1000:.0f}" for size in sizes), f"{milliseconds:.0f}")


def _bytes(home: Path) -> int:
    return sum(path.stat().st_size for path in home.rglob("*") if path.is_file())
