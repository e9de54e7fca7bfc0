"""A schedule per scheduled activation and per scheduled reconciliation; each can be stopped on its own."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import dagster as dg

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.orchestration.naming import (
    RECONCILE,
    RECONCILE_TAGS,
    SYNC_MEMBERSHIP,
    reconciliation_name,
    schedule_name,
)


def build_schedules(activations: Iterable[Activation]) -> Iterator[dg.ScheduleDefinition]:
    """The schedules of each enabled activation that has some; they run unless stopped in the UI."""
    for activation in activations:
        if activation.is_scheduled:
            yield _schedule(
                activation,
                name=schedule_name(activation.key),
                job=SYNC_MEMBERSHIP,
                cron=activation.schedule,
                description=(
                    f"Syncs segment {activation.segment!r} to tag {activation.name!r} in"
                    f" {activation.destination!r}."
                ),
            )
        if activation.is_reconciled:
            repair = activation.reconciliation.repair
            repairs = ", and repairs differences" if repair else ""
            yield _schedule(
                activation,
                name=reconciliation_name(activation.key),
                job=RECONCILE_TAGS,
                cron=activation.reconciliation.schedule,
                description=(
                    f"Compares the contacts that carry tag {activation.name!r} in"
                    f" {activation.destination!r} with the ledger{repairs}."
                ),
                run_config={"ops": {RECONCILE: {"config": {"repair": repair}}}},
            )


def _schedule(
    activation: Activation,
    *,
    name: str,
    job: str,
    cron: str,
    description: str,
    run_config: Mapping[str, Any] | None = None,
) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=name,
        job_name=job,
        cron_schedule=cron,
        execution_timezone=activation.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=description,
    )
    def launch(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(
            run_key=f"{activation.key}:{context.scheduled_execution_time.isoformat()}",
            partition_key=activation.key,
            run_config=run_config,
        )

    return launch
