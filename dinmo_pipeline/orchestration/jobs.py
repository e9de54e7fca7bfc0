"""The two jobs: schedules launch one, the sensor launches the other."""

from typing import Any

import dagster as dg

from dinmo_pipeline.orchestration.checks import check_keys
from dinmo_pipeline.orchestration.naming import (
    APPLY_TAG_CHANGES,
    INTERCOM_TAGS,
    MEMBERSHIP_CHANGES,
    SEGMENT_MEMBERSHIP,
    SYNC_MEMBERSHIP,
    Names,
)
from dinmo_pipeline.orchestration.runs.batch import DECISIONS


def build_jobs(names: Names) -> list[Any]:
    """Both jobs; each run is one process, since most of its cost is starting Python."""
    return [
        dg.define_asset_job(
            names.of(SYNC_MEMBERSHIP),
            dg.AssetSelection.assets(names.key(SEGMENT_MEMBERSHIP), names.key(MEMBERSHIP_CHANGES)),
            description="Compute the members of segments, and who entered and left.",
            executor_def=dg.in_process_executor,
        ),
        dg.define_asset_job(
            names.of(APPLY_TAG_CHANGES),
            # Without `drift`, which makes a call per 150 contacts and has a job of its own, and `up_to_date`,
            # which a sensor evaluates: both are ops of their own for one partition.
            selection=dg.AssetSelection.assets(names.key(INTERCOM_TAGS)).without_checks()
            | dg.AssetSelection.checks(*check_keys(names, INTERCOM_TAGS)),
            description="Tag users who entered and untag users who left, in Intercom. To launch it, choose an"
            " activation as the partition.",
            # The launchpad shows it once a partition is chosen: the decisions of a person.
            config={"ops": {names.op(APPLY_TAG_CHANGES): {"config": dict.fromkeys(DECISIONS, False)}}},
            executor_def=dg.in_process_executor,
        ),
    ]
