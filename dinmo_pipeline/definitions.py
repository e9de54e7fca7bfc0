"""What Dagster loads: the project's declarations, turned into assets, jobs, a sensor and schedules."""

import os
from pathlib import Path

import dagster as dg

from dinmo_pipeline.config import (
    DeclarationsNotFoundError,
    fingerprint,
    load_project,
    locate,
    named_by_component,
    variables,
)
from dinmo_pipeline.orchestration.build import build_definitions
from dinmo_pipeline.orchestration.no_declarations import definitions_without_declarations
from dinmo_pipeline.orchestration.runs.loading import is_for_a_run


@dg.definitions
def defs() -> dg.Definitions:
    """The definitions of the declarations that `dinmo` finds from here; without any, what to do."""
    try:
        located = locate(os.environ, Path.cwd())
    except DeclarationsNotFoundError as error:
        return definitions_without_declarations(str(error))
    os.environ.update(variables(located, os.environ))
    return build_definitions(
        named_by_component(load_project(located.declarations, partly=True), located.declarations),
        os.environ,
        for_a_run=is_for_a_run(),
        other_assets=(),
        fingerprint=fingerprint(located.declarations),
    )
