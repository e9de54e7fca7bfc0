"""`dinmo check`: validate the declarations, and with --online the source and destinations too."""

import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from dinmo_pipeline.cli.destinations import open_client
from dinmo_pipeline.cli.exit_codes import DONE, WRONG_USAGE
from dinmo_pipeline.cli.messages import echo, report
from dinmo_pipeline.cli.project import (
    declared_project,
    declared_states,
    json_option,
    left_out,
    open_declared_source,
    print_json,
    state_of,
)
from dinmo_pipeline.cli.tables import as_share, print_table
from dinmo_pipeline.config import ConfigError, render
from dinmo_pipeline.config.declarations import Project
from dinmo_pipeline.state.errors import StateVersionError
from dinmo_pipeline.text.wording import counted

if TYPE_CHECKING:
    from dinmo_pipeline.state.overview import ActivationOverview


@click.command()
@click.option("--online", is_flag=True, help="Also query the source and the destinations.")
@json_option
def check(*, online: bool, as_json: bool) -> int:
    r"""Check the declarations; with --online also columns, types, segment sizes, and access tokens.

    Without --online it asks nobody: of `sql` segments it sees only whether each is one SELECT. With it, what
    one destination or segment has wrong does not keep the others from being checked.

    \b
    Examples:
      dinmo check
      dinmo check --online
    """
    try:
        project = declared_project(warn=False)
        _check_sql(project)
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
            print_json({**found, "not_asked": ["source", "destinations"]})
        else:
            _print_offline(project)
        return WRONG_USAGE if broken else DONE
    sizes, problems, notes = _count_segments(project)
    workspaces, unreachable = _workspaces(project)
    carriers, users = _survey(project, workspaces)
    problems += unreachable + _changed_workspaces(project, workspaces) + _missing_secrets_of_alerts(project)
    known = _known(project)
    notes += [
        f"{key}: {nobody}"
        for key, each in known.items()
        if key in project.activations and (nobody := _nobody_matched(each))
    ]
    if as_json:
        problems = broken + problems
        details = {
            "members": sizes,
            "carriers": carriers,
            "workspace_users": users,
            "workspaces": workspaces,
            "problems": problems,
            "notes": notes,
        }
        print_json({**found, "ok": not problems, **details})
    else:
        _print_sizes(sizes, carriers, known)
        for key, workspace in workspaces.items():
            count = users.get(key)
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
        echo(_valid(project))
        return
    report(render(project.problems))
    if project.broken_of("activation"):
        report(f"{left_out(project)}The others can.")


def _check_sql(project: Project) -> None:
    """Refuse `sql` segments that are not one SELECT; raises ConfigError."""
    if not any(segment.sql for segment in project.segments.values()):
        return
    from dinmo_pipeline.segments.sql_texts import problems_in_sql  # noqa: PLC0415  # 0.3 s to import

    problems = tuple(problems_in_sql(project))
    if problems:
        raise ConfigError(problems)


def _valid(project: Project) -> str:
    declared = (
        f"The declarations are valid: {counted(len(project.segments), 'segment')},"
        f" {counted(len(project.activations), 'activation')},"
        f" {counted(len(project.destinations), 'destination')}."
    )
    texts = sum(segment.sql is not None for segment in project.segments.values())
    sql = (
        f" Of {counted(texts, 'sql segment')}, each is one SELECT; whether it runs was not asked."
        if texts
        else ""
    )
    return (
        f"{declared}{sql}\nNot asked: the source (tables, columns, types, sizes) and Intercom (tokens,"
        " workspaces). `dinmo check --online` asks them."
    )


def _print_sizes(
    sizes: Mapping[str, int],
    carriers: Mapping[str, Mapping[str, int]],
    known: "Mapping[str, ActivationOverview]",
) -> None:
    print_table(
        ("ACTIVATION", "ROWS", "NOT IN INTERCOM", "MATCH", "CARRY THE TAG", "OF THEM NOT TAGGED BY US"),
        [
            (
                *(key, rows),
                *(
                    (each.not_in_intercom, as_share(each.match_rate))
                    if (each := known.get(key))
                    else (None, None)
                ),
                *((found["found"], found["others"]) if (found := carriers.get(key)) else (None, None)),
            )
            for key, rows in sizes.items()
        ],
        optional=("OF THEM NOT TAGGED BY US", "NOT IN INTERCOM", "CARRY THE TAG"),
    )


def _known(project: Project) -> "Mapping[str, ActivationOverview]":
    """What the state knows of each activation; nothing while it is yet to be migrated."""
    from dinmo_pipeline.state.overview import overview  # noqa: PLC0415  # 0.1 s to import

    known: dict[str, ActivationOverview] = {}
    for state in declared_states(project):
        try:
            with state.reading() as connection:
                known |= {
                    key: each
                    for key, each in overview(connection).items()
                    if key not in project.activations
                    or project.state.database_of(project.activations[key].destination) == state.database
                }
        except StateVersionError:
            continue
    return known


def _nobody_matched(known: "ActivationOverview") -> str | None:
    from dinmo_pipeline.sync.standing import nobody_matched  # noqa: PLC0415  # 0.1 s to import

    return nobody_matched(known.members, known.not_in_intercom)


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
    try:
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
    except SourceError as error:
        problems.append(f"source: {error}")
    return sizes, problems, notes


def _workspaces(project: Project) -> tuple[dict[str, dict[str, str | None]], list[str]]:
    """The workspace of each destination, and the problems of those that cannot be asked."""
    from dinmo_pipeline.intercom.errors import IntercomError  # noqa: PLC0415  # 0.1 s to import

    workspaces: dict[str, dict[str, str | None]] = {}
    problems: list[str] = []
    for key in project.destinations:
        try:
            with open_client(project, key) as client:
                workspace = client.workspace()
        except IntercomError as error:
            problems.append(f"{key}: {error}")
            continue
        workspaces[key] = {"id": workspace.id, "name": workspace.name, "region": workspace.region}
    return workspaces, problems


def _survey(
    project: Project, destinations: Iterable[str]
) -> tuple[dict[str, dict[str, int]], dict[str, int | None]]:
    """By activation, the contacts that carry its tag and those that we did not tag; users by destination."""
    from dinmo_pipeline.state.ledger import ledger_sizes  # noqa: PLC0415  # 0.1 s to import
    from dinmo_pipeline.sync.carriers import survey  # noqa: PLC0415

    carriers: dict[str, dict[str, int]] = {}
    users: dict[str, int | None] = {}
    for destination in destinations:
        there = [each for each in project.activations.values() if each.destination == destination]
        try:
            state = state_of(project, destination)
            with state.reading() as connection:
                ours = ledger_sizes(connection, destination)
        except StateVersionError:
            # The next sync migrates the state, or reports that it cannot.
            return {}, {}
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


def _missing_secrets_of_alerts(project: Project) -> list[str]:
    """A message for each secret of the alerts that is not set; nothing is sent."""
    variables = dict.fromkeys(name for each in project.all_alerts for name in each.variables)
    return [
        f"alerts: the environment variable {variable} is not set, so its alerts go nowhere."
        for variable in variables
        if not os.environ.get(variable)
    ]
