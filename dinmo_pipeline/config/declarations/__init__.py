"""What a user declares, validated and resolved: frozen values that the rest of the pipeline reads.

The conditions of segments are in the module `conditions`.
"""

from dinmo_pipeline.config.declarations.activations import (
    NEVER,
    Activation,
    Destination,
    Guards,
    MatchBy,
    Reconciliation,
)
from dinmo_pipeline.config.declarations.alerts import Alerts, Email
from dinmo_pipeline.config.declarations.project import (
    DagsterSettings,
    Dbt,
    History,
    Project,
    State,
)
from dinmo_pipeline.config.declarations.segments import (
    Given,
    GivenRow,
    GivenTable,
    Segment,
    SegmentTest,
)
from dinmo_pipeline.config.declarations.warehouse import (
    EnvironmentVariable,
    FieldFormat,
    FieldType,
    Join,
    Model,
    Relation,
    Source,
    SourceType,
)
from dinmo_pipeline.config.schedules.kinds import AFTER_UPSTREAM, MANUAL

__all__ = [
    "AFTER_UPSTREAM",
    "MANUAL",
    "NEVER",
    "Activation",
    "Alerts",
    "DagsterSettings",
    "Dbt",
    "Destination",
    "Email",
    "EnvironmentVariable",
    "FieldFormat",
    "FieldType",
    "Given",
    "GivenRow",
    "GivenTable",
    "Guards",
    "History",
    "Join",
    "MatchBy",
    "Model",
    "Project",
    "Reconciliation",
    "Relation",
    "Segment",
    "SegmentTest",
    "Source",
    "SourceType",
    "State",
]
