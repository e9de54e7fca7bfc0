"""An existing `dg` project, and where a component lives in it."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

COMPONENT: Final = "dinmo_pipeline.SegmentActivationsComponent"
DECLARATIONS: Final = "segments"


@dataclass(frozen=True, slots=True)
class DgProject:
    """The project's folder, and the folder of its definitions."""

    folder: Path
    defs: Path


def dg_project(folder: Path) -> DgProject:
    """The project in a folder.

    Raises:
        click.UsageError: there is none, or its definitions are not where its pyproject.toml says.
    """
    pyproject = folder / "pyproject.toml"
    try:
        read = tomllib.loads(pyproject.read_text("utf-8"))
    except FileNotFoundError:
        raise click.UsageError(f"{pyproject} does not exist. {_RUN_IT_THERE}") from None
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{pyproject} cannot be read: {error}.") from error
    project = read.get("tool", {}).get("dg", {}).get("project", {})
    root = project.get("root_module") if isinstance(project, dict) else None
    if not isinstance(root, str):
        raise click.UsageError(f"{pyproject} has no [tool.dg.project] with a root_module. {_RUN_IT_THERE}")
    module = Path(*str(project.get("defs_module") or f"{root}.defs").split("."))
    for base in (folder / "src", folder):
        if (base / module).is_dir():
            return DgProject(folder, base / module)
    raise click.UsageError(f"There is no folder {module} in {folder} or its src. Create it with `dg`.")


def defs_text() -> str:
    """The defs.yaml of the component, whose declarations are beside it."""
    return (
        f"type: {COMPONENT}\n"
        "attributes:\n"
        f"  declarations: {DECLARATIONS}/ # `dinmo check` reads the same folder\n"
    )


_RUN_IT_THERE: Final = (
    "Run this in the folder of a `dg` project, or make a project of its own without --component."
)
