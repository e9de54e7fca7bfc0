"""Where what the runs of one machine share is kept: beside the state, and never in it."""

import os
from pathlib import Path


def lock_folder(database: str) -> Path:
    """The folder of the activation locks; of a MotherDuck database, one of this user.

    A file has one, by whichever name it is reached: two code locations may name it differently.
    """
    if database.startswith(("md:", "motherduck:")):
        return Path.home() / ".dinmo" / "locks"
    return Path(f"{os.path.realpath(database)}.locks")


def budget_folder(database: str) -> Path:
    """The folder through which Intercom's call budget is shared."""
    return lock_folder(database) / "budgets"
