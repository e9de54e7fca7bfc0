"""The two jobs: one that schedules launch, one that the sensor launches."""

from typing import Any

import dagster as dg

from dinmo_pipeline.orchestration.naming import (
    APPLY_TAG_CHANGES,
    INTERCOM_TAGS,
    MEMBERSHIP_CHANGES,
    SEGMENT_MEMBERSHIP,
    SYNC_MEMBERSHIP,
)


def build_jobs() -> list[Any]:
    """Both jobs; each runs in one process, since most of a run's cost is starting Python."""
    return [
        dg.define_asset_job(
            SYNC_MEMBERSHIP,
            selection=dg.AssetSelection.assets(SEGMENT_MEMBERSHIP, MEMBERSHIP_CHANGES),
            description="Compute who is in the segment, and who entered and left.",
            executor_def=dg.in_process_executor,
        ),
        dg.define_asset_job(
            APPLY_TAG_CHANGES,
            selection=dg.AssetSelection.assets(INTERCOM_TAGS),
            description="Tag who entered and untag who left, in Intercom.",
            executor_def=dg.in_process_executor,
        ),
    ]
