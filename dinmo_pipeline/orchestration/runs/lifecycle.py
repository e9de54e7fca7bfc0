"""The runs of this pipeline, under way or finished, and the activations that they work on."""

from collections.abc import Collection
from datetime import datetime

import dagster as dg
from dagster import DagsterRunStatus as RunStatus

from dinmo_pipeline.config.models import OWN_ASSETS
from dinmo_pipeline.orchestration.naming import JOB_OPS
from dinmo_pipeline.orchestration.runs.batch import activations_of

_OWN_KEYS = frozenset(map(dg.AssetKey, OWN_ASSETS))
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
    ours = [record for record in records if _is_ours(record.dagster_run)]
    return sorted(ours, key=lambda record: record.end_time or 0.0)


def _is_ours(run: dg.DagsterRun) -> bool:
    """Whether it is a run of our jobs, or of our assets from their pages in the UI."""
    return run.job_name in JOB_OPS or not _OWN_KEYS.isdisjoint(run.asset_selection or ())
