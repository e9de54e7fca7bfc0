"""Which scheduled activations are behind: a check per activation, evaluated by a sensor.

A freshness policy looks at an asset, not at its partitions, so one fresh activation would hide all stale
ones. An activation that is stuck has no runs, so the check cannot wait for one either.
"""

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.orchestration.metadata import CHANGES_TO_APPLY, number_in
from dinmo_pipeline.orchestration.naming import (
    INTERCOM_TAGS,
    MEMBERSHIP_CHANGES,
    STALENESS_SENSOR,
    UP_TO_DATE,
)
from dinmo_pipeline.orchestration.runs.lifecycle import PARTITION_TAG

INTERVAL_SECONDS = 300
_LONG_AGO = datetime(2000, 1, 1)  # noqa: DTZ001  # Dagster takes it to be in the schedule's time zone


@dataclass(frozen=True, slots=True)
class Staleness:
    """Whether an activation is behind its schedule; `due_since` is the tick that it missed."""

    activation: str
    last_synced: datetime | None
    due_since: datetime | None

    @property
    def stale(self) -> bool:
        """Behind by more than one whole interval of its schedule."""
        return self.due_since is not None

    @property
    def description(self) -> str:
        """The finding in words."""
        last = f"last in sync {self.last_synced:%Y-%m-%d %H:%M %Z}" if self.last_synced else "never in sync"
        if not self.due_since:
            return f"Up to date: {last}."
        return (
            f"Behind its schedule since {self.due_since:%Y-%m-%d %H:%M %Z}: {last}. Look for failed or"
            f" missing runs of {self.activation}, and check that its schedule and the sensor are running."
        )


def judge(
    activation: Activation,
    *,
    last_synced: datetime | None,
    known_since: datetime | None,
    now: datetime,
) -> Staleness:
    """Compare the last time in sync with the schedule; the run of the newest tick may be under way.

    `known_since` is the time of the activation's first run: before it nothing can be late.
    """
    due = last_interval(activation.schedule, activation.timezone, now).start
    since = last_synced or known_since
    behind = since is not None and since < due
    return Staleness(activation.key, last_synced, due if behind else None)


def last_interval(cron: str, timezone: str, now: datetime) -> dg.TimeWindow:
    """The newest whole interval of a schedule: between its last two ticks up to now.

    Dagster's time partitions are the only public way to its ticks in the past.
    """
    intervals = dg.TimeWindowPartitionsDefinition(
        start=_LONG_AGO, fmt="%Y-%m-%dT%H:%M", cron_schedule=cron, timezone=timezone
    )
    found = intervals.get_prev_partition_window(now, respect_bounds=False)
    assert found is not None  # noqa: S101  # without bounds there always is one
    return found


def build_staleness_check(
    activations: Mapping[str, Activation], partitions: dg.PartitionsDefinition[str]
) -> dg.AssetChecksDefinition:
    """The check `up_to_date` of `intercom_tags`, by activation; a person may run it, too."""
    with warnings.catch_warnings():
        # Partitioned checks are a preview feature; see checks.py for why they are needed.
        warnings.simplefilter("ignore", dg.PreviewWarning)

        @dg.asset_check(
            name=UP_TO_DATE,
            asset=INTERCOM_TAGS,
            partitions_def=partitions,
            description="Whether the activation is in sync as often as its schedule says.",
        )
        def up_to_date(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
            activation = activations[context.partition_key]
            if not activation.is_scheduled:
                return dg.AssetCheckResult(passed=True, description="It has no schedule.")
            found = staleness_of(context.instance, activation, datetime.now(UTC))
            return dg.AssetCheckResult(
                passed=not found.stale,
                severity=dg.AssetCheckSeverity.WARN,
                description=found.description,
            )

    return up_to_date


def build_staleness_sensor(activations: Iterable[Activation]) -> dg.SensorDefinition:
    """The sensor that evaluates `up_to_date` of each scheduled activation, and reports changes."""
    scheduled = [activation for activation in activations if activation.is_scheduled]

    @dg.sensor(
        name=STALENESS_SENSOR,
        asset_selection=dg.AssetSelection.assets(INTERCOM_TAGS),
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Reports which activations are behind their schedule.",
    )
    def staleness_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        before: dict[str, bool] = json.loads(context.cursor) if context.cursor else {}
        now = datetime.now(UTC)
        found = {a.key: staleness_of(context.instance, a, now) for a in scheduled}
        changed = [f for key, f in found.items() if before.get(key) != f.stale]
        stale = [key for key, f in found.items() if f.stale]
        return dg.SensorResult(
            asset_events=[_evaluation(f) for f in changed],
            skip_reason=f"Behind their schedule: {', '.join(stale) or 'none'}.",
            cursor=json.dumps({key: f.stale for key, f in found.items()}),
        )

    return staleness_sensor


def _evaluation(found: Staleness) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(INTERCOM_TAGS),
        check_name=UP_TO_DATE,
        partition=found.activation,
        passed=not found.stale,
        severity=dg.AssetCheckSeverity.WARN,
        description=found.description,
    )


def staleness_of(instance: dg.DagsterInstance, activation: Activation, now: datetime) -> Staleness:
    """Whether a scheduled activation is behind, by the runs and materializations of the instance."""
    synced = max(_times_in_sync(instance, activation.key), default=None)
    runs = instance.get_run_records(
        dg.RunsFilter(tags={PARTITION_TAG: activation.key}), limit=1, ascending=True
    )
    return judge(
        activation,
        last_synced=synced,
        known_since=runs[0].create_timestamp if runs else None,
        now=now,
    )


def _times_in_sync(instance: dg.DagsterInstance, activation: str) -> Iterator[datetime]:
    """When its tags were last known to be right: changes were applied, or there were none."""
    for asset in (INTERCOM_TAGS, MEMBERSHIP_CHANGES):
        newest = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[activation]),
            limit=1,
        ).records
        for record in newest:
            metadata = record.asset_materialization.metadata if record.asset_materialization else {}
            if asset == INTERCOM_TAGS or number_in(metadata, CHANGES_TO_APPLY) == 0:
                yield datetime.fromtimestamp(record.timestamp, UTC)
