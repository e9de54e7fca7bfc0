"""The demo's project: its declarations, and the folder that holds its warehouse and its state."""

from pathlib import Path

from dinmo_pipeline.config import load_project
from dinmo_pipeline.config.declarations import Project
from dinmo_pipeline.demo.folder import DemoFolder, NotTheDemoError

DESTINATION = "intercom_demo"
# Where the declarations keep the warehouse and the state.
FOLDER = DemoFolder(Path(__file__).parents[2] / ".demo", DESTINATION)


def demo_project(declarations: Path, folder: DemoFolder) -> Project:
    """Load the demo's project, unless its declarations have been edited.

    Raises:
        NotTheDemoError: the declarations name another warehouse, state or destination.
    """
    project = load_project(declarations)
    declared = (project.source.path, Path(project.state.database), set(project.destinations))
    if declared != (folder.warehouse, folder.state, {folder.destination}):
        raise NotTheDemoError(
            f"The declarations in {declarations} are no longer the demo's. The demo reads"
            f" {folder.warehouse}, keeps its state in {folder.state}, and has one destination,"
            f" {folder.destination!r}. Restore these files, and keep your own declarations in a"
            " folder that DINMO_CONFIG names. Nothing was deleted."
        )
    return project
