"""What Dagster loads: the project's declarations, turned into assets, jobs, a sensor and schedules."""

import os
from pathlib import Path

import dagster as dg

from dinmo_pipeline.config import load_project
from dinmo_pipeline.demo import DEMO_DECLARATIONS
from dinmo_pipeline.orchestration.build import build_definitions
from dinmo_pipeline.orchestration.runs.loading import is_for_a_run


@dg.definitions
def defs() -> dg.Definitions:
    """The definitions of the declarations at `$DINMO_CONFIG`, by default the demo's."""
    return build_definitions(
        load_project(Path(os.environ.get("DINMO_CONFIG", DEMO_DECLARATIONS))),
        os.environ,
        for_a_run=is_for_a_run(),
        other_assets=(),
    )
