"""`dinmo sync`: make Intercom right, through the same jobs and Dagster instance as the UI."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dinmo_pipeline.cli.dagster_home import ensure_dagster_home
from dinmo_pipeline.cli.exit_codes import DONE, FAILED, HELD
from dinmo_pipeline.cli.messages import report
from dinmo_pipeline.cli.plan_file import ReviewedPlan, planned_activations, read_plan_file
from dinmo_pipeline.cli.project import (
    activation_arguments,
    declared_project,
    json_option,
    print_json,
    selected_activations,
)
from dinmo_pipeline.cli.tables import print_table

if TYPE_CHECKING:
    from dinmo_pipeline.config.declarations import Project
    from dinmo_pipeline.orchestration.runs.in_process import SyncOutcome


@click.command()
@activation_arguments
@click.option("--all", "every", is_flag=True, help="Sync every enabled activation.")
@click.option("--allow-large-removal", is_flag=True, help="Apply also what a guard would hold.")
@click.option(
    "--plan",
    "plan_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Apply only what this file of `dinmo plan --out` says; hold anything else.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show what Dagster logs.")
@json_option
def sync(
    activations: tuple[str, ...],
    *,
    every: bool,
    allow_large_removal: bool,
    plan_path: Path | None,
    verbose: bool,
    as_json: bool,
) -> int:
    """Tag who entered the segment and untag who left it."""
    reviewed = read_plan_file(plan_path) if plan_path else None
    if plan_path and reviewed:
        if every:
            raise click.UsageError(
                "With --plan, name activations of the plan or none, for all of it."
            )
        activations = tuple(planned_activations(reviewed, plan_path, activations))
    elif every == bool(activations):
        raise click.UsageError("Name the activations to sync, or say --all.")
    project = declared_project()
    keys = [activation.key for activation in selected_activations(project, activations)]
    ensure_dagster_home()
    import dagster as dg  # noqa: PLC0415  # seconds to import: only after the declarations are right

    from dinmo_pipeline.cli.progress import progress_bar  # noqa: PLC0415
    from dinmo_pipeline.orchestration.build import build_definitions  # noqa: PLC0415
    from dinmo_pipeline.orchestration.runs.in_process import sync_activation  # noqa: PLC0415

    definitions = build_definitions(project, os.environ)
    outcomes = _unlike_the_plan(project, keys, reviewed)
    with dg.DagsterInstance.get() as instance:
        for key in (key for key in keys if key not in outcomes):
            with progress_bar(key):
                outcomes[key] = sync_activation(
                    definitions,
                    instance,
                    key,
                    allow_large_removal=allow_large_removal,
                    log_level="INFO" if verbose else "WARNING",
                    plain_log=not verbose,
                    expected_changes=reviewed.fingerprints[key] if reviewed else "",
                    on_wait=report,
                )
    if as_json:
        print_json({key: outcome_as_json(outcome) for key, outcome in outcomes.items()})
    else:
        print_outcomes(outcomes)
    return exit_code(list(outcomes.values()))


def _unlike_the_plan(
    project: "Project", keys: list[str], reviewed: ReviewedPlan | None
) -> "dict[str, SyncOutcome]":
    """The activations that are held before anything runs: their settings are not the reviewed ones."""
    from dinmo_pipeline.orchestration.runs.in_process import SyncOutcome  # noqa: PLC0415  # slow to import
    from dinmo_pipeline.state.syncs import SyncNumbers  # noqa: PLC0415
    from dinmo_pipeline.sync.reviewed_plan import NOT_AS_REVIEWED  # noqa: PLC0415

    differing = {
        key: reviewed.changed_settings(project.activations[key]) for key in keys if reviewed
    }
    return {
        key: SyncOutcome("held", f"{NOT_AS_REVIEWED}: {difference}.", SyncNumbers())
        for key, difference in differing.items()
        if difference
    }


def outcome_as_json(outcome: "SyncOutcome") -> dict[str, Any]:
    """The object that `sync --json` prints for one activation."""
    reason = {"reason": outcome.reason} if outcome.reason else {}
    return {"status": outcome.status, **reason, **asdict(outcome.numbers)}


def print_outcomes(outcomes: "dict[str, SyncOutcome]") -> None:
    """What became of each sync, as a table and a line for each that is not ok."""
    from dinmo_pipeline.sync.reviewed_plan import NOT_AS_REVIEWED  # noqa: PLC0415  # slow to import

    print_table(
        (
            *("ACTIVATION", "STATUS", "MEMBERS", "ENTERED", "LEFT", "TAGGED", "UNTAGGED"),
            *("NOT IN INTERCOM", "FAILED", "PENDING", "API CALLS", "SECONDS"),
        ),
        [
            (
                *(key, outcome.status, outcome.numbers.members, outcome.numbers.entered),
                *(outcome.numbers.left, outcome.numbers.tagged, outcome.numbers.untagged),
                *(outcome.numbers.not_in_intercom, outcome.numbers.failed),
                *(outcome.numbers.pending, outcome.numbers.api_calls, outcome.numbers.seconds),
            )
            for key, outcome in outcomes.items()
        ],
    )
    for key, outcome in outcomes.items():
        if outcome.status == "held" and (outcome.reason or "").startswith(NOT_AS_REVIEWED):
            report(
                f"{key}: held, nothing was applied. {outcome.reason} Make a new plan and review it."
            )
        elif outcome.status == "held":
            report(
                f"{key}: held, nothing was applied. {outcome.reason} If that is meant:"
                f" dinmo sync {key} --allow-large-removal"
            )
        elif outcome.reason:
            report(f"{key}: {outcome.status}. {outcome.reason}")


def exit_code(outcomes: "list[SyncOutcome]") -> int:
    """The worst of all: failed over held over done."""
    statuses = {outcome.status for outcome in outcomes}
    if "failed" in statuses:
        return FAILED
    return HELD if "held" in statuses else DONE
