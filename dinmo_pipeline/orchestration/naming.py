"""Names that users see in Dagster and rely on; and the one way to derive them."""

from dinmo_pipeline.config.models import OWN_ASSETS

SEGMENT_MEMBERSHIP, MEMBERSHIP_CHANGES, INTERCOM_TAGS = OWN_ASSETS

SYNC_MEMBERSHIP = "sync_membership"
APPLY_TAG_CHANGES = "apply_tag_changes"
RECONCILE_TAGS = "reconcile_tags"
READ_SEGMENTS = "read_segments"
RECONCILE = "reconcile"
# The op of each job; Dagster wants another name than the job's.
JOB_OPS = {
    SYNC_MEMBERSHIP: READ_SEGMENTS,
    APPLY_TAG_CHANGES: INTERCOM_TAGS,
    RECONCILE_TAGS: RECONCILE,
}
TAG_CHANGES_SENSOR = "tag_changes_sensor"
UPSTREAM_SENSOR = "upstream_sensor"
STALENESS_SENSOR = "staleness_sensor"
ALERTS_SENSOR = "alerts_sensor"
HISTORY_SENSOR = "history_sensor"

REMOVAL_GUARD = "removal_guard"
UP_TO_DATE = "up_to_date"
DRIFT = "drift"

SOURCE = "source"
STATE = "state"
ALERTS = "alerts"


def destination_resource(destination: str) -> str:
    """`destination_intercom_main`."""
    return f"destination_{destination}"


def activation_resource(activation: str) -> str:
    """`activation_vip_customers`."""
    return f"activation_{activation}"


def retries_name(job: str) -> str:
    """`sync_membership_retries`."""
    return f"{job}_retries"
