"""What syncs of unchanged activations cost: one of many that are declared, and all of them in one batch."""

import os
import resource
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
import requests
import yaml
from rich.console import Console
from rich.table import Table

from dinmo_pipeline.cli import main
from dinmo_pipeline_tests.bench.child import Phase, in_child
from dinmo_pipeline_tests.company import TOKEN, TOKEN_VARIABLE, intercom_of_tests

DECLARED = (1, 60, 500)
BATCHES = (10, 1_000)
ROUNDS = 5
_PROJECT = Path(__file__).parents[3]


def bench(console: Console, folder: Path) -> None:
    """Print the processor time of one activation beside others, the median of runs that take turns.

    Then the cost of a second sync of all, which changes nothing.
    """
    home = folder / "dagster_home"
    home.mkdir()
    shutil.copy(_PROJECT / "dagster.yaml", home)
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute(
            "CREATE TABLE vip AS SELECT format('u{}@example.com', n) AS email FROM range(100) t(n)"
        )
    with intercom_of_tests() as base_url:
        for number in {*DECLARED, *BATCHES}:
            (folder / f"{number}.yaml").write_text(yaml.safe_dump(_declarations(number, base_url)))
        rounds = [[_seconds(folder, number) for number in DECLARED] for _ in range(ROUNDS + 1)]
        batches = {number: _unchanged(folder, number, base_url) for number in BATCHES}
    one, *others = (median(column) for column in zip(*rounds[1:], strict=True))
    table = Table("Declared", "Seconds", "Ratio", title="Processor time of `dinmo sync` of one activation")
    for number, seconds in zip(DECLARED, (one, *others), strict=True):
        table.add_row(f"{number}", f"{seconds:.2f}", f"{seconds / one:.2f}")
    console.print(table)
    table = Table(
        *("Activations", "Seconds of processor each", "Peak memory, MB", "API calls in all"),
        title="`dinmo sync --all`, unchanged",
    )
    for number, (phase, calls) in batches.items():
        each = phase.processor_seconds / number
        table.add_row(f"{number:,}", f"{each:.3f}", f"{phase.peak_mb:,}", f"{calls:,}")
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


def _environment(folder: Path, number: int) -> dict[str, str]:
    return {
        **os.environ,
        TOKEN_VARIABLE: TOKEN,
        "DAGSTER_HOME": str(folder / "dagster_home"),
        "DINMO_CONFIG": str(folder / f"{number}.yaml"),
    }


def _seconds(folder: Path, number: int) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "dinmo_pipeline.cli", "sync", "segment_0"]
    subprocess.run(command, env=_environment(folder, number), capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _unchanged(folder: Path, number: int, base_url: str) -> tuple[Phase, int]:
    """What a second sync of all takes, and its calls."""
    in_child(_sync_all, folder, number)
    _calls(base_url)
    return in_child(_sync_all, folder, number), _calls(base_url)


def _sync_all(folder: Path, number: int) -> dict[str, float]:
    os.environ.update(_environment(folder, number))
    with (folder / "printed.txt").open("w") as printed, redirect_stdout(printed), redirect_stderr(printed):
        try:
            main(["sync", "--all"])
        except SystemExit as ended:
            if ended.code:
                raise
    return {}


def _calls(base_url: str) -> int:
    """The calls since the last time that this was asked."""
    answer = requests.get(f"{base_url}/_emulator/stats", params={"reset": "1"}, timeout=60).json()
    return sum(answer["calls"].values())
