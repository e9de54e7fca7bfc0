"""Where a project's declarations are, and the `.env` files that belong to them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

from dinmo_pipeline.config.strict_yaml.files import holds_yaml
from dinmo_pipeline.config.surroundings.dg_project import (
    DgProjectError,
    declared_beside,
    declared_in,
    read_dg_project,
)

VARIABLE: Final = "DINMO_CONFIG"
REPORT_URL_VARIABLE: Final = "DINMO_REPORT_URL"
"""Where people find the report; the Dagster UI links to it."""
NAMES: Final = ("dinmo.yaml", "dinmo", "declarations")
_ENV_FILE: Final = ".env"
_REPOSITORY: Final = ".git"  # a folder; in a worktree or submodule a file


class DeclarationsNotFoundError(Exception):
    """There are no declarations here; the message says where they were looked for, and what to do."""


@dataclass(frozen=True, slots=True)
class Located:
    """A project on disk.

    Attributes:
        declarations: The file or folder to read, absolute; it may not exist if `$DINMO_CONFIG` names it.
        folder: The project's folder: the one that holds the declarations; if `$DINMO_CONFIG` names them, the
            current one, or the one of the `.env` file that sets it.
        not_read: Other declarations in the same folder, which are not read.
        env_files: The `.env` files, the most important first.
    """

    declarations: Path
    folder: Path
    not_read: tuple[Path, ...] = ()
    env_files: tuple[Path, ...] = ()


def locate(environment: Mapping[str, str], here: Path) -> Located:
    """Find the declarations at `$DINMO_CONFIG`, else in this folder or above it.

    In a `dg` project, those of its component are found from the project's folder. The search ends at the root
    of the repository. Outside a repository it does not go up, since a folder above may be another person's.
    `$DINMO_CONFIG` may also be set in the nearest `.env` file.

    Raises:
        DeclarationsNotFoundError: there are none, or several components of one project have some.
    """
    folders = search_folders(here)
    nearest = next((folder / _ENV_FILE for folder in folders if (folder / _ENV_FILE).is_file()), None)
    if named := environment.get(VARIABLE):
        return _named(named, here, nearest)
    if nearest is not None and (named := _read_env_file(nearest).get(VARIABLE)):
        # Relative to the file, as all paths in the project's files are.
        return _named(named, nearest.parent, nearest)
    for folder in folders:
        if any(path.samefile(folder) for path in declared_beside(folder.parent)):
            return Located(folder, folder.parent, env_files=_env_files(folder, nearest))
        found = [path for name in NAMES if _is_declarations(path := folder / name)]
        if found:
            return Located(found[0], folder, tuple(found[1:]), _env_files(found[0], nearest))
        if (of_component := _of_component(folder)) is not None:
            return Located(of_component, folder, env_files=_env_files(of_component, nearest))
    raise DeclarationsNotFoundError(_not_found(folders))


def search_folders(here: Path) -> tuple[Path, ...]:
    """This folder and those above it, up to the root of the repository; outside of one, only this folder."""
    folders = (here, *here.parents)
    for position, folder in enumerate(folders):
        if (folder / _REPOSITORY).exists():
            return folders[: position + 1]
    return (here,)


def variables(located: Located, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of the `.env` files that the environment does not set: it wins over the files.

    `DINMO_CONFIG` is left out, since its path is relative to the file.
    """
    read = chain.from_iterable(_read_env_file(file).items() for file in reversed(located.env_files))
    return {name: value for name, value in read if name not in environment and name != VARIABLE}


def _named(path: str, folder: Path, nearest: Path | None) -> Located:
    declarations = folder / Path(path).expanduser()
    return Located(declarations, folder, env_files=_env_files(declarations, nearest))


def _of_component(folder: Path) -> Path | None:
    """The declarations of the component in a folder, or in the `dg` project in it."""
    found = declared_beside(folder)
    if not found:
        try:
            found = declared_in(read_dg_project(folder))
        except DgProjectError:
            return None
    if len(found) > 1:
        names = " and ".join(str(path.relative_to(folder)) for path in found)
        raise DeclarationsNotFoundError(
            f"The components of {folder} read {names}. Run this in the folder of one of them, or set"
            f" {VARIABLE}."
        )
    return found[0] if found else None


def _is_declarations(path: Path) -> bool:
    """Whether a name is taken by declarations; a Python package may be called `dinmo`, too."""
    return path.is_dir() and holds_yaml(path) if path.suffix == "" else path.is_file()


def _env_files(declarations: Path, nearest: Path | None) -> tuple[Path, ...]:
    """The `.env` beside the declarations, then the nearest one to the current folder."""
    beside = declarations.parent / _ENV_FILE
    return tuple(dict.fromkeys(_existing(beside, nearest)))


def _existing(*files: Path | None) -> Iterator[Path]:
    return (file.resolve() for file in files if file is not None and file.is_file())


def _read_env_file(file: Path) -> dict[str, str]:
    """Read as `dg` does, by python-dotenv; a name without a value is left out."""
    return {name: value for name, value in dotenv_values(file).items() if value is not None}


def _not_found(folders: tuple[Path, ...]) -> str:
    where = f"in {folders[0]}" + (f" or above it, up to {folders[-1]}" if len(folders) > 1 else "")
    return (
        f"There are no declarations {where}: no {NAMES[0]}, and no folder {' or '.join(NAMES[1:])} with YAML"
        f" files. Run `dinmo init` to make some, or set {VARIABLE} to the file or folder that has them."
        " To see an example work, run `dinmo demo`."
    )
