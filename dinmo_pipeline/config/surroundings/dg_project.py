"""Dagster projects made with `dg`, and the components in them that read declarations."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

COMPONENT_FILES: Final = ("defs.yaml", "defs.yml")
_DEFS: Final = ("defs", "definitions")


class DgProjectError(Exception):
    """A folder has no `dg` project, or one that cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class DgProject:
    """A project as its dg.toml or pyproject.toml describes it.

    Attributes:
        folder: The project's folder.
        imports: The folder that its modules are imported from.
        defs: The folder of its definitions and components; it may not exist.
        module: The module that Dagster loads.
        location: The name of its code location.
    """

    folder: Path
    imports: Path
    defs: Path
    module: str
    location: str


def read_dg_project(folder: Path) -> DgProject:
    """The project in a folder, by the rules of `dg`.

    Raises:
        DgProjectError: there is none.
    """
    file = folder / "dg.toml"
    if not file.is_file():
        file = folder / "pyproject.toml"
    try:
        read = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise DgProjectError(f"{file} does not exist.") from None
    except (OSError, ValueError) as error:
        raise DgProjectError(f"{file} cannot be read: {error}.") from error
    own = read if file.name == "dg.toml" else read.get("tool", {}).get("dg", {})
    project = own.get("project", {}) if isinstance(own, dict) else {}
    root = project.get("root_module") if isinstance(project, dict) else None
    if not isinstance(root, str):
        section = "[project]" if file.name == "dg.toml" else "[tool.dg.project]"
        raise DgProjectError(f"{file} has no {section} with a root_module.")
    imports = folder / "src" if (folder / "src").exists() else folder
    named = project.get("defs_module")
    modules = [str(named)] if named else [f"{root}.{name}" for name in _DEFS]
    paths = [Path(imports, *module.split(".")) for module in modules]
    return DgProject(
        folder=folder,
        imports=imports,
        defs=next((path for path in paths if path.is_dir()), paths[0]),
        module=str(project.get("code_location_target_module") or f"{root}.definitions"),
        location=str(project.get("code_location_name") or folder.resolve().name),
    )


def dg_project_around(declarations: Path) -> DgProject | None:
    """The project whose folder of definitions contains some declarations, or whose component reads them."""
    declarations = declarations.resolve()
    project = _nearest(declarations.parent)
    if project is None:
        return None
    read = [path.resolve() for path in declared_in(project)]
    return project if declarations.is_relative_to(project.defs) or declarations in read else None


def component_files(declarations: Path) -> list[Path]:
    """The component files that may read some declarations: those beside them, and of the project above."""
    beside = [declarations.parent / name for name in COMPONENT_FILES]
    project = _nearest(declarations.resolve().parent)
    return [*filter(Path.is_file, beside), *(_files(project) if project else ())]


def declared_in(project: DgProject) -> list[Path]:
    """The declarations that the components of a project read, in the order of their files."""
    return _declared_by(_files(project))


def declared_beside(folder: Path) -> list[Path]:
    """The declarations that the component in a folder reads."""
    return _declared_by([folder / name for name in COMPONENT_FILES])


def _nearest(folder: Path) -> DgProject | None:
    for each in (folder, *folder.parents):
        with suppress(DgProjectError):
            return read_dg_project(each)
    return None


def _files(project: DgProject) -> list[Path]:
    return sorted(file for name in COMPONENT_FILES for file in project.defs.rglob(name))


def _declared_by(files: Iterable[Path]) -> list[Path]:
    found = {
        path.resolve(): path
        for file in files
        for attributes in _attributes_or_none(file)
        if (path := file.parent / str(attributes["declarations"])).exists()
    }
    return list(found.values())


def component_attributes(file: Path) -> Iterator[Mapping[str, Any]]:
    """The attributes of each component of a file that reads declarations.

    Raises:
        OSError, UnicodeDecodeError, yaml.YAMLError: the file cannot be read.
    """
    for document in yaml.safe_load_all(file.read_text("utf-8")):
        attributes = document.get("attributes") if isinstance(document, dict) else None
        if isinstance(attributes, dict) and "declarations" in attributes:
            yield attributes


def _attributes_or_none(file: Path) -> list[Mapping[str, Any]]:
    """As `component_attributes`; a file that cannot be read may be of anybody's component."""
    try:
        return list(component_attributes(file))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return []
