"""What the commands share: the declarations, the environment's secrets, the chosen activations."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dinmo_pipeline.config import load_project
from dinmo_pipeline.config.declarations import Activation, Project
from dinmo_pipeline.text.wording import suggestion

if TYPE_CHECKING:
    from dinmo_pipeline.segments import OpenSource
    from dinmo_pipeline.state.file.database import StateDatabase

DEMO_DECLARATIONS = Path(__file__).parent.parent / "demo" / "declarations"


def declared_project() -> Project:
    """The declarations at `$DINMO_CONFIG`, by default the demo's.

    Raises:
        ConfigError: they cannot be used.
    """
    return load_project(Path(os.environ.get("DINMO_CONFIG", DEMO_DECLARATIONS)))


def chosen(project: Project, keys: Iterable[str]) -> list[Activation]:
    """The activations of the keys, in their order and each once; of none, all enabled ones.

    Raises:
        click.UsageError: a key that is not declared.
    """
    wanted = list(dict.fromkeys(keys))
    unknown = [key for key in wanted if key not in project.activations]
    if unknown:
        raise unknown_name("activation", unknown[0], project.activations)
    if wanted:
        return [project.activations[key] for key in wanted]
    return [activation for activation in project.activations.values() if activation.enabled]


def unknown_name(kind: str, name: str, declared: Iterable[str]) -> click.UsageError:
    """The error for a name that is not declared; `kind` is what it should name, such as `segment`."""
    known = list(declared)
    hint = suggestion(name, known)
    return click.UsageError(
        f"There is no {kind} {name!r}.{f' {hint}' if hint else ''}"
        f" Declared are: {', '.join(known) or 'none'}."
    )


@contextmanager
def open_declared_source(project: Project) -> "Iterator[OpenSource]":
    """The source of the declarations, its secret from the environment.

    Raises:
        SourceError: it cannot be opened.
    """
    from dinmo_pipeline.segments import open_source  # noqa: PLC0415  # slow to import

    uri = os.environ.get(project.source.uri.name) if project.source.uri else None
    with open_source(project.source, uri=uri, on_wait=tell) as source:
        yield source


def declared_state(project: Project) -> "StateDatabase":
    """The state of the declarations; a wait for another process is told."""
    from dinmo_pipeline.state.file.database import StateDatabase  # noqa: PLC0415  # slow to import

    return StateDatabase(project.state.database, on_wait=tell)


def tell(message: str) -> None:
    """A line for the person who watches; standard output belongs to results."""
    click.echo(message, err=True)


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
activation_arguments = click.argument("activations", nargs=-1, metavar="[ACTIVATION]...")
