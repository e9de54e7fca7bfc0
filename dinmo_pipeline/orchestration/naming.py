"""Names that users see in Dagster and rely on; and the one way to derive them.

The constants are names without a prefix. `Names` makes those of one instance of the pipeline from them.
"""

from dataclasses import dataclass

import dagster as dg

from dinmo_pipeline.config.declarations import Project
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
USUAL_SIZE = "usual_size"
MATCH_RATE = "match_rate"
UP_TO_DATE = "up_to_date"
DRIFT = "drift"

# The assets of the audiences, one for each activation, below this; and the check that each has.
AUDIENCES = "audiences"
IN_SYNC = "in_sync"

SOURCE = "source"
STATE = "state"
ALERTS = "alerts"


def destination_resource(destination: str) -> str:
    """`destination_intercom_main`."""
    return f"destination_{destination}"


def alerts_resource_key(destination: str) -> str:
    """`alerts_intercom_main`."""
    return f"{ALERTS}_{destination}"


def activation_resource(activation: str) -> str:
    """`activation_vip_customers`."""
    return f"activation_{activation}"


def retries_name(job: str) -> str:
    """`sync_membership_retries`."""
    return f"{job}_retries"


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one instance of the pipeline; without a prefix they are the constants above."""

    name: str | None = None
    key_prefix: tuple[str, ...] = ()
    resource_prefix: str | None = None

    def of(self, base: str) -> str:
        """The name of a job, op, sensor or schedule: `crm_sync_membership`."""
        return f"{self.name}_{base}" if self.name else base

    def resource(self, base: str) -> str:
        """The key of a resource: `crm_source`."""
        prefix = self.name or self.resource_prefix
        return f"{prefix}_{base}" if prefix else base

    def op(self, job: str) -> str:
        """The op of a job."""
        return self.of(JOB_OPS[job])

    def job_of(self, run: dg.DagsterRun) -> str | None:
        """The job of a run, without the prefix; None for a run of anything else."""
        return next((job for job in JOB_OPS if self.of(job) == run.job_name), None)

    def key(self, asset: str) -> dg.AssetKey:
        """The key of an asset: `crm/intercom_tags`."""
        return dg.AssetKey([*self.key_prefix, asset])

    def audience(self, activation: str) -> dg.AssetKey:
        """The key of the asset of an audience: `crm/audiences/vip_customers`."""
        return dg.AssetKey([*self.key_prefix, AUDIENCES, activation])

    def audience_check(self, activation: str) -> dg.AssetCheckKey:
        """The key of its check."""
        return dg.AssetCheckKey(self.audience(activation), IN_SYNC)

    @property
    def keys(self) -> dict[dg.AssetKey, str]:
        """The keys of the pipeline's assets, each with its name."""
        return {self.key(asset): asset for asset in OWN_ASSETS}


def names_of(project: Project) -> Names:
    """The names that a project declares."""
    settings = project.dagster
    return Names(settings.name, settings.key_prefix, settings.resource_prefix)
