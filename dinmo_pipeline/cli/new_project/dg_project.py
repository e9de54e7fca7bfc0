"""An existing `dg` project, to which a component is added."""

from pathlib import Path
from typing import Final

import click

from dinmo_pipeline.config import DgProject, DgProjectError, read_dg_project

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
