"""`dinmo plan`: what a sync would change and cost, without writing anything."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from dinmo_pipeline.cli.completion import activation_arguments
from dinmo_pipeline.cli.destinations import open_client
from dinmo_pipeline.cli.exit_codes import DONE, FAILED, HELD
from dinmo_pipeline.cli.messages import echo, report
from dinmo_pipeline.cli.plan_file import write_plan_file
from dinmo_pipeline.cli.project import (
    declared_project,
    json_option,
    open_declared_source,
    print_json,
    selected_activations,
    state_of,
    with_broken,
)
from dinmo_pipeline.cli.tables import as_share, print_table
from dinmo_pipeline.config import render
from dinmo_pipeline.text.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dinmo_pipeline.config.declarations import Activation, Project
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
    r"""Show what a sync would change and how many API calls it would make, without writing anything.

    A segment that cannot be read is shown as failed, and the others are planned all the same. Without
    ACTIVATION, every enabled activation is planned.

    \b
    Examples:
      dinmo plan
      dinmo plan vip_customers --json
      dinmo plan --out plan.json, then: dinmo sync --plan plan.json
    """
    project = declared_project()
    selected = selected_activations(project, activations)
    plans, broken = _plan_each(project, selected)
    surveyed = _survey_first(project, [planned for planned, _ in plans])
    objects = {
        planned.activation: {**_as_json(planned, seconds), **surveyed.get(planned.activation, {})}
        for planned, seconds in plans
    }
    if out and broken:
        report(f"No plan was written to {out}: it would leave out {', '.join(broken)}.")
    elif out:
        write_plan_file(out, project, objects, {p.activation: p.fingerprint for p, _ in plans})
    if as_json:
        failed = {key: {"status": "failed", "reason": reason} for key, reason in broken.items()}
        print_json({each.key: (objects | failed)[each.key] for each in selected})
    else:
        if plans:
            _print(project, plans, surveyed)
        for key, reason in broken.items():
            report(f"{key}: failed. {reason}")
    if broken:
        return FAILED
    code = HELD if any(planned.hold for planned, _ in plans) else DONE
    return code if activations else with_broken(code, project, "activation")


def _plan_each(
    project: "Project", selected: "Sequence[Activation]"
) -> "tuple[list[tuple[Plan, float]], dict[str, str]]":
    """The plans, each with the seconds it took, and by activation why its segment cannot be read."""
    from dinmo_pipeline.orchestration.segment_rows import staging  # noqa: PLC0415  # 0.3 s to import
    from dinmo_pipeline.segments import SegmentError, SourceError  # noqa: PLC0415
    from dinmo_pipeline.segments.errors import SourceUnavailableError  # noqa: PLC0415
    from dinmo_pipeline.sync.operations.plan import plan_sync  # noqa: PLC0415

    plans: list[tuple[Plan, float]] = []
    broken: dict[str, str] = {}
    for activation in selected:
        started = monotonic()
        stage = staging(project, activation, partial(open_declared_source, project))
        try:
            planned = plan_sync(state_of(project, activation.destination), activation, stage)
        except SegmentError as error:
            broken[activation.key] = render(error.problems)
        except SourceUnavailableError:
            raise  # the others would wait for it as well
        except SourceError as error:
            broken[activation.key] = str(error)
        else:
            plans.append((planned, round(monotonic() - started, 3)))
    return plans, broken


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
        "entered": planned.moves.entered,
        "left": planned.moves.left,
        "to_tag": changes.entered,
        "to_untag": changes.left,
        "tagged": 0,
        "untagged": 0,
        "skipped": 0,
        "not_found": 0,
        "not_in_intercom": planned.not_in_intercom,
        "never_looked_up": changes.unknown,
        "match_rate": planned.match_rate,
        "ambiguous": planned.ambiguous,
        "failed": 0,
        "pending": changes.entered + changes.left,
        "other_carriers": planned.other_carriers,
        "tagged_contacts": changes.tagged_contacts,
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
    from dinmo_pipeline.sync.standing import nobody_matched  # noqa: PLC0415

    print_table(
        (
            *("ACTIVATION", "MEMBERS", "ENTERED", "LEFT", "TO TAG", "TO UNTAG"),
            *("NOT IN INTERCOM", "MATCH", "API CALLS"),
        ),
        [
            (
                *(planned.activation, planned.changes.members, planned.moves.entered, planned.moves.left),
                *(planned.changes.entered, planned.changes.left, planned.not_in_intercom),
                *(as_share(planned.match_rate), f"about {planned.calls.total:,}"),
            )
            for planned, _ in plans
        ],
        optional=("MATCH", "ENTERED", "LEFT", "NOT IN INTERCOM"),
    )
    for planned, _ in plans:
        if planned.changes.unknown:
            have = "has" if planned.changes.unknown == 1 else "have"
            echo(
                f"{planned.activation}: {planned.changes.unknown:,} of those to tag {have} never been looked"
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
        if nobody := nobody_matched(planned.changes.members, planned.not_in_intercom):
            report(f"{planned.activation}: {nobody}")
        if planned.hold:
            report(f"{planned.activation}: would be held. {planned.hold.sentence}")
