"""Where the state is, and where the runs of one machine keep what they share: beside the state."""

import os
from pathlib import Path

from dinmo_pipeline.state.errors import StateUnusableError


def state_file(database: str) -> Path | None:
    """The file of a state database, by one name however it is spelled or linked; None for MotherDuck's."""
    if database.startswith(("md:", "motherduck:")):
        return None
    return Path(os.path.realpath(database))


def lock_folder(database: str) -> Path:
    """The folder of the activation locks; of a MotherDuck database, one of this user.

    A file has one, by whichever name it is reached: two code locations may name it differently.
    """
    file = state_file(database)
    return Path(f"{file}.locks") if file else Path.home() / ".dinmo" / "locks"


def budget_folder(database: str) -> Path:
    """The folder through which Intercom's call budget is shared."""
    return lock_folder(database) / "budgets"


def make_lock_folder(folder: Path) -> None:
    """Make the folder if it is not there, for this user alone.

    Raises:
        StateUnusableError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StateUnusableError(
            f"The folder {folder} of the activation locks cannot be made: {error}. Check"
            " `state: {database: …}` in the declarations."
        ) from error
