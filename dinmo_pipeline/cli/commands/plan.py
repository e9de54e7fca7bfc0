"""`dinmo plan`: what a sync would change and cost, without writing anything."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from dinmo_pipeline.cli.exit_codes import DONE, HELD
from dinmo_pipeline.cli.messages import report
from dinmo_pipeline.cli.plan_file import write_plan_file
from dinmo_pipeline.cli.project import (
    activation_arguments,
    declared_project,
    declared_state,
    json_option,
    open_declared_source,
    print_json,
    selected_activations,
)
from dinmo_pipeline.cli.tables import print_table

if TYPE_CHECKING:
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
    state = declared_state(project)
    plans: list[tuple[Plan, float]] = []
    for activation in selected:
        started = monotonic()
        planned = plan_sync(
            state, activation, staging(project, activation, partial(open_declared_source, project))
        )
        plans.append((planned, round(monotonic() - started, 3)))
    objects = {planned.activation: _as_json(planned, seconds) for planned, seconds in plans}
    if out:
        write_plan_file(out, project, objects, {p.activation: p.fingerprint for p, _ in plans})
    if as_json:
        print_json(objects)
    else:
        _print(plans)
    return HELD if any(planned.hold for planned, _ in plans) else DONE


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
        "not_in_intercom": changes.not_in_intercom,
        "ambiguous": planned.ambiguous,
        "failed": 0,
        "pending": changes.entered + changes.left,
        "api_calls": planned.calls.total,
        "api_calls_by_purpose": asdict(planned.calls),
        "seconds": seconds,
    }


def _print(plans: "list[tuple[Plan, float]]") -> None:
    print_table(
        ("ACTIVATION", "MEMBERS", "ENTER", "LEAVE", "NOT IN INTERCOM", "API CALLS"),
        [
            (
                planned.activation,
                planned.changes.members,
                planned.changes.entered,
                planned.changes.left,
                planned.changes.not_in_intercom,
                f"≤ {planned.calls.total:,}",
            )
            for planned, _ in plans
        ],
    )
    for planned, _ in plans:
        if planned.changes.unknown:
            click.echo(
                f"{planned.activation}: {planned.changes.unknown:,} of those entering have never been looked"
                " up in Intercom; those not there will not be tagged."
            )
        if planned.hold:
            report(f"{planned.activation}: would be held. {planned.hold.sentence}")
