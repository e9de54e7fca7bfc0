"""The Dagster assets upstream of segments, such as dbt models: dependencies, and what a schedule may follow.

An activation with `schedule: {after: upstream}` is synced when any of its upstream assets has materialized: a
segment may change with each of its tables. A dbt run that builds several of them causes one sync, because
the sensor waits until the run that materialized an asset has ended.

The sensor's cursor holds, by activation, the newest materialization of each asset that a sync was launched
for. Only the newest counts, so one sync is launched however many there were between two ticks.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from dinmo_pipeline.config.declarations import Project
from dinmo_pipeline.config.lineage import upstream_of
from dinmo_pipeline.orchestration.naming import SYNC_MEMBERSHIP, UPSTREAM_SENSOR, names_of
from dinmo_pipeline.orchestration.runs.batch import batches
from dinmo_pipeline.orchestration.runs.lifecycle import UNDER_WAY, activations_under_way
from dinmo_pipeline.orchestration.runs.pauses import paused_activations

INTERVAL_SECONDS = 30

UpstreamKeys = Mapping[str, Sequence[dg.AssetKey]]
"""The upstream assets of each activation's segment."""


def upstream_keys(project: Project) -> UpstreamKeys:
    """The assets that each activation's segment, and what it is made from, declare as `upstream`."""
    return {
        key: [
            dg.AssetKey(upstream.split("/"))
            for upstream in upstream_of(activation.segment, project.segments, project.models)
        ]
        for key, activation in project.activations.items()
    }


def upstream_deps(upstream: UpstreamKeys) -> list[dg.AssetDep]:
    """The dependencies of `segment_membership`: the upstream assets of all activations.

    Each partition depends on the whole upstream asset, whatever its partitions: a segment reads the whole
    table. Without this mapping Dagster refuses an upstream asset with time partitions.
    """
    keys = dict.fromkeys(key for keys in upstream.values() for key in keys)
    return [dg.AssetDep(key, partition_mapping=dg.AllPartitionMapping()) for key in keys]


def upstream_metadata(keys: Sequence[dg.AssetKey]) -> Mapping[str, dg.MetadataValue]:
    """The upstream assets that a materialization of one activation shows."""
    if not keys:
        return {}
    return {"upstream": dg.MetadataValue.json([key.to_user_string() for key in keys])}


Seen = Mapping[str, int]
"""The storage id of the newest known materialization of each upstream asset; a later one has a larger id."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest materialization of an asset, and whether its run is still under way."""

    event: int
    under_way: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """The activations to launch, what was seen for each, and why the others are not launched."""

    launch: tuple[str, ...]
    seen: Mapping[str, Seen]
    skipped: tuple[str, ...]


def decide(
    upstream: Mapping[str, Collection[str]],
    newest: Mapping[str, Newest],
    seen: Mapping[str, Seen],
    *,
    under_way: Collection[str],
    paused: Collection[str],
) -> Decision:
    """Decide about each activation by the newest materializations of its upstream assets.

    `newest` holds the assets that were ever materialized, `seen` what earlier ticks launched for, and
    `under_way` the activations with an unfinished sync. That sync may have read the old tables, so the next
    tick looks at them again. So does the first one after a pause.
    """
    launch: list[str] = []
    skipped: list[str] = []
    now_seen: dict[str, Seen] = {}
    for activation, assets in upstream.items():
        before = seen.get(activation, {})
        known = {asset: newest[asset] for asset in assets if asset in newest}
        changed = {a: n for a, n in known.items() if n.event > before.get(a, 0)}
        going_on = [asset for asset, materialized in changed.items() if materialized.under_way]
        now_seen[activation] = before
        if not assets:
            skipped.append(f"{activation} has no known upstream asset")
        elif not changed:
            skipped.append(f"{activation} has nothing new upstream")
        elif activation in paused:
            skipped.append(f"{activation} is paused")
        elif going_on:
            skipped.append(f"{activation} waits for the run that materializes {going_on[0]}")
        elif activation in under_way:
            skipped.append(f"{activation} has a sync under way")
        else:
            launch.append(activation)
            now_seen[activation] = {asset: each.event for asset, each in known.items()}
    return Decision(tuple(launch), now_seen, tuple(skipped))


def build_upstream_sensors(project: Project) -> list[dg.SensorDefinition]:
    """The sensor of all activations that follow their upstream; empty if there are none."""
    keys = upstream_keys(project)
    following = {
        key: keys[key] for key, activation in project.activations.items() if activation.follows_upstream
    }
    if not following:
        return []
    names = names_of(project)

    @dg.sensor(
        name=names.of(UPSTREAM_SENSOR),
        job_name=names.of(SYNC_MEMBERSHIP),
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Syncs activations scheduled `{after: upstream}` when an upstream asset materializes.",
    )
    def upstream_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return _tick(context, project, following)

    return [upstream_sensor]


def _tick(context: dg.SensorEvaluationContext, project: Project, following: UpstreamKeys) -> dg.SensorResult:
    names = names_of(project)
    assets = dict.fromkeys(asset for keys in following.values() for asset in keys)
    decision = decide(
        {activation: [key.to_user_string() for key in keys] for activation, keys in following.items()},
        _newest(context.instance, assets),
        json.loads(context.cursor) if context.cursor else {},
        under_way=activations_under_way(names, context.instance, SYNC_MEMBERSHIP),
        paused=paused_activations(names, context.instance),
    )
    return dg.SensorResult(
        run_requests=[
            batch.request(_run_key({key: decision.seen[key] for key in batch.activations}))
            for batch in batches(
                names, SYNC_MEMBERSHIP, map(project.activations.__getitem__, decision.launch)
            )
        ],
        skip_reason=None if decision.launch else f"Nothing to sync: {'; '.join(decision.skipped)}.",
        cursor=json.dumps(decision.seen),
    )


def _newest(instance: dg.DagsterInstance, assets: Iterable[dg.AssetKey]) -> dict[str, Newest]:
    """The newest materialization of each asset that has one."""
    newest = {}
    for asset in assets:
        fetched = instance.fetch_materializations(asset, limit=1)
        if fetched.records:
            record = fetched.records[0]
            # An external system may report a materialization without a run of this instance.
            run = instance.get_run_by_id(record.run_id)
            going_on = run is not None and run.status in UNDER_WAY
            newest[asset.to_user_string()] = Newest(record.storage_id, going_on)
    return newest


def _run_key(seen: Mapping[str, Seen]) -> str:
    """One key per state of the upstream; hashed, since long keys break the index of some storages."""
    text = json.dumps(sorted((activation, sorted(each.items())) for activation, each in seen.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
