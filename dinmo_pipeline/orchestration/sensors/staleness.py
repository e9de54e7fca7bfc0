"""Which scheduled activations are behind: a check per activation, evaluated by a sensor.

A freshness policy looks at an asset, not at its partitions, so one fresh activation would hide all stale
ones. An activation that is stuck has no runs, so the check cannot wait for one either.
"""

import json
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from dinmo_pipeline.config.declarations import Activation, Project
from dinmo_pipeline.orchestration.metadata import CHANGES_TO_APPLY, number_in
from dinmo_pipeline.orchestration.naming import (
    INTERCOM_TAGS,
    MEMBERSHIP_CHANGES,
    STALENESS_SENSOR,
    UP_TO_DATE,
    Names,
    names_of,
)
from dinmo_pipeline.orchestration.runs.batch import sentence_about
from dinmo_pipeline.orchestration.runs.pauses import paused_activations
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
    """Whether an activation is behind; `due_since` is the tick, or the materialization, that it missed.

    One whose declarations cannot be used is, too; `instead` says what there is to say but the times.
    """

    activation: str
    last_synced: datetime | None
    due_since: datetime | None
    behind: str = "its schedule"
    is_paused: bool = False
    is_broken: bool = False
    instead: str | None = None

    @property
    def stale(self) -> bool:
        """Behind by more than one whole interval of its schedule, or than UPSTREAM_GRACE; or broken."""
        return self.due_since is not None or self.is_broken

    @property
    def description(self) -> str:
        """The finding in words."""
        if self.instead is not None:
            return self.instead
        last = f"last in sync {self.last_synced:%Y-%m-%d %H:%M %Z}" if self.last_synced else "never in sync"
        if self.is_paused:
            return f"Paused: {last}. To go on: dinmo resume {self.activation}."
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

    `known_since` is when the activation was first seen, or last seen paused: before it nothing can be late.
    """
    due = last_interval(activation.schedule, activation.timezone, now).start
    since = _later(last_synced, known_since)
    behind = since is not None and since < due
    return Staleness(activation.key, last_synced, due if behind else None)


def judge_following(
    activation: Activation, *, last_read: datetime | None, unread_since: datetime | None, now: datetime
) -> Staleness:
    """Compare the last reading with the upstream assets; a sync may take UPSTREAM_GRACE."""
    behind = unread_since is not None and now - unread_since > UPSTREAM_GRACE
    return Staleness(activation.key, last_read, unread_since if behind else None, "its upstream assets")


def _later(*moments: datetime | None) -> datetime | None:
    return max((moment for moment in moments if moment), default=None)


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
    names = names_of(project)
    with warnings.catch_warnings():
        # Partitioned checks are a preview feature; see checks.py for why they are needed.
        warnings.simplefilter("ignore", dg.PreviewWarning)

        @dg.asset_check(
            name=UP_TO_DATE,
            asset=names.key(INTERCOM_TAGS),
            partitions_def=partitions,
            description="Whether the activation is in sync as often as its schedule says.",
        )
        def up_to_date(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
            broken = project.broken_of("activation").get(context.partition_key)
            if broken:
                return dg.AssetCheckResult(
                    passed=False, severity=dg.AssetCheckSeverity.WARN, description=sentence_about(broken)
                )
            activation = project.activations[context.partition_key]
            if not activation.is_automatic:
                return dg.AssetCheckResult(passed=True, description="It has no schedule.")
            observer = Observer(project, context.instance)
            found = observer.staleness_of(activation, datetime.now(UTC), known_since=None)
            return dg.AssetCheckResult(
                passed=not found.stale,
                severity=dg.AssetCheckSeverity.WARN,
                description=found.description,
            )

    return up_to_date


def build_staleness_sensor(project: Project) -> dg.SensorDefinition:
    """The sensor that evaluates `up_to_date` of each scheduled activation, and reports changes."""
    names = names_of(project)
    broken = {
        key: Staleness(key, None, None, is_broken=True, instead=sentence_about(problems))
        for key, problems in project.broken_of("activation").items()
    }
    scheduled = [activation for activation in project.activations.values() if activation.is_automatic]

    @dg.sensor(
        name=names.of(STALENESS_SENSOR),
        asset_selection=dg.AssetSelection.assets(names.key(INTERCOM_TAGS)),
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Reports which activations are behind their schedule.",
    )
    def staleness_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = datetime.now(UTC)
        before: dict[str, Any] = json.loads(context.cursor) if context.cursor else {}
        observer = Observer(project, context.instance)
        after, changed, stale = {}, [], []
        for key in (*(each.key for each in scheduled), *broken):
            seen = before.get(key)
            # An earlier release kept only whether it was behind.
            known_since, *was = seen if isinstance(seen, list) else (now.timestamp(), seen)
            found = broken.get(key) or observer.staleness_of(
                project.activations[key], now, known_since=datetime.fromtimestamp(known_since, UTC)
            )
            since = now.timestamp() if found.is_paused else known_since
            after[key] = [since, found.stale, found.is_paused]
            # An earlier release had no pauses.
            changed += [found] if (*was, False)[:2] != (found.stale, found.is_paused) else []
            stale += [key] if found.stale else []
        changed += [
            Staleness(key, None, None, instead="It has no schedule.")
            for key in sorted(before.keys() - after.keys())
            if key in project.activations
        ]
        return dg.SensorResult(
            asset_events=[_evaluation(names, found) for found in changed],
            skip_reason=f"Behind their schedule: {', '.join(stale) or 'none'}.",
            cursor=json.dumps(after),
        )

    return staleness_sensor


def _evaluation(names: Names, found: Staleness) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=names.key(INTERCOM_TAGS),
        check_name=UP_TO_DATE,
        partition=found.activation,
        passed=not found.stale,
        severity=dg.AssetCheckSeverity.WARN,
        description=found.description,
    )


@dataclass(frozen=True, slots=True)
class _Newest:
    """The newest materialization of an asset for an activation; whether it had changes to apply."""

    event: int
    run_id: str
    at: datetime
    has_changes: bool


class Observer:
    """What the materializations of an instance say; the number of queries does not depend on activations."""

    def __init__(self, project: Project, instance: dg.DagsterInstance) -> None:
        names = names_of(project)
        self.paused = paused_activations(names, instance)
        self._upstream = upstream_keys(project)
        self._instance = instance
        self._newest: dict[dg.AssetKey, float] = {}
        self._unread: dict[tuple[dg.AssetKey, float], list[float]] = {}
        self._changes = _newest_by_activation(instance, names.key(MEMBERSHIP_CHANGES), project.activations)
        self._tags = _newest_by_activation(instance, names.key(INTERCOM_TAGS), project.activations)
        self._began = self._starts_of(
            self._changes[key].run_id
            for key, activation in project.activations.items()
            if activation.follows_upstream and key in self._changes
        )

    def staleness_of(
        self, activation: Activation, now: datetime, *, known_since: datetime | None
    ) -> Staleness:
        """Whether an activation is behind its schedule, or behind its upstream assets.

        Before `known_since`, when it was first seen or last seen paused, nothing can be late.
        """
        read_at = self._read_at(activation.key)
        if activation.key in self.paused:
            return Staleness(activation.key, read_at, None, is_paused=True)
        if activation.follows_upstream:
            since = _later(read_at, known_since)
            unread = self._oldest_unread(self._upstream[activation.key], since) if since else None
            return judge_following(activation, last_read=read_at, unread_since=unread, now=now)
        synced = max(self._times_in_sync(activation.key), default=None)
        return judge(activation, last_synced=synced, known_since=known_since, now=now)

    def _times_in_sync(self, activation: str) -> Iterator[datetime]:
        """When its tags were last known to be right: changes were applied, or there were none."""
        if tags := self._tags.get(activation):
            yield tags.at
        changes = self._changes.get(activation)
        if changes and not changes.has_changes:
            yield changes.at

    def _read_at(self, activation: str) -> datetime | None:
        """When the run began that read the members its tags were last right for; roughly, if it is older."""
        changes, tags = self._changes.get(activation), self._tags.get(activation)
        if changes and (not changes.has_changes or (tags and tags.event > changes.event)):
            return self._began.get(changes.run_id, changes.at)
        return tags.at if tags else None

    def _starts_of(self, run_ids: Iterable[str]) -> dict[str, datetime]:
        """When runs began."""
        ids = list(dict.fromkeys(run_ids))
        records = self._instance.get_run_records(dg.RunsFilter(run_ids=ids)) if ids else []
        return {
            record.dagster_run.run_id: datetime.fromtimestamp(record.start_time, UTC)
            for record in records
            if record.start_time
        }

    def _oldest_unread(self, assets: Iterable[dg.AssetKey], since: datetime) -> datetime | None:
        """When the first materialization of the assets was that no sync has read since then."""
        times = []
        for asset in assets:
            if asset not in self._newest:
                records = self._instance.fetch_materializations(asset, limit=1).records
                self._newest[asset] = records[0].timestamp if records else 0.0
            if self._newest[asset] <= since.timestamp():
                continue
            where = (asset, since.timestamp())
            if where not in self._unread:
                unread = self._instance.fetch_materializations(
                    dg.AssetRecordsFilter(asset, after_timestamp=since.timestamp()), limit=1, ascending=True
                ).records
                self._unread[where] = [record.timestamp for record in unread]
            times += self._unread[where]
        return datetime.fromtimestamp(min(times), UTC) if times else None


def _newest_by_activation(
    instance: dg.DagsterInstance, key: dg.AssetKey, activations: Iterable[str]
) -> dict[str, _Newest]:
    """The newest materialization of an asset for each of some activations, in two queries."""
    newest = instance.get_latest_storage_id_by_partition(
        key, dg.DagsterEventType.ASSET_MATERIALIZATION, set(activations)
    )
    if not newest:
        return {}
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(key, storage_ids=list(newest.values())), limit=len(newest)
    ).records
    return {
        found.partition: _Newest(
            record.storage_id,
            record.run_id,
            datetime.fromtimestamp(record.timestamp, UTC),
            number_in(found.metadata, CHANGES_TO_APPLY) != 0,
        )
        for record in records
        if (found := record.asset_materialization) and found.partition
    }
