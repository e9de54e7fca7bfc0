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
    UP_TO_DATE,
)


def build_jobs() -> list[Any]:
    """Both jobs; each runs in one process, since starting Python is most of the cost of a run."""
    return [
        dg.define_asset_job(
            SYNC_MEMBERSHIP,
            selection=dg.AssetSelection.assets(SEGMENT_MEMBERSHIP, MEMBERSHIP_CHANGES),
            description="Compute who is in the segment, and who entered and left.",
            executor_def=dg.in_process_executor,
        ),
        dg.define_asset_job(
            APPLY_TAG_CHANGES,
            # Without the check `drift`, which makes a call per 150 contacts: another job evaluates it.
            selection=dg.AssetSelection.assets(INTERCOM_TAGS).without_checks()
            | dg.AssetSelection.checks(
                *check_keys(INTERCOM_TAGS),
                dg.AssetCheckKey(dg.AssetKey(INTERCOM_TAGS), UP_TO_DATE),
            ),
            description="Tag the members who entered and untag those who left, in Intercom.",
            executor_def=dg.in_process_executor,
        ),
    ]
