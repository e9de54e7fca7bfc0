"""One sync of an activation through the same jobs and Dagster instance as the UI, in this process."""

import re
import time
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg

from dinmo_pipeline.orchestration.naming import (
    APPLY_TAG_CHANGES,
    INTERCOM_TAGS,
    MEMBERSHIP_CHANGES,
    SYNC_MEMBERSHIP,
)
from dinmo_pipeline.state.syncs import SyncNumbers, SyncStatus


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
    expected_changes: str = "",
) -> SyncOutcome:
    """Compute the membership and changes of an activation and apply them; two runs in the instance.

    With `expected_changes`, the fingerprint of a reviewed plan, other changes are held. An unsuccessful
    sync is an outcome, not an exception.
    """
    started = time.monotonic()
    loggers = {"loggers": {"console": {"config": {"log_level": log_level}}}}
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


def _metadata_of(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    (materialization,) = result.asset_materializations_for_node(asset)
    return {key: value.value for key, value in materialization.metadata.items()}


def _numbers(metadata: dict[str, Any]) -> SyncNumbers:
    return SyncNumbers(**{name: metadata[name] for name in SyncNumbers.__slots__})


def _failure(result: dg.ExecuteInProcessResult) -> SyncOutcome:
    """The outcome that a failed run tells of: a `Failure` of ours, or an error on the way."""
    for event in result.all_events:
        if event.is_step_failure and event.step_failure_data.user_failure_data:
            metadata: dict[str, Any] = {
                key: value.value
                for key, value in event.step_failure_data.user_failure_data.metadata.items()
            }
            return SyncOutcome(metadata["status"], metadata["reason"], _numbers(metadata))
    # Of a step that failed, or of the run when it failed before its first step.
    errors = (getattr(event.event_specific_data, "error", None) for event in result.all_events)
    return SyncOutcome("failed", _said(next(filter(None, errors), None)), SyncNumbers())


def _said(error: Any) -> str:
    """The message of a serialized error's innermost cause: the sentence we wrote for a person."""
    while error and error.cause:
        error = error.cause
    if not error:
        return "The run ended without an error to show."
    # Dagster writes the class before the sentence: `dinmo_pipeline.segments.errors.SourceError: …`.
    return re.sub(rf"^[\w.]*{error.cls_name}: ", "", error.message).strip()
