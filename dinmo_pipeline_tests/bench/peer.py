"""The same change of 1,000 users by drt-core, the closest peer, and by this project.

drt-core (Apache-2.0) is installed from the package index into a temporary environment. Its Intercom
destination has no tags, so it sets an attribute on each contact, where this project puts a tag on each. Both
find contacts by email, and neither creates any. Only the work on Intercom is measured, not reading the
warehouse or starting an interpreter.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from dinmo_pipeline_tests.bench.syncing import (
    Intercom,
    declare_members,
    email,
    intercom,
    session,
    sync,
)

PEER = "drt-core==1.2.1"
CONTACTS = 1_000
_DRIVER = Path(__file__).with_name("peer_driver.py")
_INSTALL_TIMEOUT_SECONDS, _RUN_TIMEOUT_SECONDS = 180, 600


class _SkippedError(Exception):
    """The peer cannot run here; the message says why."""


def bench(console: Console, folder: Path, latency_ms: float) -> None:
    """Run both, and print their calls and seconds side by side."""
    with intercom(latency_ms=latency_ms) as workspace:
        try:
            peer = _peer(workspace, folder)
        except _SkippedError as reason:
            console.print(f"Peer skipped: {reason}.")
            return
        ours = _ours(workspace, folder)
    table = Table(title=f"{CONTACTS:,} contacts changed, {latency_ms:g} ms per call", title_justify="left")
    table.add_column("")
    for column in ("Calls", "Seconds"):
        table.add_column(column, justify="right")
    table.add_column("Calls by route")
    for name, (seconds, calls) in ((PEER, peer), ("this project", ours)):
        routes = "\n".join(f"{count:,} {route}" for route, count in sorted(calls.items()))
        table.add_row(name, f"{sum(calls.values()):,}", f"{seconds:.2f}", routes)
    console.print(table)
    console.print(
        f"{PEER} makes {sum(peer[1].values()) / sum(ours[1].values()):.0f} times the calls in"
        f" {peer[0] / ours[0]:.0f} times the time. A subclass points it at the emulator, and its own"
        " pacing (by default 10 calls per second) is off; ours is on."
    )


def _peer(workspace: Intercom, folder: Path) -> tuple[float, dict[str, int]]:
    """Seconds and calls of the peer."""
    python = _installed(folder / "venv")
    members = folder / "members.txt"
    members.write_text("\n".join(map(email, range(CONTACTS))))
    _fill(workspace)
    done = subprocess.run(
        [python, _DRIVER, workspace.base_url, members],
        check=False,
        capture_output=True,
        text=True,
        timeout=_RUN_TIMEOUT_SECONDS,
    )
    if done.returncode:
        raise _SkippedError(f"{PEER} failed: {_last_line(done.stderr)}")
    result = json.loads(done.stdout)
    if result["updated"] != CONTACTS:
        raise _SkippedError(f"{PEER} updated {result['updated']:,} of {CONTACTS:,} contacts")
    return result["seconds"], workspace.stats()["calls"]


def _ours(workspace: Intercom, folder: Path) -> tuple[float, dict[str, int]]:
    """Seconds and calls of this project's first sync: no contact is known, and the tag does not exist."""
    _fill(workspace)
    with session(folder, workspace.base_url) as syncing:
        declare_members(syncing, map(email, range(CONTACTS)))
        started = time.perf_counter()
        numbers = sync(syncing, folder)
        seconds = time.perf_counter() - started
    if numbers.tagged != CONTACTS:
        raise RuntimeError(f"tagged {numbers.tagged:,} of {CONTACTS:,}")
    return seconds, workspace.stats()["calls"]


def _fill(workspace: Intercom) -> None:
    """Make the workspace the same for both: these users, and nothing else."""
    workspace.reset()
    workspace.seed(map(email, range(CONTACTS)))
    workspace.stats()


def _installed(environment: Path) -> Path:
    """Install the peer into a new environment; the path of its interpreter."""
    python = environment / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PEER]
    for command in ([sys.executable, "-m", "venv", str(environment)], pip):
        try:
            subprocess.run(
                command,
                check=True,
                capture_output=True,
                text=True,
                timeout=_INSTALL_TIMEOUT_SECONDS,
            )
        except subprocess.CalledProcessError as error:
            raise _SkippedError(f"cannot install {PEER}: {_last_line(error.stderr)}") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _SkippedError(f"cannot install {PEER}: {error}") from error
    return python


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1]
