"""An existing `dg` project, and the component that is added to it."""

from pathlib import Path
from typing import Final

import click

from dinmo_pipeline.config import DgProject, DgProjectError, read_dg_project

COMPONENT: Final = "dinmo_pipeline.SegmentActivationsComponent"
DECLARATIONS: Final = "segments"


def dg_project(folder: Path) -> DgProject:
    """The project in a folder.

    Raises:
        click.UsageError: there is none, or its definitions are not where they should be.
    """
    try:
        project = read_dg_project(folder)
    except DgProjectError as error:
        raise click.UsageError(
            f"{error} Run this in the folder of a `dg` project, or make a project of its own without"
            " --component."
        ) from error
    if not project.defs.is_dir():
        raise click.UsageError(f"There is no folder {project.defs}. Create it with `dg`.")
    return project


def defs_text() -> str:
    """The defs.yaml of the component, whose declarations are beside it."""
    return (
        f"type: {COMPONENT}\n"
        "attributes:\n"
        f"  declarations: {DECLARATIONS}/ # `dinmo check` reads the same folder\n"
    )
