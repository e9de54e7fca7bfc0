"""Clients of the declared workspaces, their tokens from the environment."""

import logging
import os
import sys
from typing import TYPE_CHECKING

import click

from dinmo_pipeline.cli.project import tell
from dinmo_pipeline.config.declarations import Project

if TYPE_CHECKING:
    from dinmo_pipeline.intercom.client import IntercomClient


def open_client(project: Project, key: str) -> "IntercomClient":
    """A client of a destination; close it, or use it in a `with`. A missing token fails at the first call."""
    from dinmo_pipeline.intercom.client import REGION_HOSTS, IntercomClient  # noqa: PLC0415  # slow
    from dinmo_pipeline.state.file.paths import budget_folder  # noqa: PLC0415

    destination = project.destinations[key]
    variable = destination.access_token.name
    return IntercomClient(
        os.environ.get(variable, ""),
        destination.base_url or REGION_HOSTS[destination.region],
        token_name=(
            f"The environment variable {variable} (access token of destination {destination.key!r})"
        ),
        version=destination.api_version,
        rate_limit_share=destination.rate_limit_share,
        budget_folder=budget_folder(project.state.database),
    )


def log_to_person() -> logging.Logger:
    """A logger whose sentences go to standard error, as they are."""
    log = logging.getLogger("dinmo")
    if not log.handlers:
        log.addHandler(_Teller())
        log.setLevel(logging.INFO)
        log.propagate = False
    return log


class _Teller(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        tell(record.getMessage())


def confirm(question: str, *, yes: bool) -> None:
    """Ask a person; without a terminal only `--yes` is an answer.

    Raises:
        click.UsageError: there is nobody to ask. click.Abort: the answer was no.
    """
    if yes:
        return
    if not (sys.stdin and sys.stdin.isatty()):
        raise click.UsageError(f"{question} Without a terminal to ask, say --yes.")
    click.confirm(question, abort=True, err=True)
