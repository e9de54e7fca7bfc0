"""The paths of the state, and of the folders beside it, which the runs of one machine share."""

import os
from collections.abc import Iterable
from pathlib import Path

from dinmo_pipeline.config.declarations import State
from dinmo_pipeline.state.errors import StateUnusableError


def state_file(database: str) -> Path:
    """The file of a state database, with spelling and links resolved."""
    return Path(os.path.realpath(database))


def files_of(state: State, destinations: Iterable[str]) -> list[Path]:
    """The files of a state: those of some destinations, and any others that exist in its folder."""
    files = dict.fromkeys(Path(database) for database in state.databases(destinations))
    if state.folder:
        files |= dict.fromkeys(sorted(Path(state.folder).glob("*.duckdb")))
    return list(files)


def other_files(state: State, destination: str) -> tuple[str, ...]:
    """The files of all other destinations; empty if all share one."""
    own = Path(state.database_of(destination))
    return tuple(str(file) for file in files_of(state, [destination]) if file != own)


def lock_folder(state: State) -> Path:
    """The folder of the activation locks and the run marks.

    There is one, even if two code locations spell the path of the state differently.
    """
    if state.folder:
        return Path(os.path.realpath(state.folder), "locks")
    return Path(f"{state_file(state.database)}.locks")


def budget_folder(state: State) -> Path:
    """The folder through which runs share Intercom's call budget."""
    return lock_folder(state) / "budgets"


def make_lock_folder(folder: Path) -> None:
    """Create the folder, for this user alone, if it does not exist.

    Raises:
        StateUnusableError: it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StateUnusableError(
            f"The folder {folder} of the activation locks cannot be created: {error}. Check `state` in the"
            " declarations."
        ) from error
