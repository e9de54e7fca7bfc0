"""One run or command at a time for each destination, wherever runs execute.

Needed only if the state has a file for each destination: with one file, everything runs on one machine, where
locks of the operating system let runs of different activations work side by side.

Dagster usually starts one run of a destination at a time, by a limit on a tag; this also covers what people
start. Whether the holder of a lease is alive, Dagster says. So a lease needs no clock and no renewal, and a
run that waits for Intercom for hours keeps it.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import dagster as dg
import duckdb

from dinmo_pipeline.intercom.pacing.rate_headers import WINDOW_SECONDS
from dinmo_pipeline.state.coordination.leases import Lease, newest_lease, release_lease, take_lease
from dinmo_pipeline.state.errors import DestinationHeldError
from dinmo_pipeline.state.file.database import StateDatabase

_WAIT_SECONDS = 3_600.0
_PAUSE_SECONDS = 2.0
# A command on another machine, or a run of another Dagster instance, cannot be asked whether it is alive.
_UNKNOWN_HOLDER = timedelta(hours=12)


@contextmanager
def destination_lease(
    instance: dg.DagsterInstance,
    state: StateDatabase,
    destination: str,
    holder: str,
    *,
    on_wait: Callable[[str], None],
    wait_seconds: float = _WAIT_SECONDS,
) -> Iterator[None]:
    """Hold the lease of a destination within the block; `holder` is the id of the run or command.

    What was spent of Intercom's budget on another machine is not known here. So after a lease of another
    machine, the first call waits until Intercom counts anew.

    Raises:
        DestinationHeldError: another run or command held it for all of `wait_seconds`.
    """
    deadline = time.monotonic() + wait_seconds
    said = False
    while True:
        is_taken, before = _take(instance, state, destination, holder)
        if is_taken:
            break
        if not said:
            on_wait(f"Another run works on the destination {destination!r}; waiting for it to end …")
            said = True
        if time.monotonic() >= deadline:
            raise DestinationHeldError(
                f"Another run or command has worked on the destination {destination!r} for"
                f" {wait_seconds:g} seconds, so nothing was changed. Run this again when it has ended."
            )
        time.sleep(_PAUSE_SECONDS)
    try:
        _wait_for_budget(before)
        yield
    finally:
        with state.transaction() as connection:
            release_lease(connection, destination, holder, now=datetime.now(UTC))


def fenced(state: StateDatabase, destination: str, holder: str) -> StateDatabase:
    """The state, into which a run or command writes nothing once another has its lease.

    Dagster may take a living run to be dead: a person forced its end, it ran for too long, or the launcher
    lost sight of it. Then the next run has the lease, and this one ends at its next write.
    """

    def fence(connection: duckdb.DuckDBPyConnection) -> None:
        lease = newest_lease(connection, destination)
        if lease is None or lease.holder != holder:
            raise DestinationHeldError(
                f"Another run or command has taken over the destination {destination!r}, since this one was"
                " taken to be dead. This one stops here."
            )

    return replace(state, fence=fence)


def _take(
    instance: dg.DagsterInstance, state: StateDatabase, destination: str, holder: str
) -> tuple[bool, Lease | None]:
    """Take the lease unless somebody has it; returns whether that was done, and the lease before."""
    with state.reading() as connection:
        before = newest_lease(connection, destination)
    if before and before.holder != holder and is_alive(before, instance):
        return False, before
    lease = Lease(holder, this_machine(), os.getpid(), datetime.now(UTC))
    with state.transaction() as connection:
        return take_lease(connection, destination, lease, after=before), before


def is_alive(lease: Lease, instance: dg.DagsterInstance) -> bool:
    """Whether the holder of a lease still works."""
    if lease.released_at:
        return False
    if lease.machine == this_machine() and not _is_running(lease.pid):
        return False
    if run := instance.get_run_by_id(lease.holder):
        return not run.is_finished
    return datetime.now(UTC) - lease.taken_at < _UNKNOWN_HOLDER


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        pass
    return True


@cache
def this_machine() -> str:
    """What tells apart the processes that share a clock and process ids: a machine, or a container in it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # not Linux
        return socket.gethostname()


def _wait_for_budget(before: Lease | None) -> None:
    if before is None or before.machine == this_machine():
        return
    since = (datetime.now(UTC) - (before.released_at or datetime.now(UTC))).total_seconds()
    time.sleep(min(max(WINDOW_SECONDS - since, 0.0), WINDOW_SECONDS))
