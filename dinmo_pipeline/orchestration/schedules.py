"""A schedule per destination, cron expression and time zone: what is due together shares a run."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import dagster as dg

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.orchestration.naming import RECONCILE_TAGS, SYNC_MEMBERSHIP, Names
from dinmo_pipeline.orchestration.runs.batch import Batch, listed
from dinmo_pipeline.orchestration.runs.pauses import paused_activations

# A name has no signs, and different times need different names: Dagster keeps by it that one is stopped.
_SIGNS_OF_CRON = str.maketrans({"*": "x", "-": "to", ",": "and", "/": "per", "#": "nth"})
_SIGNS_OF_TIMEZONE = str.maketrans({"+": "plus", "-": "minus"})


class _Due(NamedTuple):
    """When activations of a destination are due for a job."""

    job: str
    destination: str
    cron: str
    timezone: str
    repair: bool = False


def build_schedules(names: Names, activations: Iterable[Activation]) -> Iterator[dg.ScheduleDefinition]:
    """The schedules of the enabled activations; they run unless stopped in the UI."""
    due: dict[_Due, list[str]] = {}
    for activation in activations:
        destination, timezone = activation.destination, activation.timezone
        if activation.is_scheduled:
            when = _Due(SYNC_MEMBERSHIP, destination, activation.schedule, timezone)
            due.setdefault(when, []).append(activation.key)
        if activation.is_reconciled:
            reconciliation = activation.reconciliation
            when = _Due(RECONCILE_TAGS, destination, reconciliation.schedule, timezone, reconciliation.repair)
            due.setdefault(when, []).append(activation.key)
    used: dict[str, int] = {}
    for when, keys in due.items():
        name = names.of(schedule_name(when))
        used[name] = used.get(name, 0) + 1
        # Such as `@daily` and `daily`, which mean the same.
        yield _schedule(names, name if used[name] == 1 else f"{name}_{used[name]}", when, keys)


def schedule_name(when: "_Due") -> str:
    """`main_sync_0_6_x_x_1to5_UTC` syncs at 6 o'clock on weekdays; `x` stands for `*`."""
    verb = "sync" if when.job == SYNC_MEMBERSHIP else "repair" if when.repair else "reconcile"
    cron, timezone = when.cron.translate(_SIGNS_OF_CRON), when.timezone.translate(_SIGNS_OF_TIMEZONE)
    words = f"{when.destination} {verb} {cron} {timezone}"
    return re.sub(r"[^A-Za-z0-9]+", "_", words).strip("_")


def _schedule(names: Names, name: str, when: _Due, keys: Sequence[str]) -> dg.ScheduleDefinition:
    verb = "Syncs" if when.job == SYNC_MEMBERSHIP else "Repairs" if when.repair else "Compares with Intercom"
    config: dict[str, Any] = {"repair": when.repair} if when.job == RECONCILE_TAGS else {}

    @dg.schedule(
        name=name,
        job_name=names.of(when.job),
        cron_schedule=when.cron,
        execution_timezone=when.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"{verb} {listed(keys)} in {when.destination!r}.",
    )
    def launch(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        paused = paused_activations(names, context.instance).intersection(keys)
        due = [key for key in keys if key not in paused]
        if not due:
            return dg.SkipReason(f"Paused: {listed(keys)}.")
        if paused:
            context.log.info("Paused: %s.", ", ".join(sorted(paused)))
        batch = Batch(names, when.job, when.destination, due, config)
        return batch.request(f"{name}:{context.scheduled_execution_time.isoformat()}")

    return launch
