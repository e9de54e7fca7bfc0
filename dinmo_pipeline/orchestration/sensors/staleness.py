"""Which scheduled activations are behind: a check per activation, evaluated by a sensor.

A freshness policy looks at an asset, not at its partitions, so one fresh activation would hide all stale
ones. Nobody materializes what is stuck, so the check cannot wait for a run either.
"""

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

import dagster as dg
from dagster._utils.schedules import reverse_cron_string_iterator

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.orchestration.metadata import CHANGES_TO_APPLY
from dinmo_pipeline.orchestration.naming import (
    INTERCOM_TAGS,
    MEMBERSHIP_CHANGES,
    STALENESS_SENSOR,
    UP_TO_DATE,
)
from dinmo_pipeline.orchestration.runs.lifecycle import PARTITION_TAG

INTERVAL_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Staleness:
    """Whether an activation is behind its schedule; `due_since` is the tick that was missed."""

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
        last = f"last in sync {self.last_synced:%Y-%m-%d %H:%M %Z}" if self.last_synced else "never"
        if not self.due_since:
            return f"Up to date: {last}."
        return (
            f"Behind its schedule since {self.due_since:%Y-%m-%d %H:%M %Z}: {last}. Look at the"
            f" failed or missing runs of {self.activation}, and whether its schedule and the sensor"
            " are running."
        )


def judge(
    activation: Activation,
    *,
    last_synced: datetime | None,
    known_since: datetime | None,
    now: datetime,
) -> Staleness:
    """Compare the last time in sync with the schedule; the newest tick may still be under way.

    `known_since` is the time of the activation's first run: before it nothing can be late.
    """
    ticks = reverse_cron_string_iterator(now.timestamp(), activation.schedule, activation.timezone)
    *_, due = islice(ticks, 2)
    since = last_synced or known_since
    behind = since is not None and since < due
    return Staleness(activation.key, last_synced, due if behind else None)


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
    """Evaluates `up_to_date` of each scheduled activation, and reports it when it changes."""
    scheduled = [activation for activation in activations if activation.is_scheduled]

    @dg.sensor(
        name=STALENESS_SENSOR,
        asset_selection=dg.AssetSelection.assets(INTERCOM_TAGS),
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells which activations are behind their schedule.",
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
    """When its tags were last right: changes were applied, or there were none."""
    for asset in (INTERCOM_TAGS, MEMBERSHIP_CHANGES):
        newest = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[activation]),
            limit=1,
        ).records
        for record in newest:
            metadata = record.asset_materialization.metadata if record.asset_materialization else {}
            if asset == INTERCOM_TAGS or metadata[CHANGES_TO_APPLY].value == 0:
                yield datetime.fromtimestamp(record.timestamp, UTC)
