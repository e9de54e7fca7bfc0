"""`dinmo sync`: apply the changes, through the same jobs and Dagster instance as the UI."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dinmo_pipeline.cli.commands.syncing.pause import declared_pauses
from dinmo_pipeline.cli.completion import activation_arguments
from dinmo_pipeline.cli.dagster_home import dagster_instance, ensure_dagster_home
from dinmo_pipeline.cli.exit_codes import DONE, FAILED, HELD
from dinmo_pipeline.cli.messages import report
from dinmo_pipeline.cli.plan_file import ReviewedPlan, planned_activations, read_plan_file
from dinmo_pipeline.cli.project import (
    declared_project,
    declared_states,
    json_option,
    print_json,
    selected_activations,
    with_broken,
)
from dinmo_pipeline.cli.tables import as_share, print_table

if TYPE_CHECKING:
    from dinmo_pipeline.config.declarations import Activation, Project
    from dinmo_pipeline.state.syncs import SyncResult


@click.command()
@activation_arguments
@click.option("--all", "every", is_flag=True, help="Sync every activation that is enabled and not paused.")
@click.option("--allow-large-removal", is_flag=True, help="Untag, even if a guard would hold the changes.")
@click.option("--allow-large-growth", is_flag=True, help="Tag, even if a guard would hold the changes.")
@click.option("--recheck", is_flag=True, help="Read everything Intercom has of the members again first.")
@click.option(
    "--plan",
    "plan_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Apply only what is in this file from `dinmo plan --out`; hold anything else.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show Dagster's log.")
@json_option
def sync(
    activations: tuple[str, ...],
    *,
    every: bool,
    allow_large_removal: bool,
    allow_large_growth: bool,
    recheck: bool,
    plan_path: Path | None,
    verbose: bool,
    as_json: bool,
) -> int:
    r"""Tag the members who entered the segment, and untag those who left it.

    Each sync does what is still to be done, whoever left it undone, so running it again is harmless. A guard
    holds changes that look like a mistake upstream: nothing of them is applied, the status is `held`, and the
    exit code 3.

    \b
    Examples:
      dinmo sync vip_customers
      dinmo sync --all --json
      dinmo sync vip_customers --allow-large-removal
      dinmo sync --plan plan.json
    """
    if plan_path and every:
        raise click.UsageError(
            "--all cannot be used with --plan. Name activations in the plan, or none to apply all of it."
        )
    if not plan_path and every == bool(activations):
        raise click.UsageError("Name the activations to sync, or use --all.")
    reviewed = read_plan_file(plan_path) if plan_path else None
    if plan_path and reviewed:
        activations = tuple(planned_activations(reviewed, plan_path, activations))
    project = declared_project()
    selected = selected_activations(project, activations)
    if every:
        selected = _without_paused(project, selected)
    keys = [activation.key for activation in selected]
    ensure_dagster_home()
    # Dagster takes seconds to import: only once the declarations are right.
    from dinmo_pipeline.cli.progress import progress_bar  # noqa: PLC0415
    from dinmo_pipeline.orchestration.build import build_definitions  # noqa: PLC0415
    from dinmo_pipeline.orchestration.naming import names_of  # noqa: PLC0415
    from dinmo_pipeline.orchestration.runs.in_process import sync_activations  # noqa: PLC0415
    from dinmo_pipeline.sync.carriers import other_carriers_note  # noqa: PLC0415

    definitions = build_definitions(project, os.environ, for_a_run=True)
    results = _held_by_settings(project, keys, reviewed) if reviewed else {}
    with dagster_instance() as instance:
        rest = [activation for activation in selected if activation.key not in results]
        with progress_bar():
            results |= sync_activations(
                definitions,
                instance,
                rest,
                names=names_of(project),
                allow_large_removal=allow_large_removal,
                allow_large_growth=allow_large_growth,
                recheck=recheck,
                log_level="INFO" if verbose else "WARNING",
                plain_log=not verbose,
                expected_changes=reviewed.fingerprints if reviewed else {},
                on_wait=report,
            )
    results = {key: results[key] for key in keys}
    if as_json:
        print_json({key: result_as_json(result) for key, result in results.items()})
    else:
        print_results(results)
        for key, result in results.items():
            if others := result.numbers.other_carriers:
                report(f"{key}: {other_carriers_note(project.activations[key], others)}")
    code = exit_code(list(results.values()))
    return with_broken(code, project, "activation") if every else code


def _without_paused(project: "Project", activations: "list[Activation]") -> "list[Activation]":
    """Those that are not paused; the others are reported."""
    for state in declared_states(project):
        state.migrate()
    paused = declared_pauses(project)
    for activation in activations:
        if activation.key in paused:
            report(f"{activation.key}: left out. {paused[activation.key].sentence}")
    return [activation for activation in activations if activation.key not in paused]


def _held_by_settings(project: "Project", keys: list[str], reviewed: ReviewedPlan) -> "dict[str, SyncResult]":
    """The activations that are held before anything runs: their settings changed since the review."""
    from dinmo_pipeline.state.syncs import SyncResult  # noqa: PLC0415  # slow: imports DuckDB
    from dinmo_pipeline.sync.guards.holds import Hold, OtherSettings  # noqa: PLC0415

    changed = {key: reviewed.changed_settings(project.activations[key]) for key in keys}
    holds = {key: Hold(OtherSettings(settings)) for key, settings in changed.items() if settings}
    return {key: SyncResult("held", hold.sentence, hold.reason) for key, hold in holds.items()}


def result_as_json(result: "SyncResult") -> dict[str, Any]:
    """The object that `sync --json` prints for one activation."""
    reason = {"reason": result.reason} if result.reason else {}
    return {
        "status": result.status,
        **reason,
        **asdict(result.numbers),
        "match_rate": result.numbers.match_rate,
    }


def print_results(results: "dict[str, SyncResult]") -> None:
    """Print a table of the syncs, and a line for each that is not ok."""
    from dinmo_pipeline.sync.operations.sync_result import summary  # noqa: PLC0415  # slow: DuckDB
    from dinmo_pipeline.sync.standing import nobody_matched  # noqa: PLC0415

    print_table(
        _COLUMNS,
        [(key, result.status, *_cells(result)) for key, result in results.items()],
        optional=_OPTIONAL,
    )
    for key, result in results.items():
        if result.status != "ok":
            report(f"{key}: {summary(key, result)}")
        if nobody := nobody_matched(result.numbers.members, result.numbers.not_in_intercom):
            report(f"{key}: {nobody}")


_COLUMNS = (
    *("ACTIVATION", "STATUS", "MEMBERS", "ENTERED", "LEFT", "TO TAG", "TO UNTAG", "TAGGED", "UNTAGGED"),
    *("SKIPPED", "NOT FOUND", "FAILED", "PENDING", "NOT IN INTERCOM", "MATCH", "API CALLS", "SECONDS"),
)
# In a narrow terminal these go first, in this order; what is to be done is what was done plus what follows
# it.
_OPTIONAL = (
    *("SECONDS", "SKIPPED", "NOT FOUND", "TO TAG", "TO UNTAG", "API CALLS", "PENDING", "FAILED"),
    *("ENTERED", "LEFT", "MATCH", "NOT IN INTERCOM"),
)


def _cells(result: "SyncResult") -> tuple[object, ...]:
    numbers = result.numbers
    if result.status == "failed" and not (numbers.members or numbers.seconds):
        # It failed before anything was counted, and a zero would be a claim.
        return (None,) * (len(_COLUMNS) - 2)
    return (
        *(numbers.members, numbers.entered, numbers.left, numbers.to_tag, numbers.to_untag, numbers.tagged),
        *(numbers.untagged, numbers.skipped, numbers.not_found, numbers.failed, numbers.pending),
        *(numbers.not_in_intercom, as_share(numbers.match_rate), numbers.api_calls, numbers.seconds),
    )


def exit_code(results: "list[SyncResult]") -> int:
    """The worst of all: failed over held over done."""
    statuses = {result.status for result in results}
    if "failed" in statuses:
        return FAILED
    return HELD if "held" in statuses else DONE
