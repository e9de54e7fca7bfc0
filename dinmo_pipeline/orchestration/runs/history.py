"""The removal of old runs from Dagster's storage, which keeps 0.2 MB of each for ever.

Only finished runs of this pipeline are removed, never those of another project in the same instance. A run
stays as long as Dagster's UI or a sensor reads it: the last run of each activation, by any of

    materialized    the newest materialization of a partition
    planned         the newest attempt to materialize one, by which the UI says that the last run failed
    evaluated       the newest evaluation of a check of a partition
    audience        the newest materialization and evaluation of its audience

So an activation on a monthly schedule still shows its last sync, and no sensor finds an activation unsynced.
As those events stay, SQLite never assigns the storage id of an event again that a cursor has passed.

The work is done in steps of a bounded size, the oldest runs first.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster import DagsterRunStatus as RunStatus

from dinmo_pipeline.dagster_storage.leftovers import bytes_of, delete_run_and_leftovers
from dinmo_pipeline.orchestration.naming import JOB_OPS, Names
from dinmo_pipeline.orchestration.runs.lifecycle import ASSET_PAGE_JOB

_FINISHED = [RunStatus.SUCCESS, RunStatus.FAILURE, RunStatus.CANCELED]
_JOBS = (*JOB_OPS, ASSET_PAGE_JOB)
_RUNS_PER_STEP = 50
# An event has the time of the machine that logged it, a run that of the storage.
_CLOCKS_DIFFER = timedelta(days=1)
_ATTEMPTS = (dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)


@dataclass(frozen=True, slots=True)
class Position:
    """How far the steps have come: the runs of a job that were created up to a time, a timestamp."""

    job: str = _JOBS[0]
    created: float = 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """What a step did.

    Attributes:
        removed: runs removed, or to be removed.
        freed: the bytes of their files.
        kept: old runs that are still shown.
        failures: why a run could not be removed, a sentence each.
        next: where the next step continues; None once all old runs have been looked at.
    """

    removed: int
    freed: int
    kept: int
    failures: Sequence[str]
    next: Position | None


def remove_old_runs(
    names: Names,
    instance: dg.DagsterInstance,
    checks: Collection[dg.AssetCheckKey],
    activations: Collection[str],
    *,
    before: datetime,
    position: Position,
    limit: int,
    is_over: Callable[[], bool] = lambda: False,
    dry_run: bool = False,
) -> Step:
    """Remove runs that finished before a time, of at most `limit` that it looks at.

    `checks` are all checks of the pipeline's partitioned assets, `activations` those with an audience. The
    step ends early when `is_over`. The number of queries depends on `limit` alone, not on the activations nor
    on the runs in the storage.
    """
    records, following = _old_runs(names, instance, before, position, limit)
    ours = list(_ours(names, instance, records))
    of_audiences = [names.audience_check(key) for key in activations]
    shown = (
        _shown(names, instance, checks, before) | _shown_of_audiences(instance, of_audiences) if ours else ()
    )
    removable = [record for record in ours if record.dagster_run.run_id not in shown]
    if dry_run:
        freed = sum(bytes_of(instance, record.dagster_run.run_id) for record in removable)
        return Step(len(removable), freed, len(ours) - len(removable), (), following)
    removed, freed, failures = 0, 0, []
    for record in removable:
        if is_over():
            following = position
            break
        run_id = record.dagster_run.run_id
        try:
            freed += delete_run_and_leftovers(instance, run_id, (*checks, *of_audiences))
            removed += 1
        except Exception as error:  # noqa: BLE001 - one run, or its logs elsewhere, must not keep all others
            failures.append(f"Run {run_id[:8]} could not be removed: {type(error).__name__}: {error}")
    return Step(removed, freed, len(ours) - len(removable), tuple(failures), following)


def remove_all_old_runs(
    names: Names,
    instance: dg.DagsterInstance,
    checks: Collection[dg.AssetCheckKey],
    activations: Collection[str],
    *,
    before: datetime,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    dry_run: bool = False,
) -> Step:
    """Remove all runs that finished before a time, step by step; the sum of the steps.

    `on_progress` gets the number of runs looked at, and the number to look at.
    """
    total = sum(instance.get_runs_count(_filter(names, job, before)) for job in _JOBS)
    position: Position | None = Position()
    removed = freed = kept = done = 0
    failures: list[str] = []
    while position:
        step = remove_old_runs(
            *(names, instance, checks, activations),
            before=before,
            position=position,
            limit=_RUNS_PER_STEP,
            dry_run=dry_run,
        )
        position = step.next
        removed, freed, kept = removed + step.removed, freed + step.freed, kept + step.kept
        failures += step.failures
        done += _RUNS_PER_STEP
        on_progress(min(done, total), total)
    return Step(removed, freed, kept, tuple(failures), None)


def _filter(names: Names, job: str, before: datetime, *, after: float = 0.0) -> dg.RunsFilter:
    return dg.RunsFilter(
        job_name=job if job == ASSET_PAGE_JOB else names.of(job),
        statuses=_FINISHED,
        updated_before=before,
        created_after=datetime.fromtimestamp(after, UTC),
    )


def _old_runs(
    names: Names, instance: dg.DagsterInstance, before: datetime, position: Position, limit: int
) -> tuple[list[dg.RunRecord], Position | None]:
    """The finished runs after a position, oldest first and job by job, and the position after them."""
    records: list[dg.RunRecord] = []
    created = position.created
    for job in _JOBS[_JOBS.index(position.job) :]:
        found = instance.get_run_records(
            _filter(names, job, before, after=created),
            limit=limit - len(records),
            order_by="create_timestamp",
            ascending=True,
        )
        records += found
        if len(records) == limit:
            return records, Position(job, found[-1].create_timestamp.timestamp() if found else created)
        created = 0.0
    return records, None


def _ours(
    names: Names, instance: dg.DagsterInstance, records: Sequence[dg.RunRecord]
) -> Iterator[dg.RunRecord]:
    """The runs of this pipeline: another project may have a job of the same name."""
    own_jobs: dict[str | None, bool] = {}
    for record in records:
        run = record.dagster_run
        if run.job_name == ASSET_PAGE_JOB:
            checked = {check.asset_key for check in run.asset_check_selection or ()}
            assets = checked | (run.asset_selection or frozenset())
            if assets and assets <= names.keys.keys():
                yield record
            continue
        if run.job_snapshot_id not in own_jobs:
            own_jobs[run.job_snapshot_id] = _is_own_job(names, instance, run)
        if own_jobs[run.job_snapshot_id]:
            yield record


def _is_own_job(names: Names, instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether a run's job has our op."""
    job = names.job_of(run)
    if job is None or run.job_snapshot_id is None:
        return False
    return names.op(job) in instance.get_job_snapshot(run.job_snapshot_id).node_names


def _shown(
    names: Names,
    instance: dg.DagsterInstance,
    checks: Collection[dg.AssetCheckKey],
    before: datetime,
) -> frozenset[str]:
    """The runs before a time that the newest events of partitions belong to, and perhaps later ones."""
    found: set[str] = set()
    storage = instance.event_log_storage
    for key in names.keys:
        for event_type in _ATTEMPTS:
            newest = instance.get_latest_storage_id_by_partition(key, event_type)
            if not newest:
                continue
            # Not by `fetch_planned_materializations` of the instance, which is deprecated.
            records = storage.get_event_records(
                dg.EventRecordsFilter(
                    event_type,
                    asset_key=key,
                    storage_ids=list(newest.values()),
                    before_timestamp=(before + _CLOCKS_DIFFER).timestamp(),
                )
            )
            found.update(record.run_id for record in records)
    found.update(each.latest_planned_run_id for each in storage.get_asset_check_partition_info(list(checks)))
    return frozenset(found)


def _shown_of_audiences(instance: dg.DagsterInstance, checks: Sequence[dg.AssetCheckKey]) -> frozenset[str]:
    """The runs that the newest events of the audiences with these checks belong to, in two queries."""
    evaluated = instance.event_log_storage.get_latest_asset_check_execution_by_key(checks)
    records = instance.get_asset_records([check.asset_key for check in checks]) if checks else ()
    newest = (record.asset_entry.last_materialization_record for record in records)
    return frozenset(
        [*(found.run_id for found in evaluated.values()), *(found.run_id for found in newest if found)]
    )
