"""The pipeline as a code location, with a lock that proves that no state file ever has two writers.

The lock is of the operating system and never waited for: a run that writes to the file of a destination takes
it as soon as it has the destination's lease, and keeps it as long as the lease. If another process has it, or
if a run writes after it lost its lease, that is a violation: it is written down, and the run fails.
"""

import fcntl
import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import dagster as dg
import duckdb
from pydantic import PrivateAttr

from dinmo_pipeline.config import load_project
from dinmo_pipeline.orchestration.build import build_definitions
from dinmo_pipeline.orchestration.naming import (
    INTERCOM_TAGS,
    MEMBERSHIP_CHANGES,
    SEGMENT_MEMBERSHIP,
    STATE,
)
from dinmo_pipeline.orchestration.resources import StateResource
from dinmo_pipeline.orchestration.runs.leases import this_machine
from dinmo_pipeline.orchestration.runs.loading import is_for_a_run
from dinmo_pipeline.state.coordination.leases import newest_lease
from dinmo_pipeline.state.file.database import StateDatabase

AUDIT_VARIABLE = "SOAK_AUDIT_FOLDER"
_SECONDS_BETWEEN_PEOPLE = 25
# The locks of this process: the descriptor of each destination's, and the run that took it.
_locks: dict[str, tuple[int, str]] = {}


def audit_folder() -> Path:
    """Where the locks are, and what was written down."""
    return Path(os.environ[AUDIT_VARIABLE])


def write_down(file: str, **values: Any) -> None:
    """Append a line to a file of the audit, in one write, since many processes do."""
    line = json.dumps({"at": time.time(), "machine": this_machine(), "pid": os.getpid(), **values})
    descriptor = os.open(audit_folder() / file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)


class TwoWritersError(Exception):
    """What must never happen: two runs write to the file of one destination."""


@dataclass(frozen=True)
class AuditedDatabase(StateDatabase):
    """The state of a destination, which takes the lock with the lease and gives it back with it."""

    destination: str = ""
    run_id: str = ""

    @contextmanager
    def attached(
        self, connection: duckdb.DuckDBPyConnection, *, read_only: bool = False, any_schema: bool = False
    ) -> Iterator[None]:
        """As its parent. After the block the transaction is over, and the file still locked."""
        with super().attached(connection, read_only=read_only, any_schema=any_schema):
            if read_only:
                yield
                return
            had_lease = self._has_lease(connection)
            yield
            if self._has_lease(connection):
                self._take_lock()
            elif had_lease:
                self._give_back()
            elif self._has_lock():
                self._violation("a run that had lost its lease wrote")

    def _has_lease(self, connection: duckdb.DuckDBPyConnection) -> bool:
        lease = newest_lease(connection, self.destination)
        return lease is not None and lease.holder == self.run_id and lease.released_at is None

    def _has_lock(self) -> bool:
        return _locks.get(self.destination, (0, ""))[1] == self.run_id

    def _take_lock(self) -> None:
        if self._has_lock():
            return
        path = audit_folder() / f"{self.destination}.lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            self._violation("two runs have the lease")
        _locks[self.destination] = descriptor, self.run_id
        write_down("turns.jsonl", event="taken", destination=self.destination, run=self.run_id)

    def _give_back(self) -> None:
        descriptor, _ = _locks.pop(self.destination)
        write_down("turns.jsonl", event="released", destination=self.destination, run=self.run_id)
        os.close(descriptor)

    def _violation(self, what: str) -> None:
        write_down("violations.jsonl", what=what, destination=self.destination, run=self.run_id)
        raise TwoWritersError(f"{what} ({self.destination}, {self.run_id})")


class AuditedState(StateResource):
    """The state, whose databases are audited."""

    _run_id: str = PrivateAttr(default="")

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Self]:
        """As its parent."""
        self._run_id = context.run.run_id if context.run else ""
        with super().yield_for_execution(context):
            yield self

    def of(self, destination: str, log: Any) -> StateDatabase:
        """As its parent."""
        plain = super().of(destination, log)
        return AuditedDatabase(**vars(plain), destination=destination, run_id=self._run_id)


@dg.definitions
def defs() -> dg.Definitions:
    """The definitions of the declarations at `$DINMO_CONFIG`, audited, and with people who launch runs."""
    project = load_project(Path(os.environ["DINMO_CONFIG"]))
    built = build_definitions(project, os.environ, for_a_run=is_for_a_run())
    audited = AuditedState(database=project.state.database, folder=project.state.folder)
    return dg.Definitions(
        assets=built.assets,
        asset_checks=built.asset_checks,
        jobs=built.jobs,
        schedules=built.schedules,
        sensors=[*(built.sensors or ()), _people(list(project.activations))],
        resources={**(built.resources or {}), STATE: audited},
        loggers=built.loggers,
        # People's runs have the default executor, whose processes a Celery worker may not start.
        executor=dg.in_process_executor,
    )


def _people(activations: list[str]) -> Any:
    """Runs as people launch them on the page of an asset: they name no destination."""
    assets = [dg.AssetKey(name) for name in (SEGMENT_MEMBERSHIP, MEMBERSHIP_CHANGES, INTERCOM_TAGS)]

    @dg.sensor(
        name="people",
        target=dg.AssetSelection.assets(*assets).without_checks(),
        minimum_interval_seconds=_SECONDS_BETWEEN_PEOPLE,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def people(_context: dg.SensorEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(partition_key=random.choice(activations))  # noqa: S311  # no secret

    return people
