"""A sync or a reconciliation through the same jobs and Dagster instance as the UI, in this process."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from dinmo_pipeline.orchestration.runs.errors import (
    error_of,
    told_by_failure,
    values_of,
    was_interrupted,
)
from dinmo_pipeline.state.errors import StateError
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.file.locks import activation_lock
from dinmo_pipeline.state.file.run_marks import run_mark
from dinmo_pipeline.state.syncs import SyncNumbers, SyncStatus, interrupt_sync

if TYPE_CHECKING:
    from dinmo_pipeline.sync.operations.reconcile import Reconciled


@dataclass(frozen=True, slots=True)
class SyncOutcome:
    """How a sync ended: its numbers over both runs, and the reason when it is not ok."""

    status: SyncStatus
    reason: str | None
    numbers: SyncNumbers


def sync_activation(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    activation: str,
    *,
    allow_large_removal: bool,
    log_level: str,
    plain_log: bool = False,
    expected_changes: str = "",
    on_wait: Callable[[str], None] = lambda _message: None,
) -> SyncOutcome:
    """Compute the membership and changes of an activation and apply them; two runs in the instance.

    No other sync of it begins in between; `on_wait` hears of one that is waited for, and of runs that were
    killed and are closed. With `plain_log` the console has sentences alone, and nothing of a failed step:
    the outcome has its reason. With `expected_changes`, the fingerprint of a reviewed plan, other changes
    are held. An unsuccessful sync is an outcome, not an exception.
    """
    started = time.monotonic()
    decided: dict[str, Any] = {"allow_large_removal": allow_large_removal}
    if expected_changes:
        decided["expected_changes"] = expected_changes
    try:
        with _runs_of(
            definitions, instance, activation, _console(log_level, plain_log), on_wait
        ) as runs:
            outcome = _both_jobs(runs, decided)
    except StateError as error:
        outcome = SyncOutcome("failed", str(error), SyncNumbers())
    seconds = round(time.monotonic() - started, 3)
    return replace(outcome, numbers=replace(outcome.numbers, seconds=seconds))


@contextmanager
def _runs_of(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    activation: str,
    console: Mapping[str, Any],
    on_wait: Callable[[str], None],
) -> "Iterator[_Runs]":
    """Have an activation for runs in this process, and close the runs that were killed."""
    resource: StateResource = (definitions.resources or {})[STATE]
    state = StateDatabase(resource.database, on_wait=on_wait)
    with activation_lock(resource.locks, activation, on_wait=on_wait):
        close_dead_runs(instance, state, resource.locks, on_wait)
        yield _Runs(definitions, instance, state, resource.locks, activation, console)


@dataclass(frozen=True, slots=True)
class _Runs:
    """The runs of one activation in this process; `console` configures what they print."""

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    state: StateDatabase
    locks: Path
    activation: str
    console: Mapping[str, Any]

    def execute(self, job: str, ops: Mapping[str, Any]) -> dg.ExecuteInProcessResult:
        """Execute a job, its run marked before it is there, so that no kill leaves one that nobody knows.

        Raises:
            KeyboardInterrupt: a person, or SIGTERM, ended it. Dagster makes a failure of that, after which
                the next activation would be synced.
        """
        run_id = str(uuid.uuid4())
        with run_mark(self.locks, run_id):
            result = self.definitions.resolve_job_def(job).execute_in_process(
                instance=self.instance,
                partition_key=self.activation,
                run_config={"loggers": {"console": {"config": dict(self.console)}}, "ops": ops},
                raise_on_error=False,
                run_id=run_id,
            )
        if was_interrupted(result.all_events):
            with self.state.transaction() as connection:
                interrupt_sync(connection, run_id, now=datetime.now(UTC))
            raise KeyboardInterrupt
        return result


def _console(log_level: str, plain_log: bool) -> dict[str, Any]:  # noqa: FBT001
    return {"log_level": log_level, "plain": plain_log}


def _both_jobs(runs: _Runs, decided: dict[str, Any]) -> SyncOutcome:
    membership = runs.execute(SYNC_MEMBERSHIP, {})
    if not membership.success:
        return SyncOutcome("failed", _failure(membership).reason, SyncNumbers())
    look_calls = _metadata_of(membership, MEMBERSHIP_CHANGES)["api_calls"]
    applied = runs.execute(APPLY_TAG_CHANGES, {INTERCOM_TAGS: {"config": decided}})
    if applied.success:
        outcome = SyncOutcome("ok", None, _numbers(_metadata_of(applied, INTERCOM_TAGS)))
    else:
        outcome = _failure(applied)
    calls = outcome.numbers.api_calls + look_calls
    return replace(outcome, numbers=replace(outcome.numbers, api_calls=calls))


def reconcile_activation(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    activation: str,
    *,
    repair: bool,
    recent_minutes: float,
    log_level: str,
    plain_log: bool = False,
    on_wait: Callable[[str], None] = lambda _message: None,
) -> "Reconciled":
    """Compare who carries an activation's tag with what we put there; a run, so that the UI shows it.

    `on_wait` and `plain_log` as for a sync.
    One that could not be carried through is a result, not an exception.
    """
    from dinmo_pipeline.sync.operations.reconcile import Reconciled  # noqa: PLC0415  # slow to import

    config = {"repair": repair, "recent_minutes": recent_minutes}
    try:
        with _runs_of(
            definitions, instance, activation, _console(log_level, plain_log), on_wait
        ) as runs:
            run = runs.execute(RECONCILE_TAGS, {RECONCILE: {"config": config}})
    except StateError as error:
        return Reconciled(activation, "failed", str(error))
    if run.success:
        (evaluation,) = run.get_asset_check_evaluations()
        return Reconciled(activation, **values_of(evaluation.metadata))
    told = told_by_failure(run.all_events)
    if told:
        return Reconciled(activation, **told)
    return Reconciled(activation, "failed", error_of(run.all_events))


def _metadata_of(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    (materialization,) = result.asset_materializations_for_node(asset)
    return values_of(materialization.metadata)


def _numbers(metadata: dict[str, Any]) -> SyncNumbers:
    return SyncNumbers(**{name: metadata[name] for name in SyncNumbers.__slots__})


def _failure(result: dg.ExecuteInProcessResult) -> SyncOutcome:
    """The outcome that a failed run tells of: a `Failure` of ours, or an error on the way."""
    told = told_by_failure(result.all_events)
    if told:
        return SyncOutcome(told["status"], told["reason"], _numbers(told))
    return SyncOutcome("failed", error_of(result.all_events), SyncNumbers())
