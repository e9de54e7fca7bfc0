"""Which scheduled activations are behind: a check per activation, evaluated by a sensor.

A freshness policy looks at an asset, not at its partitions, so one fresh activation would hide all stale
ones. An activation that is stuck has no runs, so the check cannot wait for one either.
"""

import json
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from dinmo_pipeline.config.declarations import Activation, Project
from dinmo_pipeline.orchestration.metadata import CHANGES_TO_APPLY, number_in
from dinmo_pipeline.orchestration.naming import (
    INTERCOM_TAGS,
    MEMBERSHIP_CHANGES,
    STALENESS_SENSOR,
    UP_TO_DATE,
)
from dinmo_pipeline.orchestration.runs.lifecycle import PARTITION_TAG
from dinmo_pipeline.orchestration.sensors.upstream import upstream_keys

INTERVAL_SECONDS = 300
UPSTREAM_GRACE = timedelta(hours=1)
_LAUNCHERS = {
    "its schedule": "its schedule and the sensors",
    "its upstream assets": "the sensors",
}
_LONG_AGO = datetime(2000, 1, 1)  # noqa: DTZ001  # Dagster takes it to be in the schedule's time zone


@dataclass(frozen=True, slots=True)
class Staleness:
    """Whether an activation is behind; `due_since` is the tick, or the materialization, that it missed."""

    activation: str
    last_synced: datetime | None
    due_since: datetime | None
    behind: str = "its schedule"

    @property
    def stale(self) -> bool:
        """Behind by more than one whole interval of its schedule, or than UPSTREAM_GRACE."""
        return self.due_since is not None

    @property
    def description(self) -> str:
        """The finding in words."""
        last = f"last in sync {self.last_synced:%Y-%m-%d %H:%M %Z}" if self.last_synced else "never in sync"
        if not self.due_since:
            return f"Up to date: {last}."
        return (
            f"Behind {self.behind} since {self.due_since:%Y-%m-%d %H:%M %Z}: {last}. Look for failed or"
            f" missing runs of {self.activation}, and check that {_LAUNCHERS[self.behind]} are running."
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


def judge_following(
    activation: Activation, *, last_read: datetime | None, unread_since: datetime | None, now: datetime
) -> Staleness:
    """Compare the last reading with the upstream assets; a sync may take UPSTREAM_GRACE."""
    behind = unread_since is not None and now - unread_since > UPSTREAM_GRACE
    return Staleness(activation.key, last_read, unread_since if behind else None, "its upstream assets")


def last_interval(cron: str, timezone: str, now: datetime) -> dg.TimeWindow:
    """The newest whole interval of a schedule: between its last two ticks up to now.

    Dagster's time partitions are the only public way to its ticks in the past.
    """
    found = _intervals(cron, timezone).get_prev_partition_window(now, respect_bounds=False)
    assert found is not None  # noqa: S101  # without bounds there always is one
    return found


def next_tick(cron: str, timezone: str, after: datetime) -> datetime:
    """The next moment at which a schedule runs."""
    found = _intervals(cron, timezone).get_next_partition_window(after, respect_bounds=False)
    assert found is not None  # noqa: S101  # without bounds there always is one
    return found.start


def _intervals(cron: str, timezone: str) -> dg.TimeWindowPartitionsDefinition:
    return dg.TimeWindowPartitionsDefinition(
        start=_LONG_AGO, fmt="%Y-%m-%dT%H:%M", cron_schedule=cron, timezone=timezone
    )


def build_staleness_check(
    project: Project, partitions: dg.PartitionsDefinition[str]
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
            activation = project.activations[context.partition_key]
            if not activation.is_automatic:
                return dg.AssetCheckResult(passed=True, description="It has no schedule.")
            found = Observer(project, context.instance).staleness_of(activation, datetime.now(UTC))
            return dg.AssetCheckResult(
                passed=not found.stale,
                severity=dg.AssetCheckSeverity.WARN,
                description=found.description,
            )

    return up_to_date


def build_staleness_sensor(project: Project) -> dg.SensorDefinition:
    """The sensor that evaluates `up_to_date` of each scheduled activation, and reports changes."""
    scheduled = [activation for activation in project.activations.values() if activation.is_automatic]

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
        observer = Observer(project, context.instance)
        found = {a.key: observer.staleness_of(a, now) for a in scheduled}
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


class Observer:
    """What the runs and materializations of an instance say; it reads each upstream asset once."""

    def __init__(self, project: Project, instance: dg.DagsterInstance) -> None:
        self._upstream = upstream_keys(project)
        self._instance = instance
        self._newest: dict[dg.AssetKey, float] = {}

    def staleness_of(self, activation: Activation, now: datetime) -> Staleness:
        """Whether an activation is behind its schedule, or behind its upstream assets."""
        if activation.follows_upstream:
            read_at = self._read_at(activation.key)
            if read_at is None:
                unread = self._first_run(activation.key)
            else:
                unread = self._oldest_unread(self._upstream[activation.key], read_at)
            return judge_following(activation, last_read=read_at, unread_since=unread, now=now)
        synced = max(self._times_in_sync(activation.key), default=None)
        known_since = self._first_run(activation.key)
        return judge(activation, last_synced=synced, known_since=known_since, now=now)

    def _first_run(self, activation: str) -> datetime | None:
        """When the first run of an activation was created: before it nothing can be late."""
        runs = self._instance.get_run_records(
            dg.RunsFilter(tags={PARTITION_TAG: activation}), limit=1, ascending=True
        )
        return runs[0].create_timestamp if runs else None

    def _times_in_sync(self, activation: str) -> Iterator[datetime]:
        """When its tags were last known to be right: changes were applied, or there were none."""
        for record, has_changes in self._newest_of(activation):
            if record.asset_key == dg.AssetKey(INTERCOM_TAGS) or not has_changes:
                yield datetime.fromtimestamp(record.timestamp, UTC)

    def _read_at(self, activation: str) -> datetime | None:
        """When the run began that read the members its tags were last right for; roughly, if it is older."""
        newest = list(self._newest_of(activation))
        by_asset = {record.asset_key: (record, has_changes) for record, has_changes in newest}
        changes, tags = (by_asset.get(dg.AssetKey(name)) for name in (MEMBERSHIP_CHANGES, INTERCOM_TAGS))
        if changes and (not changes[1] or (tags and tags[0].storage_id > changes[0].storage_id)):
            run = self._instance.get_run_record_by_id(changes[0].run_id)
            began = run.start_time if run else None
            return datetime.fromtimestamp(began or changes[0].timestamp, UTC)
        return datetime.fromtimestamp(tags[0].timestamp, UTC) if tags else None

    def _newest_of(self, activation: str) -> Iterator[tuple[dg.EventLogRecord, bool]]:
        """The newest materializations of the tags and of the changes; whether there were changes."""
        for asset in (INTERCOM_TAGS, MEMBERSHIP_CHANGES):
            records = self._instance.fetch_materializations(
                dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[activation]),
                limit=1,
            ).records
            for record in records:
                metadata = record.asset_materialization.metadata if record.asset_materialization else {}
                yield record, number_in(metadata, CHANGES_TO_APPLY) != 0

    def _oldest_unread(self, assets: Iterable[dg.AssetKey], since: datetime) -> datetime | None:
        """When the first materialization of the assets was that no sync has read since then."""
        times = []
        for asset in assets:
            if asset not in self._newest:
                records = self._instance.fetch_materializations(asset, limit=1).records
                self._newest[asset] = records[0].timestamp if records else 0.0
            if self._newest[asset] <= since.timestamp():
                continue
            unread = self._instance.fetch_materializations(
                dg.AssetRecordsFilter(asset, after_timestamp=since.timestamp()), limit=1, ascending=True
            ).records
            times += [record.timestamp for record in unread]
        return datetime.fromtimestamp(min(times), UTC) if times else None
