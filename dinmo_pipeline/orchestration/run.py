"""A sync or a reconciliation through the same jobs and Dagster instance as the UI, in this process."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import dagster as dg

from dinmo_pipeline.orchestration.naming import (
    APPLY_TAG_CHANGES,
    INTERCOM_TAGS,
    MEMBERSHIP_CHANGES,
    RECONCILE,
    RECONCILE_TAGS,
    SYNC_MEMBERSHIP,
)
from dinmo_pipeline.state.syncs import SyncNumbers, SyncStatus

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
    log_failures: bool = True,
    expected_changes: str = "",
) -> SyncOutcome:
    """Compute the membership and changes of an activation and apply them; two runs in the instance.

    With `log_failures` off the console says nothing of a failed step: the outcome has its reason.
    With `expected_changes`, the fingerprint of a reviewed plan, other changes are held. An unsuccessful
    sync is an outcome, not an exception.
    """
    started = time.monotonic()
    loggers = _console_at(log_level, log_failures=log_failures)
    membership = definitions.resolve_job_def(SYNC_MEMBERSHIP).execute_in_process(
        instance=instance, partition_key=activation, run_config=loggers, raise_on_error=False
    )
    if not membership.success:
        seconds = round(time.monotonic() - started, 3)
        return SyncOutcome("failed", _failure(membership).reason, SyncNumbers(seconds=seconds))
    decided: dict[str, Any] = {"allow_large_removal": allow_large_removal}
    if expected_changes:
        decided["expected_changes"] = expected_changes
    look_calls = _metadata_of(membership, MEMBERSHIP_CHANGES)["api_calls"]
    applied = definitions.resolve_job_def(APPLY_TAG_CHANGES).execute_in_process(
        instance=instance,
        partition_key=activation,
        run_config={
            **loggers,
            "ops": {INTERCOM_TAGS: {"config": decided}},
        },
        raise_on_error=False,
    )
    if applied.success:
        outcome = SyncOutcome("ok", None, _numbers(_metadata_of(applied, INTERCOM_TAGS)))
    else:
        outcome = _failure(applied)
    return replace(
        outcome,
        numbers=replace(
            outcome.numbers,
            api_calls=outcome.numbers.api_calls + look_calls,
            seconds=round(time.monotonic() - started, 3),
        ),
    )


def reconcile_activation(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    activation: str,
    *,
    repair: bool,
    recent_minutes: float,
    log_level: str,
    log_failures: bool = True,
) -> "Reconciled":
    """Compare who carries an activation's tag with what we put there; a run, so that the UI shows it.

    One that could not be carried through is a result, not an exception.
    """
    from dinmo_pipeline.sync.reconcile import Reconciled  # noqa: PLC0415  # slow to import

    config = {"repair": repair, "recent_minutes": recent_minutes}
    run = definitions.resolve_job_def(RECONCILE_TAGS).execute_in_process(
        instance=instance,
        partition_key=activation,
        run_config={
            **_console_at(log_level, log_failures=log_failures),
            "ops": {RECONCILE: {"config": config}},
        },
        raise_on_error=False,
    )
    if run.success:
        (evaluation,) = run.get_asset_check_evaluations()
        return Reconciled(activation, **_values(evaluation.metadata))
    told = _told_by_failure(run)
    if told:
        return Reconciled(activation, **told)
    return Reconciled(activation, "failed", _error_of(run))


def _console_at(log_level: str, *, log_failures: bool) -> dict[str, Any]:
    config = {"log_level": log_level, "failures": log_failures}
    return {"loggers": {"console": {"config": config}}}


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
    # Of a step that failed, or of the run when it failed before its first step.
    errors = (getattr(event.event_specific_data, "error", None) for event in result.all_events)
    return _said(next(filter(None, errors), None))


def _said(error: Any) -> str:
    """The message of a serialized error's innermost cause: the sentence we wrote for a person."""
    while error and error.cause:
        error = error.cause
    if not error:
        return "The run ended without an error to show."
    # Dagster writes the class before the sentence: `dinmo_pipeline.segments.errors.SourceError: …`.
    return re.sub(rf"^[\w.]*{error.cls_name}: ", "", error.message).strip()
