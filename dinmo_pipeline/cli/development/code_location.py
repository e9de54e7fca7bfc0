"""What `dinmo dev` lets Dagster load: the pipeline alone, or the project that it is part of."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dinmo_pipeline.config import DgProject, DgProjectError, Located, dg_project_around, read_dg_project

_NAME: Final = "dinmo_pipeline"


@dataclass(frozen=True, slots=True)
class CodeLocation:
    """A module with definitions.

    Attributes:
        name: What Dagster calls it.
        module: The module.
        project: The `dg` project that it is part of, if any.
    """

    name: str
    module: str
    project: DgProject | None = None


def code_location_of(located: Located) -> CodeLocation:
    """The code location that contains the activations of some declarations.

    That is the `dg` project whose component reads them, or the one that `dinmo init` made around them.
    """
    project = dg_project_around(located.declarations) or _made_by_init(located.folder)
    if project is None:
        return CodeLocation(_NAME, "dinmo_pipeline.definitions")
    return CodeLocation(project.location, project.module, project)


def _made_by_init(folder: Path) -> DgProject | None:
    """The project in a folder, if it says itself that it is the pipeline's code location."""
    try:
        project = read_dg_project(folder)
    except DgProjectError:
        return None
    return project if project.location == _NAME else None
