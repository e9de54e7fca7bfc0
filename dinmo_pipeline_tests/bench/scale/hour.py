"""An hour of many activations through Dagster's own daemon: from the tick of their schedule to right tags."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
from rich.console import Console
from rich.table import Table

from dinmo_pipeline.orchestration.naming import INTERCOM_TAGS
from dinmo_pipeline.orchestration.runs.lifecycle import UNDER_WAY
from dinmo_pipeline_tests.company import TOKEN, TOKEN_VARIABLE, Company, intercom_of_tests

_PROJECT = Path(__file__).parents[3]
_MEMBERS = 20
# The daemon and its code server need so long to start on a busy machine.
_MINUTES_TO_START = 2
_POLL_SECONDS = 1.0
_MAX_HOURS = 1.0


@dataclass(frozen=True, slots=True)
class _Moment:
    """The processor seconds of the daemon and all that it started, and the bytes of Dagster's storage."""

    processor: float
    stored: int


def bench(console: Console, folder: Path, activations: int) -> None:
    """Print what one tick of a schedule of so many activations takes, each with 20 members who entered."""
    os.environ[TOKEN_VARIABLE] = TOKEN
    home = folder / "dagster_home"
    home.mkdir()
    os.environ["DAGSTER_HOME"] = str(home)
    shutil.copy(_PROJECT / "dagster.yaml", home)
    keys = [f"segment_{number:04}" for number in range(activations)]
    tick = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=_MINUTES_TO_START)
    with intercom_of_tests() as base_url, dg.DagsterInstance.get() as instance:
        company = Company(folder, base_url, instance)
        emails = [f"u{number}@example.com" for number in range(_MEMBERS)]
        company.people(*emails)
        company.members(emails)
        company.declared["segments"] = {key: {"name": key, "table": "vip"} for key in keys}
        # Once a day, so that the next tick is not during this one.
        schedule = f"{tick.minute} {tick.hour} * * *"
        company.declared["activations"] = {key: {"schedule": schedule} for key in keys}
        os.environ["DINMO_CONFIG"] = str(company.declarations)
        with _daemon(folder) as daemon:
            _wait_until(lambda: datetime.now(UTC) >= tick, daemon)
            before = _Moment(_processor_seconds(daemon.pid), _bytes(home))
            _wait_until(lambda: _is_over(instance, activations), daemon)
            seconds = (datetime.now(UTC) - tick).total_seconds()
            after = _Moment(_processor_seconds(daemon.pid), _bytes(home))
        wrong = [key for key in keys if company.tagged(key) != set(emails)]
        runs = instance.get_runs()
        calls = company.calls()
    failed = [run.run_id for run in runs if run.status != dg.DagsterRunStatus.SUCCESS]
    table = Table("What", "Figure", title=f"An hour of {activations} activations, {_MEMBERS} entered each")
    for what, figure in (
        ("From the tick to right tags, seconds", f"{seconds:.0f}"),
        ("Processor seconds", f"{after.processor - before.processor:.1f}"),
        ("… of each activation", f"{(after.processor - before.processor) / activations:.2f}"),
        ("Runs", f"{len(runs)}, {len(failed)} of them not successful"),
        ("Bytes of Dagster's storage", f"{after.stored - before.stored:,}"),
        ("Calls to Intercom", f"{sum(calls.values()):,}"),
        ("Activations with wrong tags", f"{len(wrong)}"),
    ):
        table.add_row(what, figure)
    console.print(table)


@contextmanager
def _daemon(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Dagster's daemon with a code server, its log in a file of the folder."""
    workspace = folder / "workspace.yaml"
    shutil.copy(_PROJECT / "workspace.yaml", workspace)
    command = [str(Path(sys.executable).with_name("dagster-daemon")), "run", "-w", str(workspace)]
    with (folder / "daemon.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=120)


def _is_over(instance: dg.DagsterInstance, activations: int) -> bool:
    """Whether the tags of all activations were brought to Intercom, and every run has ended.

    The sensor does not wait for the last segment to be read, so several runs share the activations.
    """
    if len(instance.get_materialized_partitions(dg.AssetKey(INTERCOM_TAGS))) < activations:
        return False
    return not instance.get_runs_count(dg.RunsFilter(statuses=list(UNDER_WAY)))


def _wait_until(is_true: Callable[[], bool], daemon: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _MAX_HOURS * 3_600
    while not is_true():
        if daemon.poll() is not None:
            raise RuntimeError(f"The daemon ended with exit code {daemon.returncode}.")
        if time.monotonic() > deadline:
            raise TimeoutError("The hour is over, and its runs are not.")
        time.sleep(_POLL_SECONDS)


def _processor_seconds(process: int) -> float:
    """The processor seconds of a process and all its descendants, also of those that ended. Linux only."""
    ticks, parents = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name of the program, in brackets, may contain spaces.
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        parents[int(path.parent.name)] = int(fields[1])
        # Of the process in user and kernel mode, then of its children that ended.
        ticks[int(path.parent.name)] = sum(map(int, fields[11:15]))
    descendants, found = {process}, {process}
    while found:
        found = {child for child, parent in parents.items() if parent in found} - descendants
        descendants |= found
    return sum(ticks.get(each, 0) for each in descendants) / os.sysconf("SC_CLK_TCK")


def _bytes(home: Path) -> int:
    return sum(path.stat().st_size for path in home.rglob("*") if path.is_file())
