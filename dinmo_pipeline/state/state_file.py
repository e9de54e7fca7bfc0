"""Where the state is: in a file, or at MotherDuck."""

import os
from pathlib import Path


def state_file(database: str) -> Path | None:
    """The file of a state database, by one name however it is spelled or linked; None for MotherDuck's."""
    if database.startswith(("md:", "motherduck:")):
        return None
    return Path(os.path.realpath(database))
