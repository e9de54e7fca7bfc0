"""Drift in the UI: a check of `intercom_tags` per activation, and a job that evaluates it on a schedule.

A job that selects a check alone has no partitions in Dagster 1.13 ("There is no PartitionsDefinition
shared by all the provided assets"), so the job is an op that reports the check's evaluation itself.
"""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from dinmo_pipeline.config.declarations import Activation, Project
from dinmo_pipeline.orchestration.audiences.events import AudienceLog
from dinmo_pipeline.orchestration.checks import evaluation
from dinmo_pipeline.orchestration.naming import (
    DRIFT,
    INTERCOM_TAGS,
    RECONCILE,
    RECONCILE_TAGS,
    SOURCE,
    STATE,
    Names,
    names_of,
)
from dinmo_pipeline.orchestration.resources import (
    IntercomResource,
    clients_of,
    source_of,
    state_of,
)
from dinmo_pipeline.orchestration.runs.batch import BatchConfig, Events, Work, keys_in
from dinmo_pipeline.orchestration.runs.errors import Failed
from dinmo_pipeline.orchestration.runs.handover import hand_over
from dinmo_pipeline.orchestration.runs.turns import taken_turn
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.sync.guards.limits import Released
from dinmo_pipeline.sync.operations.reconcile import Reconciled, reconcile
from dinmo_pipeline.sync.session import Session
from dinmo_pipeline.text.wording import counted

if TYPE_CHECKING:
    from dinmo_pipeline.intercom.client import IntercomClient


class ReconcileConfig(BatchConfig):
    """What a person can choose for one reconciliation."""

    repair: bool = False
    take_over: bool = False
    allow_large_removal: bool = False
    recent_minutes: float = 10.0


def build_drift_check(
    project: Project,
    destinations: Mapping[str, IntercomResource],
    partitions: dg.PartitionsDefinition[str],
) -> dg.AssetChecksDefinition:
    """The check `drift` of `intercom_tags`, by activation; a person can run it too."""
    names = names_of(project)
    with warnings.catch_warnings():
        # Partitioned checks are a preview feature; see checks.py for why they are needed.
        warnings.simplefilter("ignore", dg.PreviewWarning)

        @dg.asset_check(
            name=DRIFT,
            asset=names.key(INTERCOM_TAGS),
            partitions_def=partitions,
            required_resource_keys={names.resource(SOURCE), names.resource(STATE)},
            description="Whether the contacts that carry the tag in Intercom are those that we tagged.",
        )
        def drift(context: dg.AssetCheckExecutionContext, config: ReconcileConfig) -> dg.AssetCheckResult:
            op_context = context.op_execution_context

            state = state_of(names, op_context)
            with (
                taken_turn(names, op_context, project, config) as turn,
                clients_of(destinations, state) as client_of,
            ):
                (activation,) = turn.activations
                client = client_of(activation)
                found = _reconciled(op_context, project, turn.state, activation, client, config=config)
            if found.status == "failed":
                raise dg.Failure(f"{activation.key}: {_failed(found).summary}", allow_retries=False)
            return dg.AssetCheckResult(
                passed=found.status in ("ok", "repaired"),
                severity=dg.AssetCheckSeverity.WARN,
                description=_description(names, found),
                metadata=_metadata(found),
            )

    return drift


def build_reconcile_job(
    project: Project,
    destinations: Mapping[str, IntercomResource],
    partitions: dg.PartitionsDefinition[str],
) -> dg.JobDefinition:
    """The job `reconcile_tags`, partitioned by activation; launched by a schedule or a person."""
    names = names_of(project)

    @dg.op(
        name=names.of(RECONCILE),
        required_resource_keys={names.resource(SOURCE), names.resource(STATE)},
        description="Read which contacts carry the tag in Intercom, and report or repair differences.",
    )
    def compare(context: dg.OpExecutionContext, config: ReconcileConfig) -> Iterator[Any]:
        state = state_of(names, context)
        with (
            taken_turn(names, context, project, config) as turn,
            clients_of(destinations, state) as client_of,
        ):
            work = Work(context, turn.activations, state.locks, turn.broken)
            audiences = AudienceLog(names, context.instance, keys_in(context, config))

            def each(activation: Activation) -> Events:
                client = client_of(activation)
                found = _reconciled(context, project, turn.state, activation, client, config=config)
                hand_over(activation.key, found)
                if found.status == "failed":
                    return _failed(found)
                yield _evaluation(names, found)
                yield from audiences.compared(activation.key, _description(names, found))
                return None

            yield from work.each(each)
        work.raise_failures()
        yield dg.Output(None)

    @dg.job(
        name=names.of(RECONCILE_TAGS),
        partitions_def=partitions,
        executor_def=dg.in_process_executor,
        description="Compare the contacts that carry the tag in Intercom with the ledger; evaluates `drift`.",
    )
    def job() -> None:
        compare()

    return job


def _evaluation(names: Names, found: Reconciled) -> dg.AssetCheckEvaluation:
    """The check `drift` of an activation, as an event."""
    return evaluation(
        *(names, INTERCOM_TAGS, DRIFT, found.activation),
        passed=found.status in ("ok", "repaired"),
        severity=dg.AssetCheckSeverity.WARN,
        description=_description(names, found),
        metadata=_metadata(found),
    )


def _reconciled(
    context: dg.OpExecutionContext,
    project: Project,
    database: StateDatabase,
    activation: Activation,
    client: "IntercomClient",
    *,
    config: ReconcileConfig,
) -> Reconciled:
    # The compiler takes 0.16 s to import, which runs of other jobs do without.
    from dinmo_pipeline.orchestration.segment_rows import staging  # noqa: PLC0415

    names = names_of(project)
    source, state = source_of(names, context), state_of(names, context)
    return reconcile(
        Session(
            activation,
            database,
            client,
            context.log,
            sync_id=context.run_id,
            declared=project.activations,
        ),
        state.locks,
        staging(project, activation, partial(source.opened_by, context.log)),
        repair=config.repair,
        take_over=config.take_over,
        released=Released(removal=config.allow_large_removal),
        recent=timedelta(minutes=config.recent_minutes),
    )


def _failed(found: Reconciled) -> Failed:
    return Failed(found.reason or "failed", is_transient=found.is_transient)


def _metadata(found: Reconciled) -> dict[str, Any]:
    """The numbers that `dinmo reconcile --json` prints."""
    return {
        name: value
        for name, value in asdict(found).items()
        if name not in ("activation", "is_transient") and value is not None
    }


def _description(names: Names, found: Reconciled) -> str | None:
    if found.status == "held":
        return found.reason
    if found.status != "drift":
        return None
    return found.reason or (
        f"{found.missing:,} of {counted(found.expected, 'expected contact')}"
        f" {'lacks' if found.missing == 1 else 'lack'} the tag; {found.unexpected:,}"
        f" {'carries' if found.unexpected == 1 else 'carry'} it unexpectedly; {found.repaired:,} repaired."
        f" Run `dinmo reconcile {found.activation} --repair`, or launch {names.of(RECONCILE_TAGS)} with"
        " repair: true."
    )
