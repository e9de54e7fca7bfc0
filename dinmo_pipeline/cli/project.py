"""What the commands share: the declarations, and the source and state that they declare."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dinmo_pipeline.cli.exit_codes import FAILED, WRONG_USAGE
from dinmo_pipeline.cli.messages import echo, report
from dinmo_pipeline.config import (
    ConfigError,
    Located,
    load_project,
    locate,
    named_by_component,
    render,
    variables,
)
from dinmo_pipeline.config.declarations import Activation, Project
from dinmo_pipeline.text.wording import counted, suggestion

if TYPE_CHECKING:
    from dinmo_pipeline.segments import OpenSource
    from dinmo_pipeline.state.file.database import StateDatabase

Declared = TypeVar("Declared")


def located_project() -> Located:
    """Find the declarations, report which they are, and set the variables of their `.env` files.

    Raises:
        DeclarationsNotFoundError: there are none here.
    """
    located = locate(os.environ, Path.cwd())
    also = [*map(_from_here, located.env_files)]
    ignored = f" (not {' and '.join(map(_from_here, located.not_read))})" if located.not_read else ""
    report(f"Declarations: {' and '.join([_from_here(located.declarations), *also])}{ignored}")
    os.environ.update(variables(located, os.environ))
    return located


def declared_project(*, warn: bool = True) -> Project:
    """The project that is declared here; raises DeclarationsNotFoundError and ConfigError."""
    return project_of(located_project(), warn=warn)


def project_of(located: Located, *, warn: bool = True) -> Project:
    """The project of declarations that were found; raises ConfigError."""
    project = named_by_component(load_project(located.declarations, partly=True), located.declarations)
    if project.problems and warn:
        report(_warning(project))
    return project


def _warning(project: Project) -> str:
    problems = counted(len(project.problems), "problem")
    return f"The declarations have {problems}. {left_out(project)}`dinmo check` shows all."


def left_out(project: Project) -> str:
    """A sentence about the activations that cannot be used, and a space; empty if all can be."""
    keys = list(project.broken_of("activation"))
    return f"{counted(len(keys), 'activation')} cannot be used: {', '.join(keys)}. " if keys else ""


def with_broken(code: int, project: Project, kind: str) -> int:
    """The exit code of a command about all objects of a kind; prints the problems of the broken ones."""
    broken = project.broken_of(kind)
    if not broken:
        return code
    report(render(dict.fromkeys(problem for problems in broken.values() for problem in problems)))
    return FAILED if code == FAILED else WRONG_USAGE


def refuse_broken(project: Project, kind: str, names: Iterable[str]) -> None:
    """Refuse names of objects, such as activations, whose declarations have problems.

    Raises:
        ConfigError: with the problems.
    """
    broken = project.broken_of(kind)
    problems = [problem for name in names for problem in broken.get(name, ())]
    if problems:
        raise ConfigError(tuple(dict.fromkeys(problems)))


def _from_here(path: Path) -> str:
    """A path as it is written from the current folder, if it is below it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def selected_activations(project: Project, keys: Iterable[str]) -> list[Activation]:
    """The activations with these keys, in their order; without keys, all enabled ones.

    Raises:
        click.UsageError: a key is not declared.
        ConfigError: an activation cannot be used as it is declared.
    """
    refuse_broken(project, "activation", keys)
    selected = declared_by_name("activation", keys, project.activations)
    return selected or [each for each in project.activations.values() if each.enabled]


def declared_by_name(kind: str, names: Iterable[str], declared: Mapping[str, Declared]) -> list[Declared]:
    """The declarations with these names, each once, in their order; `kind` is such as `segment`.

    Raises:
        click.UsageError: a name is not declared.
    """
    wanted = list(dict.fromkeys(names))
    for name in wanted:
        if name not in declared:
            raise unknown_name(kind, name, declared)
    return [declared[name] for name in wanted]


def unknown_name(kind: str, name: str, declared: Iterable[str]) -> click.UsageError:
    """The error for a name that is not declared."""
    known = list(declared)
    hint = suggestion(name, known)
    return click.UsageError(
        f"There is no {kind} {name!r}.{f' {hint}' if hint else ''} Declared: {', '.join(known) or 'none'}."
    )


@contextmanager
def open_declared_source(project: Project) -> "Iterator[OpenSource]":
    """The declared source, its secret from the environment; raises SourceError."""
    from dinmo_pipeline.segments import open_source  # noqa: PLC0415  # 0.3 s to import

    uri = os.environ.get(project.source.uri.name) if project.source.uri else None
    with open_source(project.source, uri=uri, on_wait=report) as source:
        yield source


def state_of(project: Project, destination: str) -> "StateDatabase":
    """The state of a destination; waiting for another process is reported."""
    from dinmo_pipeline.state.file.database import StateDatabase  # noqa: PLC0415  # 0.1 s to import
    from dinmo_pipeline.state.file.paths import other_files  # noqa: PLC0415

    others = other_files(project.state, destination)
    return StateDatabase(project.state.database_of(destination), on_wait=report, others=others)


def declared_states(project: Project) -> "list[StateDatabase]":
    """The state of all destinations: one file, or one for each, also of those no longer declared."""
    from dinmo_pipeline.state.file.database import StateDatabase  # noqa: PLC0415  # 0.1 s to import
    from dinmo_pipeline.state.file.paths import files_of  # noqa: PLC0415

    return [
        StateDatabase(str(file), on_wait=report) for file in files_of(project.state, project.destinations)
    ]


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on standard output, marks of direction escaped as JSON allows."""
    echo(json_text(value).rstrip("\n"))


def json_text(value: Mapping[str, Any]) -> str:
    """A JSON object on several lines."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n"


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
