"""The sensor that launches a run for the activations with changes to apply, once per change set.

`@asset_sensor` fetches only the newest event since its cursor, so it would lose all but one of several
activations (dagster#32853). This one reads every materialization since its cursor and keeps the newest of
each partition.
"""

import hashlib
import json
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

import dagster as dg

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.orchestration.metadata import CHANGES_TO_APPLY, HELD, number_in
from dinmo_pipeline.orchestration.naming import (
    APPLY_TAG_CHANGES,
    INTERCOM_TAGS,
    MEMBERSHIP_CHANGES,
    TAG_CHANGES_SENSOR,
    Names,
)
from dinmo_pipeline.orchestration.resources import StateResource
from dinmo_pipeline.orchestration.runs.batch import batches
from dinmo_pipeline.orchestration.runs.dead_runs import close_dead_runs
from dinmo_pipeline.orchestration.runs.lifecycle import activations_under_way
from dinmo_pipeline.orchestration.runs.pauses import paused_activations
from dinmo_pipeline.state.file.loaded_declarations import record_loaded

INTERVAL_SECONDS = 30
EVENTS_PER_FETCH = 500


@dataclass(frozen=True, slots=True)
class ChangeSetEvent:
    """A materialization of `membership_changes`; `event` is its storage id: a later one has a larger id."""

    activation: str
    event: int
    changes: int
    held: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """The change sets to launch a run for, those to look at again, and why any are not launched."""

    launch: tuple[ChangeSetEvent, ...]
    waiting: tuple[ChangeSetEvent, ...]
    skipped: tuple[str, ...]


def decide(
    newest: Iterable[ChangeSetEvent],
    *,
    enabled: Container[str],
    under_way: Collection[str],
    applied: Mapping[str, int],
    paused: Collection[str],
    broken: Collection[str] = (),
) -> Decision:
    """Decide about the newest change set of each activation.

    `under_way` are activations with an unfinished run of the job; their change sets wait for the next tick.
    `applied` is the storage id of the newest `intercom_tags` of each activation. Change sets of `paused` ones
    wait until they are resumed, those of `broken` ones until their declarations can be used.
    """
    launch, waiting, skipped = [], [], []
    for change_set in newest:
        name = change_set.activation
        if name in broken:
            waiting.append(change_set)
            skipped.append(f"{name} cannot be used as it is declared")
        elif name not in enabled:
            skipped.append(f"{name} is disabled or no longer declared")
        elif change_set.held:
            skipped.append(f"{name} is held by a guard")
        elif change_set.changes == 0:
            skipped.append(f"{name} has no changes")
        elif applied.get(name, 0) > change_set.event:
            skipped.append(f"{name} was applied by another run")
        elif name in paused:
            waiting.append(change_set)
            skipped.append(f"{name} is paused")
        elif name in under_way:
            waiting.append(change_set)
            skipped.append(f"{name} has a run under way")
        else:
            launch.append(change_set)
    return Decision(tuple(launch), tuple(waiting), tuple(skipped))


def build_sensor(
    names: Names,
    enabled: Mapping[str, Activation],
    state: StateResource,
    broken: Collection[str],
    fingerprint: str,
) -> dg.SensorDefinition:
    """The sensor for the enabled activations; it runs unless it is stopped in the UI.

    The changes of `broken` ones, whose declarations have problems, wait until these are solved.

    It also closes runs that were killed, which would keep their activation waiting, and records which
    declarations the daemon has, by their fingerprint.
    """

    @dg.sensor(
        name=names.of(TAG_CHANGES_SENSOR),
        job_name=names.of(APPLY_TAG_CHANGES),
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Applies the changes of each activation that has any.",
    )
    def tag_changes_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        record_loaded(state.locks, fingerprint)
        close_dead_runs(names, context.instance, state.locks, context.log.warning)
        return _tick(names, context, enabled, broken)

    return tag_changes_sensor


def _tick(
    names: Names,
    context: dg.SensorEvaluationContext,
    enabled: Mapping[str, Activation],
    broken: Collection[str],
) -> dg.SensorResult:
    after, newest = _read_cursor(context.cursor)
    # Without a cursor, years of events may be stored, of which only the newest of each activation matter.
    found = (
        _change_sets(names, context.instance, after)
        if after
        else _newest_change_sets(names, context.instance)
    )
    for change_set in found:
        newest[change_set.activation] = change_set
        after = max(after, change_set.event)
    paused = paused_activations(names, context.instance) if newest else set()
    decision = decide(
        newest.values(),
        enabled=enabled,
        under_way=activations_under_way(names, context.instance, APPLY_TAG_CHANGES) if newest else (),
        applied=_newest_applied(names, context.instance, newest),
        paused=paused,
        broken=broken,
    )
    launch = {change_set.activation: change_set for change_set in decision.launch}
    waiting = sorted(each.activation for each in decision.waiting if each.activation in paused)
    if launch and waiting:
        context.log.info("Paused, with changes to apply: %s.", ", ".join(waiting))
    return dg.SensorResult(
        run_requests=[
            batch.request(_run_key([launch[key] for key in batch.activations]))
            for batch in batches(names, APPLY_TAG_CHANGES, map(enabled.__getitem__, launch))
        ],
        skip_reason=None
        if decision.launch
        else f"Nothing to apply: {'; '.join(decision.skipped) or 'no new change set'}.",
        cursor=_write_cursor(after, decision.waiting),
    )


def _change_sets(names: Names, instance: dg.DagsterInstance, after: int) -> Iterator[ChangeSetEvent]:
    """Every materialization of the changes after a storage id, the oldest first."""
    while True:
        fetched = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=names.key(MEMBERSHIP_CHANGES), after_storage_id=after),
            limit=EVENTS_PER_FETCH,
            ascending=True,
        )
        for record in fetched.records:
            after = record.storage_id
            yield from _change_set(record)
        if not fetched.has_more:
            return


def _newest_change_sets(names: Names, instance: dg.DagsterInstance) -> Iterator[ChangeSetEvent]:
    """The newest materialization of the changes of each activation, the oldest first."""
    asset = names.key(MEMBERSHIP_CHANGES)
    newest = instance.get_latest_storage_id_by_partition(asset, dg.DagsterEventType.ASSET_MATERIALIZATION)
    ids = sorted(newest.values())
    for first in range(0, len(ids), EVENTS_PER_FETCH):
        page = ids[first : first + EVENTS_PER_FETCH]
        fetched = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=asset, storage_ids=page), limit=EVENTS_PER_FETCH, ascending=True
        )
        for record in fetched.records:
            yield from _change_set(record)


def _change_set(record: dg.EventLogRecord) -> Iterator[ChangeSetEvent]:
    materialization = record.asset_materialization
    if materialization is None or materialization.partition is None:
        return
    metadata = materialization.metadata
    yield ChangeSetEvent(
        materialization.partition,
        record.storage_id,
        number_in(metadata, CHANGES_TO_APPLY),
        bool(number_in(metadata, HELD)),
    )


def _newest_applied(
    names: Names, instance: dg.DagsterInstance, activations: Collection[str]
) -> Mapping[str, int]:
    """The storage id of the newest materialization of the tags, by activation, in one query."""
    if not activations:
        return {}
    return instance.get_latest_storage_id_by_partition(
        names.key(INTERCOM_TAGS), dg.DagsterEventType.ASSET_MATERIALIZATION, set(activations)
    )


def _run_key(change_sets: Iterable[ChangeSetEvent]) -> str:
    """One key for each set of change sets; hashed, since long keys break the index of some storages."""
    text = " ".join(sorted(f"{change_set.activation}:{change_set.event}" for change_set in change_sets))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _read_cursor(cursor: str | None) -> tuple[int, dict[str, ChangeSetEvent]]:
    """The last event read, and the change sets that wait for a run to end."""
    if not cursor:
        return 0, {}
    read = json.loads(cursor)
    waiting = [ChangeSetEvent(*values) for values in read["waiting"]]
    return read["after"], {change_set.activation: change_set for change_set in waiting}


def _write_cursor(after: int, waiting: Iterable[ChangeSetEvent]) -> str:
    return json.dumps(
        {
            "after": after,
            "waiting": [[c.activation, c.event, c.changes, c.held] for c in waiting],
        }
    )
