"""The runs of this pipeline, under way or finished, by activation."""

from collections.abc import Collection, Iterable
from datetime import datetime

import dagster as dg
from dagster import DagsterRunStatus as RunStatus

PARTITION_TAG = "dagster/partition"
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
    return {run.tags[PARTITION_TAG] for run in runs if PARTITION_TAG in run.tags}


def finished_runs(
    instance: dg.DagsterInstance,
    activations: Iterable[str],
    since: datetime,
    statuses: Collection[RunStatus],
) -> dict[str, list[dg.RunRecord]]:
    """The runs that finished since then, by activation, oldest first."""
    records = instance.get_run_records(
        dg.RunsFilter(statuses=list(statuses), tags={PARTITION_TAG: list(activations)}, updated_after=since)
    )
    runs: dict[str, list[dg.RunRecord]] = {}
    for record in sorted(records, key=lambda record: record.end_time or 0.0):
        runs.setdefault(record.dagster_run.tags[PARTITION_TAG], []).append(record)
    return runs
