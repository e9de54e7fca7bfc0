"""Syncs and reconciliations in this process, through the same jobs and Dagster instance as the UI."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg
import duckdb
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import RemoteJobOrigin

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.orchestration.naming import (
    APPLY_TAG_CHANGES,
    RECONCILE_TAGS,
    STATE,
    SYNC_MEMBERSHIP,
    TAG_CHANGES_SENSOR,
    Names,
)
from dinmo_pipeline.orchestration.resources import StateResource
from dinmo_pipeline.orchestration.runs.batch import Batch, batches
from dinmo_pipeline.orchestration.runs.console import console
from dinmo_pipeline.orchestration.runs.dead_runs import close_dead_runs
from dinmo_pipeline.orchestration.runs.errors import Failed, error_of, failures_in, was_interrupted
from dinmo_pipeline.orchestration.runs.handover import Computed, receiving
from dinmo_pipeline.state.errors import StateError
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.file.run_marks import run_mark
from dinmo_pipeline.state.syncs import SyncResult, finished_sync, interrupt_sync
from dinmo_pipeline.sync.operations.reconcile import Reconciled

# A command reports a failed run itself. Dagster's daemon could repeat it, now that it knows its job.
_NEVER_RETRIED = {"dagster/max_retries": "0"}
_Value = TypeVar("_Value")


def sync_activations(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    activations: Iterable[Activation],
    *,
    names: Names,
    allow_large_removal: bool = False,
    allow_large_growth: bool = False,
    recheck: bool = False,
    log_level: str,
    plain_log: bool = False,
    expected_changes: Mapping[str, str] | None = None,
    on_wait: Callable[[str], None] = lambda _message: None,
) -> dict[str, SyncResult]:
    """Compute the membership and changes of activations and apply them; two runs for each destination.

    `on_wait` is called when another process is waited for, and when killed runs are closed. With `plain_log`
    the console shows sentences only, and nothing about a failed step: the result has the reason. With
    `expected_changes`, fingerprints of reviewed plans by activation, any other changes are held. A result's
    calls and seconds cover both runs. An unsuccessful sync is a result, not an exception.
    """
    apply = {
        "allow_large_removal": allow_large_removal,
        "allow_large_growth": allow_large_growth,
        **({"expected_changes": dict(expected_changes)} if expected_changes else {}),
    }
    results: dict[str, SyncResult] = {}
    definitions = _with_console(definitions, log_level, plain=plain_log)
    for batch in batches(names, SYNC_MEMBERSHIP, activations, {"recheck": recheck}):
        try:
            runs = _runs_of(definitions, instance, batch, on_wait)
            results |= _run_both_jobs(runs, batch, apply)
        except StateError as error:
            results |= {key: SyncResult("failed", str(error)) for key in batch.activations}
    return results


def reconcile_activations(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    activations: Iterable[Activation],
    *,
    names: Names,
    repair: bool,
    take_over: bool = False,
    allow_large_removal: bool = False,
    recent_minutes: float,
    log_level: str,
    plain_log: bool = False,
    on_wait: Callable[[str], None] = lambda _message: None,
) -> dict[str, Reconciled]:
    """Compare the contacts that carry a tag with the ledger, in a run for each destination.

    `on_wait` and `plain_log` as for a sync. An unsuccessful reconciliation is a result, not an exception.
    """
    config = {
        "repair": repair,
        "take_over": take_over,
        "allow_large_removal": allow_large_removal,
        "recent_minutes": recent_minutes,
    }
    found: dict[str, Reconciled] = {}
    definitions = _with_console(definitions, log_level, plain=plain_log)
    for batch in batches(names, RECONCILE_TAGS, activations, config):
        try:
            runs = _runs_of(definitions, instance, batch, on_wait)
            run = runs.execute(batch)
        except StateError as error:
            found |= {key: Reconciled(key, "failed", str(error)) for key in batch.activations}
            continue
        for key in batch.activations:
            found[key] = run.received(Reconciled, key) or Reconciled(key, "failed", run.error_of(key))
    return found


@dataclass(frozen=True, slots=True)
class _Run:
    """A finished run, what failed in it and the values that it handed over, both by activation."""

    executed: dg.ExecuteInProcessResult
    failures: Mapping[str, Failed]
    values: Mapping[str, object]

    def failed(self, activation: str) -> bool:
        """Whether it did not get through its work on an activation."""
        return activation in self.failures if self.failures else not self.executed.success

    def error_of(self, activation: str) -> str:
        """Why an activation failed, in a sentence."""
        failed = self.failures.get(activation)
        return failed.reason if failed else error_of(self.executed.all_events)

    def received(self, kind: type[_Value], activation: str) -> _Value | None:
        """What it handed over of an activation, if it got that far."""
        value = self.values.get(activation)
        return value if isinstance(value, kind) else None


@dataclass(frozen=True, slots=True)
class _Runs:
    """Runs in this process."""

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    state: StateDatabase
    locks: Path

    def execute(self, batch: Batch) -> _Run:
        """Execute a job. The run is marked before Dagster creates it, so a kill always leaves a mark.

        Raises:
            KeyboardInterrupt: a person, or SIGTERM, ended it. Dagster reports that as a failed run, after
                which the next destination would be synced.
        """
        run_id = str(uuid.uuid4())
        origin = self._origin_of(batch)
        with run_mark(self.locks, run_id), receiving() as values, _created_with(self.instance, origin):
            executed = self.definitions.resolve_job_def(batch.names.of(batch.job)).execute_in_process(
                instance=self.instance,
                partition_key=batch.partition_key,
                tags={**batch.tags, **_NEVER_RETRIED},
                run_config={"loggers": {"console": {}}, "ops": batch.ops},
                raise_on_error=False,
                run_id=run_id,
            )
        if was_interrupted(executed.all_events):
            with self.state.transaction() as connection:
                interrupt_sync(connection, run_id, now=datetime.now(UTC))
            raise KeyboardInterrupt
        return _Run(executed, failures_in(executed.all_events), dict(values))

    def _origin_of(self, batch: Batch) -> RemoteJobOrigin | None:
        """Where Dagster's daemon has the job, as it noted for the sensor; None if it never evaluated one."""
        if not self.instance.schedule_storage:
            return None
        sensor = batch.names.of(TAG_CHANGES_SENSOR)
        states = self.instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
        found = [state.origin.repository_origin for state in states if state.name == sensor]
        return RemoteJobOrigin(found[-1], batch.names.of(batch.job)) if found else None


def _runs_of(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    batch: Batch,
    on_wait: Callable[[str], None],
) -> _Runs:
    """Close runs that were killed before others start."""
    resource: StateResource = (definitions.resources or {})[batch.names.resource(STATE)]
    state = StateDatabase(resource.declared().database_of(batch.destination), on_wait=on_wait)
    close_dead_runs(batch.names, instance, resource.locks, on_wait, state=state)
    return _Runs(definitions, instance, state, resource.locks)


@contextmanager
def _created_with(instance: dg.DagsterInstance, origin: RemoteJobOrigin | None) -> Iterator[None]:
    """Runs that are created inside belong to a code location: the timeline of the UI shows no others.

    `execute_in_process` takes everything about a run but this.
    """
    vars(instance)["create_run_for_job"] = partial(instance.create_run_for_job, remote_job_origin=origin)
    try:
        yield
    finally:
        del vars(instance)["create_run_for_job"]


def _with_console(definitions: dg.Definitions, log_level: str, *, plain: bool) -> dg.Definitions:
    """The definitions with the console of a command; a project has its own for runs that Dagster launches."""
    configured = console.configured({"log_level": log_level, "plain": plain})
    return dg.Definitions.merge(definitions, dg.Definitions(loggers={"console": configured}))


def _run_both_jobs(runs: _Runs, batch: Batch, config: Mapping[str, Any]) -> dict[str, SyncResult]:
    """Read the segments of a batch, then apply the changes of those that were read, with a configuration."""
    read = runs.execute(batch)
    results = {key: SyncResult("failed", read.error_of(key)) for key in batch.activations if read.failed(key)}
    rest = [key for key in batch.activations if key not in results]
    if rest:
        applied = runs.execute(replace(batch, job=APPLY_TAG_CHANGES, activations=rest, config=config))
        with runs.state.reading() as connection:
            results |= {key: _result_of(connection, applied, key) for key in rest}
    return {key: _with_reading(results[key], read.received(Computed, key)) for key in batch.activations}


def _with_reading(result: SyncResult, computed: Computed | None) -> SyncResult:
    """A result with what was spent before the changes were applied."""
    if computed is None:
        return result
    numbers = replace(
        result.numbers,
        api_calls=result.numbers.api_calls + computed.changes.api_calls,
        seconds=round(result.numbers.seconds + computed.seconds, 3),
    )
    return replace(result, numbers=numbers)


def _result_of(connection: duckdb.DuckDBPyConnection, applied: _Run, activation: str) -> SyncResult:
    """The row of `dinmo.syncs` of a run, unless the run failed without a result or after a good one."""
    result = finished_sync(connection, applied.executed.run_id, activation)
    if result and (not applied.failed(activation) or result.status != "ok"):
        return result
    return SyncResult("failed", applied.error_of(activation))
