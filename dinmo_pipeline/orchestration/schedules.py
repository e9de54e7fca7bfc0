"""One schedule per scheduled activation, so that each can be stopped by itself."""

from collections.abc import Iterable

import dagster as dg

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.orchestration.naming import SYNC_MEMBERSHIP, schedule_name


def build_schedules(activations: Iterable[Activation]) -> list[dg.ScheduleDefinition]:
    """A schedule for each enabled activation with a cron expression; running unless stopped in the UI."""
    return [_schedule(activation) for activation in activations if activation.is_scheduled]


def _schedule(activation: Activation) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=schedule_name(activation.key),
        job_name=SYNC_MEMBERSHIP,
        cron_schedule=activation.schedule,
        execution_timezone=activation.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=(
            f"Syncs segment {activation.segment!r} to tag {activation.name!r} of"
            f" {activation.destination!r}."
        ),
    )
    def launch(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(
            run_key=f"{activation.key}:{context.scheduled_execution_time.isoformat()}",
            partition_key=activation.key,
        )

    return launch
