"""A sync or a reconciliation through the same jobs and Dagster instance as the UI, in this process."""

import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from dinmo_pipeline.orchestration.dead_runs import close_dead_runs
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
from dinmo_pipeline.state.database import StateDatabase
from dinmo_pipeline.state.errors import StateError
from dinmo_pipeline.state.locks import activation_lock
from dinmo_pipeline.state.run_marks import run_mark
from dinmo_pipeline.state.syncs import SyncNumbers, SyncStatus, interrupt_sync

if TYPE_CHECKING:
    from dinmo_pipeline.sync.reconcile import Reconciled


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
        if any(error.cls_name == _INTERRUPTED for error in _errors_of(result)):
            with self.state.transaction() as connection:
                interrupt_sync(connection, run_id, now=datetime.now(UTC))
            raise KeyboardInterrupt
        return result


_INTERRUPTED = dg.DagsterExecutionInterruptedError.__name__


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
    from dinmo_pipeline.sync.reconcile import Reconciled  # noqa: PLC0415  # slow to import

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
        return Reconciled(activation, **_values(evaluation.metadata))
    told = _told_by_failure(run)
    if told:
        return Reconciled(activation, **told)
    return Reconciled(activation, "failed", _error_of(run))


def _metadata_of(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    (materialization,) = result.asset_materializations_for_node(asset)
    return _values(materialization.metadata)


def _values(metadata: Mapping[str, dg.MetadataValue]) -> dict[str, Any]:
    return {key: value.value for key, value in metadata.items()}


def _numbers(metadata: dict[str, Any]) -> SyncNumbers:
    return SyncNumbers(**{name: metadata[name] for name in SyncNumbers.__slots__})


def _failure(result: dg.ExecuteInProcessResult) -> SyncOutcome:
    """The outcome that a failed run tells of: a `Failure` of ours, or an error on the way."""
    told = _told_by_failure(result)
    if told:
        return SyncOutcome(told["status"], told["reason"], _numbers(told))
    return SyncOutcome("failed", _error_of(result), SyncNumbers())


def _told_by_failure(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """What a `Failure` of ours says of a failed run; nothing when another error ended it."""
    for event in result.all_events:
        if event.is_step_failure and event.step_failure_data.user_failure_data:
            return _values(event.step_failure_data.user_failure_data.metadata)
    return {}


def _error_of(result: dg.ExecuteInProcessResult) -> str:
    return _said(next(_errors_of(result), None))


def _errors_of(result: dg.ExecuteInProcessResult) -> Iterator[Any]:
    """Of steps that failed, or of the run when it failed before its first step."""
    errors = (getattr(event.event_specific_data, "error", None) for event in result.all_events)
    return filter(None, errors)


def _said(error: Any) -> str:
    """The message of a serialized error's innermost cause: the sentence we wrote for a person."""
    while error and error.cause:
        error = error.cause
    if not error:
        return "The run ended without an error to show."
    # Dagster writes the class before the sentence: `dinmo_pipeline.segments.errors.SourceError: …`.
    return re.sub(rf"^[\w.]*{error.cls_name}: ", "", error.message).strip()
