"""`dinmo pause` and `dinmo resume`: stop the schedules and sensors of an activation, and start them again."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from dinmo_pipeline.cli.completion import ACTIVATION
from dinmo_pipeline.cli.dagster_home import dagster_instance
from dinmo_pipeline.cli.messages import echo
from dinmo_pipeline.cli.project import (
    declared_by_name,
    declared_project,
    declared_states,
    json_option,
    print_json,
    refuse_broken,
    state_of,
)

if TYPE_CHECKING:
    from dinmo_pipeline.config.declarations import Project
    from dinmo_pipeline.state.coordination.pauses import Pause

_activations = click.argument(
    "activations", nargs=-1, required=True, metavar="ACTIVATION...", type=ACTIVATION
)


@click.command()
@_activations
@click.option("--reason", metavar="TEXT", help="Why, for the people who look at `dinmo status`.")
@json_option
def pause(activations: tuple[str, ...], *, reason: str | None, as_json: bool) -> None:
    r"""Stop syncing activations on schedule until they are resumed.

    Their tags stay as they are. A run under way ends as usual, and `dinmo sync ACTIVATION` still syncs them.

    \b
    Examples:
      dinmo pause vip_customers --reason "Sales cleans up"
    """
    project = declared_project()
    refuse_broken(project, "activation", activations)
    chosen = declared_by_name("activation", activations, project.activations)
    with dagster_instance() as instance:
        from dinmo_pipeline.orchestration.naming import names_of  # noqa: PLC0415
        from dinmo_pipeline.orchestration.runs.pauses import pause_activations  # noqa: PLC0415  # slow

        now = datetime.now(UTC)
        paused: dict[str, Pause] = {}
        for destination in dict.fromkeys(each.destination for each in chosen):
            keys = [each.key for each in chosen if each.destination == destination]
            paused |= pause_activations(
                names_of(project), instance, state_of(project, destination), keys, reason, now=now
            )
    if as_json:
        print_json({key: as_object(each) for key, each in paused.items()})
        return
    for key, each in paused.items():
        echo(f"{key}: {each.sentence} To go on: dinmo resume {key}")


@click.command()
@_activations
@json_option
def resume(activations: tuple[str, ...], *, as_json: bool) -> None:
    r"""Sync paused activations on schedule again.

    The next run of their schedule brings their tags up to date.

    \b
    Examples:
      dinmo resume vip_customers
    """
    project = declared_project()
    declared_by_name("activation", activations, {**project.activations, **declared_pauses(project)})
    keys = list(dict.fromkeys(activations))
    with dagster_instance() as instance:
        from dinmo_pipeline.orchestration.naming import names_of  # noqa: PLC0415
        from dinmo_pipeline.orchestration.runs.pauses import resume_activations  # noqa: PLC0415  # slow

        resumed: dict[str, Pause] = {}
        for state in declared_states(project):
            resumed |= resume_activations(names_of(project), instance, state, keys)
    if as_json:
        print_json({key: {"resumed": key in resumed} for key in keys})
        return
    for key in keys:
        echo(f"{key}: {'resumed.' if key in resumed else 'was not paused.'}")


def declared_pauses(project: "Project") -> "dict[str, Pause]":
    """The paused activations of a project by key."""
    from dinmo_pipeline.state.coordination.pauses import pauses  # noqa: PLC0415  # slow: imports DuckDB

    found: dict[str, Pause] = {}
    for state in declared_states(project):
        with state.reading() as connection:
            found |= pauses(connection)
    return found


def as_object(pause: "Pause") -> dict[str, object]:
    """A pause as `--json` prints it."""
    return {"paused_at": pause.paused_at, "reason": pause.reason}
