"""The Dagster instance of this project: `$DAGSTER_HOME`, else a folder in the project."""

import os
from pathlib import Path


def ensure_dagster_home() -> Path:
    """Set `DAGSTER_HOME` for this process where it is not set, with the project's dagster.yaml in it.

    The project is the nearest folder upwards that has a dagster.yaml; without one, this folder.
    """
    if home := os.environ.get("DAGSTER_HOME"):
        return Path(home)
    here = Path.cwd()
    project = next((f for f in (here, *here.parents) if (f / "dagster.yaml").exists()), here)
    home_folder = project / ".dagster"
    home_folder.mkdir(exist_ok=True)
    settings = home_folder / "dagster.yaml"
    if (project / "dagster.yaml").exists() and not settings.exists():
        settings.symlink_to(Path("..") / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home_folder)
    return home_folder
