"""`dinmo check`: are the declarations right, and with --online the source and the destinations too."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from dinmo_pipeline.cli.destinations import open_client
from dinmo_pipeline.cli.exit_codes import DONE, WRONG_USAGE
from dinmo_pipeline.cli.project import (
    declared_project,
    declared_state,
    json_option,
    open_declared_source,
    print_json,
)
from dinmo_pipeline.cli.tables import print_table
from dinmo_pipeline.config import ConfigError, render
from dinmo_pipeline.config.declarations import Project


@click.command()
@click.option("--online", is_flag=True, help="Also ask the source and the destinations.")
@json_option
def check(*, online: bool, as_json: bool) -> int:
    """Check the declarations; with --online also the segments' columns, types and sizes, and tokens."""
    try:
        project = declared_project()
    except ConfigError as error:
        if not as_json:
            raise
        print_json({"ok": False, "problems": [str(problem) for problem in error.problems]})
        return WRONG_USAGE
    found: dict[str, Any] = {
        "ok": True,
        "segments": len(project.segments),
        "activations": len(project.activations),
        "destinations": len(project.destinations),
    }
    if not online:
        if as_json:
            print_json(found)
        else:
            click.echo(
                f"The declarations are right: {found['segments']} segments,"
                f" {found['activations']} activations, {found['destinations']} destinations."
            )
        return DONE
    sizes, problems = _count_segments(project)
    workspaces = {key: _ask(project, key) for key in project.destinations}
    problems += _moved(project, workspaces) + _unheard(project)
    if as_json:
        ok = not problems
        print_json(
            {**found, "ok": ok, "members": sizes, "workspaces": workspaces, "problems": problems}
        )
    else:
        print_table(("ACTIVATION", "ROWS"), sizes.items())
        for key, workspace in workspaces.items():
            click.echo(f"{key}: workspace {workspace['name']!r} ({workspace['id']}) answers.")
        for problem in problems:
            click.echo(problem, err=True)
    return WRONG_USAGE if problems else DONE


def _count_segments(project: Project) -> tuple[dict[str, int], list[str]]:
    """The rows of each activation's segment, and what is wrong with those that cannot be counted."""
    from dinmo_pipeline.segments import SegmentError, select_activated  # noqa: PLC0415  # slow

    sizes: dict[str, int] = {}
    problems: list[str] = []
    with open_declared_source(project) as source:
        for activation in project.activations.values():
            try:
                sql = select_activated(project, activation, source, now=datetime.now(UTC)).sql
            except SegmentError as error:
                problems.append(render(error.problems))
            else:
                source.explain(sql)
                sizes[activation.key] = source.count(sql)
    return sizes, problems


def _ask(project: Project, destination: str) -> dict[str, str | None]:
    with open_client(project, destination) as client:
        workspace = client.workspace()
    return {"id": workspace.id, "name": workspace.name, "region": workspace.region}


def _moved(project: Project, workspaces: Mapping[str, Mapping[str, str | None]]) -> list[str]:
    """A sentence for each destination that leads to another workspace than its syncs so far."""
    from dinmo_pipeline.state.errors import StateVersionError  # noqa: PLC0415  # slow to import
    from dinmo_pipeline.state.workspaces import recorded_workspace  # noqa: PLC0415

    try:
        with declared_state(project).reading() as connection:
            known = {key: recorded_workspace(connection, key) for key in workspaces}
    except StateVersionError:
        # The next sync brings the state forward, or tells that it cannot; no workspace is in it yet.
        return []
    return [
        f"{key}: its syncs so far went to another workspace, {before.name!r} ({before.workspace_id})."
        " A sync would be refused: let it lead there again, or declare the new workspace as another"
        " destination."
        for key, before in known.items()
        if before and workspaces[key]["id"] and before.workspace_id != workspaces[key]["id"]
    ]


def _unheard(project: Project) -> list[str]:
    """A sentence when alerts have nowhere to go; nothing is posted to find out more."""
    if project.alerts is None or os.environ.get(project.alerts.webhook.name):
        return []
    return [
        (
            f"alerts: the environment variable {project.alerts.webhook.name} (webhook) is not set, so nobody"
            " would be told."
        )
    ]
