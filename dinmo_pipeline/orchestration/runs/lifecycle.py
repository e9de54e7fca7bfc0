"""The runs of this pipeline that are under way, by activation."""

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
