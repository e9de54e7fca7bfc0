"""The folder of the Dagster instance: `$DAGSTER_HOME`, else one in the project."""

import os
from pathlib import Path


def ensure_dagster_home() -> Path:
    """Set `DAGSTER_HOME` for this process, unless it is set, to a folder with the project's dagster.yaml.

    The project is the nearest folder, from here upwards, that has a dagster.yaml; without one, this folder.
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
