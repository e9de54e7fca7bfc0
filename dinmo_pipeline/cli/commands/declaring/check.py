"""`dinmo check`: validate the declarations, and with --online the source and destinations too."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from dinmo_pipeline.cli.destinations import open_client
from dinmo_pipeline.cli.exit_codes import DONE, WRONG_USAGE
from dinmo_pipeline.cli.messages import echo, report
from dinmo_pipeline.cli.project import (
    declared_project,
    json_option,
    left_out,
    open_declared_source,
    print_json,
    state_of,
)
from dinmo_pipeline.cli.tables import print_table
from dinmo_pipeline.config import ConfigError, render
from dinmo_pipeline.config.declarations import Project
from dinmo_pipeline.state.errors import StateVersionError
from dinmo_pipeline.text.wording import counted


@click.command()
@click.option("--online", is_flag=True, help="Also query the source and the destinations.")
@json_option
def check(*, online: bool, as_json: bool) -> int:
    """Check the declarations; with --online also columns, types, segment sizes, and access tokens."""
    try:
        project = declared_project(warn=False)
    except ConfigError as error:
        if not as_json:
            raise
        print_json({"ok": False, "problems": [str(problem) for problem in error.problems]})
        return WRONG_USAGE
    broken = [str(problem) for problem in project.problems]
    found: dict[str, Any] = {
        "ok": not broken,
        "segments": len(project.segments),
        "activations": len(project.activations),
        "destinations": len(project.destinations),
    }
    if broken:
        found |= {"problems": broken, "broken_activations": [*project.broken_of("activation")]}
    if not as_json:
        _report_upstream(project)
    if not online:
        if as_json:
            print_json(found)
        else:
            _print_offline(project)
        return WRONG_USAGE if broken else DONE
    sizes, problems, notes = _count_segments(project)
    workspaces = {key: _workspace(project, key) for key in project.destinations}
    carriers, users = _survey(project)
    problems += _changed_workspaces(project, workspaces) + _missing_webhook(project)
    if as_json:
        problems = broken + problems
        ok = not problems
        details = {
            "members": sizes,
            "carriers": carriers,
            "workspace_users": users,
            "workspaces": workspaces,
            "problems": problems,
            "notes": notes,
        }
        print_json({**found, "ok": ok, **details})
    else:
        print_table(
            ("ACTIVATION", "ROWS", "CARRY THE TAG", "OF THEM NOT TAGGED BY US"),
            [
                (key, rows, carriers[key]["found"], carriers[key]["others"])
                if key in carriers
                else (key, rows, None, None)
                for key, rows in sizes.items()
            ],
        )
        for key, workspace in workspaces.items():
            count = users[key]
            has = f", which has {counted(count, 'user')}" if count is not None else ""
            echo(f"{key}: connected to workspace {workspace['name']!r} ({workspace['id']}){has}.")
        problems += [render(project.problems)] if broken else []
        for message in (*notes, *problems):
            report(message)
    return WRONG_USAGE if problems else DONE


def _report_upstream(project: Project) -> None:
    """Report the tables whose assets the dbt manifest does not show; without one, only Dagster can tell."""
    if project.dbt is None or not project.finds_upstream:
        return
    from dinmo_pipeline.segments.upstream import find_upstream  # noqa: PLC0415  # 0.3 s to import

    for warning in find_upstream(project).warnings:
        report(warning)


def _print_offline(project: Project) -> None:
    if not project.problems:
        echo(
            f"The declarations are valid: {counted(len(project.segments), 'segment')},"
            f" {counted(len(project.activations), 'activation')},"
            f" {counted(len(project.destinations), 'destination')}."
        )
        return
    report(render(project.problems))
    if project.broken_of("activation"):
        report(f"{left_out(project)}The others can.")


def _count_segments(project: Project) -> tuple[dict[str, int], list[str], list[str]]:
    """The rows of each activation's segment, the problems of those that cannot be counted, and notes."""
    from dinmo_pipeline.segments import (  # noqa: PLC0415  # 0.3 s to import
        SegmentError,
        SourceError,
        select_activated,
    )
    from dinmo_pipeline.segments.errors import SourceUnavailableError  # noqa: PLC0415

    sizes: dict[str, int] = {}
    problems: list[str] = []
    notes: list[str] = []
    with open_declared_source(project) as source:
        for activation in project.activations.values():
            try:
                select = select_activated(project, activation, source, now=datetime.now(UTC))
                source.explain(select.sql)
                sizes[activation.key] = source.count(select.sql)
            except SegmentError as error:
                problems.append(render(error.problems))
            except SourceUnavailableError:
                raise
            except SourceError as error:  # a file that cannot be read concerns one table
                problems.append(f"{activation.key}: {error}")
            else:
                notes += [f"{activation.key}: {remark}" for remark in select.remarks]
                if select.identifier.is_foreign:
                    named = f"{activation.key}: the column {activation.column!r}"
                    notes.append(f"{named} is {select.identifier.type}, which is read as text.")
    return sizes, problems, notes


def _workspace(project: Project, destination: str) -> dict[str, str | None]:
    with open_client(project, destination) as client:
        workspace = client.workspace()
    return {"id": workspace.id, "name": workspace.name, "region": workspace.region}


def _survey(project: Project) -> tuple[dict[str, dict[str, int]], dict[str, int | None]]:
    """By activation, the contacts that carry its tag and those that we did not tag; users by destination."""
    from dinmo_pipeline.state.ledger import ledger_sizes  # noqa: PLC0415  # 0.1 s to import
    from dinmo_pipeline.sync.carriers import survey  # noqa: PLC0415

    carriers: dict[str, dict[str, int]] = {}
    users: dict[str, int | None] = {}
    for destination in project.destinations:
        there = [each for each in project.activations.values() if each.destination == destination]
        try:
            state = state_of(project, destination)
            with state.reading() as connection:
                ours = ledger_sizes(connection, destination)
        except StateVersionError:
            # The next sync migrates the state, or reports that it cannot.
            return {}, dict.fromkeys(project.destinations)
        with open_client(project, destination) as client:
            surveyed = survey(state, client, there)
        users[destination] = surveyed.users
        carriers |= {
            key: {"found": found, "others": max(found - ours.get(key, 0), 0)}
            for key, found in surveyed.carriers.items()
            if found is not None
        }
    return carriers, users


def _changed_workspaces(project: Project, workspaces: Mapping[str, Mapping[str, str | None]]) -> list[str]:
    """A message for each destination whose earlier syncs went to another workspace."""
    from dinmo_pipeline.state.workspaces import recorded_workspace  # noqa: PLC0415  # 0.1 s to import

    try:
        known = {}
        for key in workspaces:
            with state_of(project, key).reading() as connection:
                known[key] = recorded_workspace(connection, key)
    except StateVersionError:
        # No workspace is recorded yet. The next sync migrates the state, or reports that it cannot.
        return []
    return [
        f"{key}: its earlier syncs went to another workspace, {before.name!r} ({before.workspace_id}), so a"
        " sync would be refused. Use a token of that workspace, or declare the new one as another"
        " destination."
        for key, before in known.items()
        if before and workspaces[key]["id"] and before.workspace_id != workspaces[key]["id"]
    ]


def _missing_webhook(project: Project) -> list[str]:
    """A message if alerts have no webhook; nothing is posted to it."""
    if project.alerts is None or os.environ.get(project.alerts.webhook.name):
        return []
    variable = project.alerts.webhook.name
    return [f"alerts: the environment variable {variable} is not set, so alerts go nowhere."]
