"""The sensor that removes old runs from Dagster's storage, a few at each tick.

The state's own history is trimmed by the runs that write to it: a sensor never opens a state file.
"""

import json
import time
from collections.abc import Collection
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import dagster as dg

from dinmo_pipeline.orchestration.naming import HISTORY_SENSOR, INTERCOM_TAGS, Names
from dinmo_pipeline.text.wording import counted, in_bytes

INTERVAL_SECONDS = 300
# 57,600 runs a day: more than a pipeline makes. Dagster ends a tick after 60 seconds.
RUNS_PER_TICK = 200
SECONDS_PER_TICK = 20.0


def build_history_sensor(
    names: Names,
    keep_runs: timedelta,
    checks: Collection[dg.AssetCheckKey],
    activations: Collection[str],
) -> dg.SensorDefinition:
    """The sensor; for `checks` and `activations` see `remove_old_runs`."""

    @dg.sensor(
        name=names.of(HISTORY_SENSOR),
        asset_selection=dg.AssetSelection.assets(names.key(INTERCOM_TAGS)),
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Removes runs that ended more than {keep_runs.days:,} days ago, except the last ones.",
    )
    def history_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return _tick(names, context, keep_runs, checks, activations)

    return history_sensor


def _tick(
    names: Names,
    context: dg.SensorEvaluationContext,
    keep_runs: timedelta,
    checks: Collection[dg.AssetCheckKey],
    activations: Collection[str],
) -> dg.SensorResult:
    # It knows Dagster's storages from inside, which no run needs to import.
    from dinmo_pipeline.orchestration.runs.history import Position, remove_old_runs  # noqa: PLC0415

    ends = time.monotonic() + SECONDS_PER_TICK
    step = remove_old_runs(
        names,
        context.instance,
        checks,
        activations,
        before=datetime.now(UTC) - keep_runs,
        position=Position(**json.loads(context.cursor)) if context.cursor else Position(),
        limit=RUNS_PER_TICK,
        is_over=lambda: time.monotonic() > ends,
    )
    for failure in step.failures:
        context.log.warning(failure)
    kept = f" {counted(step.kept, 'old run')} kept, as the last of an activation." if step.kept else ""
    return dg.SensorResult(
        skip_reason=f"{counted(step.removed, 'run')} removed ({in_bytes(step.freed)})."
        + kept
        + "".join(f"\n{failure}" for failure in step.failures),
        cursor=json.dumps(asdict(step.next or Position())),
    )
