"""`dinmo plan`: what a sync would change and cost, without writing anything."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from dinmo_pipeline.cli.destinations import open_client
from dinmo_pipeline.cli.exit_codes import DONE, HELD
from dinmo_pipeline.cli.messages import echo, report
from dinmo_pipeline.cli.plan_file import write_plan_file
from dinmo_pipeline.cli.project import (
    activation_arguments,
    declared_project,
    json_option,
    open_declared_source,
    print_json,
    selected_activations,
    state_of,
    with_broken,
)
from dinmo_pipeline.cli.tables import print_table
from dinmo_pipeline.text.wording import counted

if TYPE_CHECKING:
    from dinmo_pipeline.config.declarations import Project
    from dinmo_pipeline.sync.operations.plan import Plan


@click.command()
@activation_arguments
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the plan to this file, to review it and apply it with `dinmo sync --plan`.",
)
@json_option
def plan(activations: tuple[str, ...], *, out: Path | None, as_json: bool) -> int:
    """Show what a sync would change and how many API calls it would make, without writing anything."""
    from dinmo_pipeline.orchestration.segment_rows import staging  # noqa: PLC0415  # 0.3 s to import
    from dinmo_pipeline.sync.operations.plan import plan_sync  # noqa: PLC0415

    project = declared_project()
    selected = selected_activations(project, activations)
    plans: list[tuple[Plan, float]] = []
    for activation in selected:
        started = monotonic()
        planned = plan_sync(
            state_of(project, activation.destination),
            activation,
            staging(project, activation, partial(open_declared_source, project)),
        )
        plans.append((planned, round(monotonic() - started, 3)))
    surveyed = _survey_first(project, [planned for planned, _ in plans])
    objects = {
        planned.activation: {**_as_json(planned, seconds), **surveyed.get(planned.activation, {})}
        for planned, seconds in plans
    }
    if out:
        write_plan_file(out, project, objects, {p.activation: p.fingerprint for p, _ in plans})
    if as_json:
        print_json(objects)
    else:
        _print(project, plans, surveyed)
    code = HELD if any(planned.hold for planned, _ in plans) else DONE
    return code if activations else with_broken(code, project, "activation")


def _survey_first(project: "Project", plans: "list[Plan]") -> dict[str, dict[str, int | None]]:
    """What Intercom has before a first sync, by activation: the guards have nothing to compare it with."""
    from dinmo_pipeline.intercom.errors import IntercomError  # noqa: PLC0415  # 0.1 s to import
    from dinmo_pipeline.sync.carriers import survey  # noqa: PLC0415

    found: dict[str, dict[str, int | None]] = {}
    first = [project.activations[planned.activation] for planned in plans if planned.is_first]
    for destination in dict.fromkeys(activation.destination for activation in first):
        there = [activation for activation in first if activation.destination == destination]
        try:
            with open_client(project, destination) as client:
                surveyed = survey(state_of(project, destination), client, there)
        except IntercomError as error:
            keys = ", ".join(activation.key for activation in there)
            report(f"{keys}: Intercom could not be asked what it has before the first sync. {error}")
            continue
        found |= {
            each.key: {
                "workspace_users": surveyed.users,
                "other_carriers": surveyed.carriers.get(each.key, 0),
            }
            for each in there
        }
    return found


def _as_json(planned: "Plan", seconds: float) -> dict[str, Any]:
    changes = planned.changes
    return {
        "status": "held" if planned.hold else "ok",
        **({"reason": planned.hold.sentence} if planned.hold else {}),
        "members": changes.members,
        "entered": changes.entered,
        "left": changes.left,
        "tagged": 0,
        "untagged": 0,
        "skipped": 0,
        "not_found": 0,
        "not_in_intercom": changes.not_in_intercom,
        "ambiguous": planned.ambiguous,
        "failed": 0,
        "pending": changes.entered + changes.left,
        "other_carriers": planned.other_carriers,
        "api_calls": planned.calls.total,
        "api_calls_by_purpose": asdict(planned.calls),
        "seconds": seconds,
    }


def _print(
    project: "Project",
    plans: "list[tuple[Plan, float]]",
    surveyed: dict[str, dict[str, int | None]],
) -> None:
    from dinmo_pipeline.sync.carriers import other_carriers_note  # noqa: PLC0415  # 0.1 s to import

    print_table(
        ("ACTIVATION", "MEMBERS", "ENTER", "LEAVE", "NOT IN INTERCOM", "API CALLS"),
        [
            (
                planned.activation,
                planned.changes.members,
                planned.changes.entered,
                planned.changes.left,
                planned.changes.not_in_intercom,
                f"about {planned.calls.total:,}",
            )
            for planned, _ in plans
        ],
    )
    for planned, _ in plans:
        if planned.changes.unknown:
            echo(
                f"{planned.activation}: {planned.changes.unknown:,} of those entering have never been looked"
                " up in Intercom; those not there will not be tagged."
            )
        before = surveyed.get(planned.activation)
        if before:
            echo(
                f"{planned.activation}: this is its first sync. The workspace has"
                f" {counted(before['workspace_users'] or 0, 'user')}."
            )
        others = before["other_carriers"] if before else planned.other_carriers
        if others:
            activation = project.activations[planned.activation]
            report(f"{planned.activation}: {other_carriers_note(activation, others)}")
        if planned.hold:
            report(f"{planned.activation}: would be held. {planned.hold.sentence}")
