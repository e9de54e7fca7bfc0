"""The runs of this pipeline, under way or finished, and the activations that they work on."""

from collections.abc import Collection
from datetime import datetime

import dagster as dg
from dagster import DagsterRunStatus as RunStatus

from dinmo_pipeline.orchestration.naming import JOB_OPS
from dinmo_pipeline.orchestration.runs.batch import activations_of

UNDER_WAY = [
    RunStatus.QUEUED,
    RunStatus.NOT_STARTED,
    RunStatus.STARTING,
    RunStatus.STARTED,
    RunStatus.CANCELING,
]


def activations_under_way(instance: dg.DagsterInstance, job: str) -> set[str]:
    """The activations with an unfinished run of a job."""
    runs = instance.get_runs(dg.RunsFilter(job_name=job, statuses=UNDER_WAY))
    return {activation for run in runs for activation in activations_of(run)}


def finished_runs(
    instance: dg.DagsterInstance, since: datetime, statuses: Collection[RunStatus]
) -> list[dg.RunRecord]:
    """The runs of our jobs that finished since then, oldest first."""
    records = instance.get_run_records(dg.RunsFilter(statuses=list(statuses), updated_after=since))
    ours = [record for record in records if record.dagster_run.job_name in JOB_OPS]
    return sorted(ours, key=lambda record: record.end_time or 0.0)
