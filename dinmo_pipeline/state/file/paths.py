"""The paths of the state file and of the folders beside it, which the runs of one machine share."""

import os
from pathlib import Path

from dinmo_pipeline.state.errors import StateUnusableError


def state_file(database: str) -> Path | None:
    """The file of a state database, with spelling and links resolved; None for MotherDuck."""
    if database.startswith(("md:", "motherduck:")):
        return None
    return Path(os.path.realpath(database))


def lock_folder(database: str) -> Path:
    """The folder of the activation locks; for MotherDuck, a folder of this user.

    A file has one folder, even if two code locations spell its path differently.
    """
    file = state_file(database)
    return Path(f"{file}.locks") if file else Path.home() / ".dinmo" / "locks"


def budget_folder(database: str) -> Path:
    """The folder through which runs share Intercom's call budget."""
    return lock_folder(database) / "budgets"


def make_lock_folder(folder: Path) -> None:
    """Create the folder, for this user alone, if it does not exist.

    Raises:
        StateUnusableError: it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StateUnusableError(
            f"The folder {folder} of the activation locks cannot be created: {error}. Check"
            " `state: {database: …}` in the declarations."
        ) from error
