"""A sync or a reconciliation in this process, through the same jobs and Dagster instance as the UI."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg

from dinmo_pipeline.orchestration.naming import (
    APPLY_TAG_CHANGES,
    INTERCOM_TAGS,
    MEMBERSHIP_CHANGES,
    RECONCILE,
    RECONCILE_TAGS,
    STATE,
    SYNC_MEMBERSHIP,
)
from dinmo_pipeline.orchestration.resources import StateResource
from dinmo_pipeline.orchestration.runs.dead_runs import close_dead_runs
from dinmo_pipeline.orchestration.runs.errors import error_of, was_interrupted
from dinmo_pipeline.orchestration.runs.handover import receiving
from dinmo_pipeline.state.errors import StateError
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.file.locks import activation_lock
from dinmo_pipeline.state.file.run_marks import run_mark
from dinmo_pipeline.state.syncs import SyncResult, finished_sync, interrupt_sync
from dinmo_pipeline.sync.operations.compute_changes import ComputedChanges
from dinmo_pipeline.sync.operations.reconcile import Reconciled

_Value = TypeVar("_Value")


def sync_activation(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    activation: str,
    *,
    allow_large_removal: bool,
    allow_large_growth: bool = False,
    recheck: bool = False,
    log_level: str,
    plain_log: bool = False,
    expected_changes: str = "",
    on_wait: Callable[[str], None] = lambda _message: None,
) -> SyncResult:
    """Compute the membership and changes of an activation and apply them; two runs in the instance.

    No other sync of it starts in between. `on_wait` is called when another process is waited for, and when
    killed runs are closed. With `plain_log` the console shows sentences only, and nothing about a failed
    step: the result has the reason. With `expected_changes`, the fingerprint of a reviewed plan, any other
    changes are held. The result's calls and seconds cover both runs. An unsuccessful sync is a result, not
    an exception.
    """
    started = time.monotonic()
    config: dict[str, Any] = {
        "allow_large_removal": allow_large_removal,
        "allow_large_growth": allow_large_growth,
    }
    if expected_changes:
        config["expected_changes"] = expected_changes
    try:
        with _runs_of(definitions, instance, activation, _console(log_level, plain_log), on_wait) as runs:
            result = _run_both_jobs(runs, config, recheck=recheck)
    except StateError as error:
        result = SyncResult("failed", str(error))
    seconds = round(time.monotonic() - started, 3)
    return replace(result, numbers=replace(result.numbers, seconds=seconds))


def reconcile_activation(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    activation: str,
    *,
    repair: bool,
    take_over: bool = False,
    allow_large_removal: bool = False,
    recent_minutes: float,
    log_level: str,
    plain_log: bool = False,
    on_wait: Callable[[str], None] = lambda _message: None,
) -> Reconciled:
    """Compare the contacts that carry an activation's tag with the ledger; a run, so that the UI shows it.

    `on_wait` and `plain_log` as for a sync. An unsuccessful reconciliation is a result, not an exception.
    """
    config = {
        "repair": repair,
        "take_over": take_over,
        "allow_large_removal": allow_large_removal,
        "recent_minutes": recent_minutes,
    }
    try:
        with _runs_of(definitions, instance, activation, _console(log_level, plain_log), on_wait) as runs:
            run = runs.execute(RECONCILE_TAGS, {RECONCILE: {"config": config}})
    except StateError as error:
        return Reconciled(activation, "failed", str(error))
    return run.received(Reconciled) or Reconciled(activation, "failed", run.error)


@dataclass(frozen=True, slots=True)
class _Run:
    """A finished run, and the values that it handed over."""

    executed: dg.ExecuteInProcessResult
    values: tuple[object, ...]

    @property
    def error(self) -> str:
        """Why it failed, in a sentence."""
        return error_of(self.executed.all_events)

    def received(self, kind: type[_Value]) -> _Value | None:
        """The value of a kind that it handed over, if it got that far."""
        return next((value for value in self.values if isinstance(value, kind)), None)


@dataclass(frozen=True, slots=True)
class _Runs:
    """The runs of one activation in this process; `console` configures what they print."""

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    state: StateDatabase
    locks: Path
    activation: str
    console: Mapping[str, Any]

    def execute(self, job: str, ops: Mapping[str, Any]) -> _Run:
        """Execute a job. The run is marked before Dagster creates it, so a kill always leaves a mark.

        Raises:
            KeyboardInterrupt: a person, or SIGTERM, ended it. Dagster reports that as a failed run, after
                which the next activation would be synced.
        """
        run_id = str(uuid.uuid4())
        with run_mark(self.locks, run_id), receiving() as values:
            executed = self.definitions.resolve_job_def(job).execute_in_process(
                instance=self.instance,
                partition_key=self.activation,
                run_config={"loggers": {"console": {"config": dict(self.console)}}, "ops": ops},
                raise_on_error=False,
                run_id=run_id,
            )
        if was_interrupted(executed.all_events):
            with self.state.transaction() as connection:
                interrupt_sync(connection, run_id, now=datetime.now(UTC))
            raise KeyboardInterrupt
        return _Run(executed, tuple(values))


@contextmanager
def _runs_of(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    activation: str,
    console: Mapping[str, Any],
    on_wait: Callable[[str], None],
) -> Iterator[_Runs]:
    """Lock an activation for runs in this process, and close runs that were killed."""
    resource: StateResource = (definitions.resources or {})[STATE]
    state = StateDatabase(resource.database, on_wait=on_wait)
    with activation_lock(resource.locks, activation, on_wait=on_wait):
        close_dead_runs(instance, state, resource.locks, on_wait)
        yield _Runs(definitions, instance, state, resource.locks, activation, console)


def _console(log_level: str, plain_log: bool) -> dict[str, Any]:  # noqa: FBT001
    return {"log_level": log_level, "plain": plain_log}


def _run_both_jobs(runs: _Runs, config: dict[str, Any], *, recheck: bool) -> SyncResult:
    membership = runs.execute(SYNC_MEMBERSHIP, {MEMBERSHIP_CHANGES: {"config": {"recheck": recheck}}})
    if not membership.executed.success:
        return SyncResult("failed", membership.error)
    result = _result_of(runs, runs.execute(APPLY_TAG_CHANGES, {INTERCOM_TAGS: {"config": config}}))
    computed = membership.received(ComputedChanges)
    calls = result.numbers.api_calls + (computed.api_calls if computed else 0)
    return replace(result, numbers=replace(result.numbers, api_calls=calls))


def _result_of(runs: _Runs, applied: _Run) -> SyncResult:
    """The row of `dinmo.syncs` of a run, unless the run failed without a result or after a good one."""
    with runs.state.reading() as connection:
        result = finished_sync(connection, applied.executed.run_id)
    if result and (applied.executed.success or result.status != "ok"):
        return result
    return SyncResult("failed", applied.error)
