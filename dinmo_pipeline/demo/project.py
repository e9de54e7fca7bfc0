"""The demo's project: a copy of its declarations in the folder that holds its warehouse and its state."""

from pathlib import Path
from typing import Final

from dinmo_pipeline.config import load_project
from dinmo_pipeline.config.declarations import Project
from dinmo_pipeline.demo import DEMO_DECLARATIONS
from dinmo_pipeline.demo.folder import DemoFolder

DESTINATION: Final = "intercom_demo"
TOKEN_VARIABLE: Final = "INTERCOM_ACCESS_TOKEN"  # noqa: S105  # its name
TOKEN: Final = "demo-token"  # noqa: S105  # the emulator takes any
_FOLDER_NAME: Final = ".demo"
_DECLARED_ADDRESS: Final = "http://127.0.0.1:8055"


def demo_folder(here: Path) -> DemoFolder:
    """The demo's folder in a folder; it may not exist."""
    return DemoFolder(here / _FOLDER_NAME, DESTINATION)


def new_demo_project(folder: DemoFolder, emulator: str = _DECLARED_ADDRESS) -> Project:
    """Clear the demo's folder, and write the declarations there, for an emulator at an address.

    Raises:
        NotTheDemoError: something in the folder is the user's own. Nothing was deleted.
    """
    folder.clear()
    for name, text in declared_texts(emulator).items():
        folder.write(folder.declarations / name, text)
    folder.write(folder.env_file, f"{TOKEN_VARIABLE}={TOKEN}\n")
    return load_project(folder.declarations)


def declared_texts(emulator: str = _DECLARED_ADDRESS) -> dict[str, str]:
    """The demo's declarations by file name. They expect the warehouse and the state one folder above."""
    return {
        file.name: file.read_text("utf-8").replace(_DECLARED_ADDRESS, emulator)
        for file in sorted(DEMO_DECLARATIONS.glob("*.yaml"))
    }
