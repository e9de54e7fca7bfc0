"""The runs of this pipeline, under way or finished, and the activations that they work on."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import dagster as dg
from dagster import DagsterEventType as Event
from dagster import DagsterRunStatus as RunStatus

from dinmo_pipeline.orchestration.naming import (
    APPLY_TAG_CHANGES,
    INTERCOM_TAGS,
    MEMBERSHIP_CHANGES,
    SYNC_MEMBERSHIP,
    Names,
)
from dinmo_pipeline.orchestration.runs.batch import activations_of
from dinmo_pipeline.orchestration.runs.errors import (
    Failed,
    failures_in,
    is_transient,
    summary_of,
    was_interrupted,
)

# The job of a run that a person launches on the page of an asset.
ASSET_PAGE_JOB = "__ASSET_JOB"
FAILURE_EVENTS = {
    *(Event.STEP_FAILURE, Event.RESOURCE_INIT_FAILURE, Event.RUN_FAILURE),
    Event.ASSET_MATERIALIZATION,
}
"""What `failures_of` needs to know of a run."""

_LAST_ASSETS = {SYNC_MEMBERSHIP: MEMBERSHIP_CHANGES, APPLY_TAG_CHANGES: INTERCOM_TAGS}
UNDER_WAY = [
    RunStatus.QUEUED,
    RunStatus.NOT_STARTED,
    RunStatus.STARTING,
    RunStatus.STARTED,
    RunStatus.CANCELING,
]


def activations_under_way(names: Names, instance: dg.DagsterInstance, job: str) -> set[str]:
    """The activations with an unfinished run of a job."""
    runs = instance.get_runs(dg.RunsFilter(job_name=names.of(job), statuses=UNDER_WAY))
    return {activation for run in runs for activation in activations_of(names, run)}


def finished_runs(
    names: Names,
    instance: dg.DagsterInstance,
    jobs: Iterable[str],
    since: datetime,
    statuses: Collection[RunStatus],
) -> list[dg.RunRecord]:
    """The runs of some jobs that finished since then, oldest first; a query for each job.

    Of `ASSET_PAGE_JOB`, only the runs of our assets.
    """
    job_names = [job if job == ASSET_PAGE_JOB else names.of(job) for job in jobs]
    records = [
        record
        for job_name in job_names
        for record in instance.get_run_records(
            dg.RunsFilter(job_name=job_name, statuses=list(statuses), updated_after=since)
        )
        if job_name != ASSET_PAGE_JOB
        or not names.keys.keys().isdisjoint(record.dagster_run.asset_selection or ())
    ]
    return sorted(records, key=lambda record: record.end_time or 0.0)


def failures_of(names: Names, run: dg.DagsterRun, events: Sequence[dg.DagsterEvent]) -> dict[str, Failed]:
    """Why each activation of a failed run failed, from its failures and materializations.

    A run that names none, since it was killed for example, failed for those that it had not done.
    """
    if failures := failures_in(events):
        return failures
    job = names.job_of(run)
    last = names.key(_LAST_ASSETS[job]) if job in _LAST_ASSETS else None
    done = {event.partition for event in events if event.is_step_materialization and event.asset_key == last}
    failed = Failed(summary_of(events), is_transient=was_interrupted(events) or is_transient(events))
    return {activation: failed for activation in activations_of(names, run) if activation not in done}
