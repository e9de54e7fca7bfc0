"""What syncs of unchanged activations cost: one of many that are declared, and all of them in one batch."""

import os
import resource
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
import yaml
from rich.console import Console
from rich.table import Table

from dinmo_pipeline_tests.company import TOKEN, TOKEN_VARIABLE, intercom_of_tests

DECLARED = (1, 60, 500)
BATCHES = (1, 100)
ROUNDS = 5


def bench(console: Console, folder: Path) -> None:
    """Print the processor time of one activation beside others, the median of runs that take turns.

    Then that of a second sync of all, which changes nothing, for each activation.
    """
    (folder / "dagster_home").mkdir()
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute(
            "CREATE TABLE vip AS SELECT format('u{}@example.com', n) AS email FROM range(100) t(n)"
        )
    with intercom_of_tests() as base_url:
        for number in {*DECLARED, *BATCHES}:
            (folder / f"{number}.yaml").write_text(yaml.safe_dump(_declarations(number, base_url)))
        rounds = [[_seconds(folder, number, "segment_0") for number in DECLARED] for _ in range(ROUNDS + 1)]
        batches = [[_seconds(folder, number, "--all") for _ in range(2)][-1] / number for number in BATCHES]
    one, *others = (median(column) for column in zip(*rounds[1:], strict=True))
    table = Table("Declared", "Seconds", "Ratio", title="Processor time of `dinmo sync` of one activation")
    for number, seconds in zip(DECLARED, (one, *others), strict=True):
        table.add_row(f"{number}", f"{seconds:.2f}", f"{seconds / one:.2f}")
    console.print(table)
    table = Table("Activations", "Seconds each", title="Processor time of `dinmo sync --all`, unchanged")
    for number, seconds in zip(BATCHES, batches, strict=True):
        table.add_row(f"{number}", f"{seconds:.2f}")
    console.print(table)


def _declarations(number: int, base_url: str) -> dict[str, Any]:
    keys = [f"segment_{n}" for n in range(number)]
    return {
        "source": {"type": "duckdb", "database": "warehouse.duckdb"},
        "state": {"database": "state.duckdb"},
        "destinations": {"main": {"access_token": {"env": TOKEN_VARIABLE}, "base_url": base_url}},
        "segments": {key: {"name": key, "table": "vip"} for key in keys},
        "activations": {key: {"schedule": "every hour"} for key in keys},
    }


def _seconds(folder: Path, number: int, what: str) -> float:
    environment = {
        **os.environ,
        TOKEN_VARIABLE: TOKEN,
        "DAGSTER_HOME": str(folder / "dagster_home"),
        "DINMO_CONFIG": str(folder / f"{number}.yaml"),
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "dinmo_pipeline.cli", "sync", what]
    subprocess.run(command, env=environment, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
