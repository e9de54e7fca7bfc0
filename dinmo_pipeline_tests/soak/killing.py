"""Real syncs in their own process, killed with SIGKILL at a chosen moment."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import duckdb
import requests

from dinmo_pipeline.emulator import EmulatorSettings
from dinmo_pipeline_tests.company import TOKEN, TOKEN_VARIABLE, Company
from dinmo_pipeline_tests.emulator.process import running_process

_POLL_SECONDS = 0.005


@dataclass
class KilledSyncs:
    """A company whose syncs are killed; about half its users are members, others after each move."""

    company: Company
    users: Sequence[str]
    choice: random.Random
    members: frozenset[str] = frozenset()

    def move(self, changes: int) -> None:
        """Make so many users enter or leave the segment."""
        moved = frozenset(self.choice.sample(self.users, changes))
        self.members = self.members ^ moved
        self.company.members(sorted(self.members))

    def flood(self, strangers: int) -> None:
        """Add so many members who are not in Intercom."""
        with duckdb.connect(str(self.company.folder / "warehouse.duckdb")) as connection:
            connection.execute(
                "INSERT INTO vip SELECT format('stranger{}@example.com', n), NULL"
                " FROM range(?) AS numbers(n)",
                [strangers],
            )

    def kill_after_calls(self, calls: int) -> bool:
        """Kill a sync after so many of its calls; False if it ended before."""
        before = self._calls()
        return self._kill_when(lambda: self._calls() - before >= calls)

    def interrupt_after_calls(self, calls: int, by: signal.Signals) -> tuple[int, str]:
        """Send a signal to a sync after so many of its calls; its exit code and last line."""
        before = self._calls()
        with self._sync(stderr=subprocess.PIPE) as process:
            while self._calls() - before < calls:
                assert not _ended(process)
            process.send_signal(by)
            _, output = process.communicate()
        return process.returncode, output.decode().splitlines()[-1]

    def kill_after(self, seconds: float) -> bool:
        """Kill a sync so many seconds after its start; False if it ended before."""
        deadline = time.monotonic() + seconds
        return self._kill_when(lambda: time.monotonic() >= deadline)

    def kill_while_it_writes(self) -> bool:
        """Kill a sync as soon as it writes to the state; False if it ended before."""
        files = [self.company.folder / f"state.duckdb{suffix}" for suffix in ("", ".wal")]
        before = _fingerprints(files)
        return self._kill_when(lambda: _fingerprints(files) != before)

    def seconds_of_a_sync(self) -> float:
        """How long a whole sync takes, with the start of its process."""
        started = time.monotonic()
        assert self._sync(stderr=subprocess.DEVNULL).wait() == 0
        return time.monotonic() - started

    def finish(self) -> None:
        """Let a sync in this process do the rest."""
        self.company.synced()

    def wrong(self) -> set[str]:
        """The emails of users who have the tag and should not, or should and do not."""
        return self.company.tagged() ^ self.members

    def statuses(self) -> list[str]:
        """The status of each sync so far; a state file damaged by a kill would not open."""
        return [row[0] for row in self.company.rows("SELECT status FROM dinmo.syncs ORDER BY rowid")]

    def _calls(self) -> int:
        stats = requests.get(f"{self.company.intercom}/_emulator/stats", timeout=30).json()
        return sum(stats["calls"].values())

    def _kill_when(self, is_time: Callable[[], bool]) -> bool:
        process = self._sync(stderr=subprocess.DEVNULL)
        try:
            while not is_time():
                if _ended(process):
                    return False
        finally:
            process.kill()
            process.wait()
        return True

    def _sync(self, stderr: int) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "dinmo_pipeline.cli", "sync", "vip", "--json"],
            env={**os.environ, "DINMO_CONFIG": str(self.company.declarations)},
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )


def _ended(process: "subprocess.Popen[bytes]") -> bool:
    try:
        process.wait(_POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def _fingerprints(files: Sequence[Path]) -> list[tuple[int, int] | None]:
    found: list[tuple[int, int] | None] = []
    for file in files:
        try:
            status = file.stat()
        except FileNotFoundError:
            found.append(None)
        else:
            found.append((status.st_mtime_ns, status.st_size))
    return found


@contextmanager
def killed_syncs(folder: Path, *, users: int, latency_ms: float, seed: int) -> Iterator[KilledSyncs]:
    """A company with Intercom in its own process, no removal guard, and a high rate limit.

    The environment must set `TOKEN_VARIABLE` to the token, and `DAGSTER_HOME`.
    """
    assert os.environ[TOKEN_VARIABLE] == TOKEN
    assert os.environ["DAGSTER_HOME"]
    settings = EmulatorSettings(token=TOKEN, rate_limit=100_000, latency_ms=latency_ms)
    with running_process(settings) as server, dg.DagsterInstance.ephemeral() as instance:
        company = Company(folder, server.base_url, instance)
        company.declared["activations"]["vip"] = {"guards": {"max_removed_share": 1.0}}
        everybody = [f"user{n:05}@example.com" for n in range(users)]
        company.people(*everybody)
        # Not for secrets: the same seed must kill at the same calls.
        killed = KilledSyncs(company, everybody, random.Random(seed))  # noqa: S311
        killed.move(users // 2)
        killed.finish()
        yield killed
