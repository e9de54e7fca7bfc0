"""Completion of names in the shell, by click's own: `eval "$(_DINMO_COMPLETE=bash_source dinmo)"`."""

from collections.abc import Callable, Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem

from dinmo_pipeline.cli.project import declared_project
from dinmo_pipeline.config.declarations import Project


class DeclaredName(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """The key of something declared; the shell completes it. Whether it exists is for the command to say."""

    def __init__(self, kind: str, declared: Callable[[Project], Iterable[str]]) -> None:
        self.name = kind
        self._declared = declared

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ARG002
        """The text as it is."""
        return str(value)

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """The declared keys that begin so; none while the declarations cannot be read."""
        try:
            names = list(self._declared(declared_project()))
        except Exception:  # noqa: BLE001  # whatever it is, a shell must not show it while somebody types
            return []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


ACTIVATION = DeclaredName("activation", lambda project: project.activations)
SEGMENT = DeclaredName("segment", lambda project: project.segments)
activation_arguments = click.argument("activations", nargs=-1, metavar="[ACTIVATION]...", type=ACTIVATION)
