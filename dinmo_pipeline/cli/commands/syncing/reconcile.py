"""`dinmo reconcile`: compare the tag's carriers in Intercom with the ledger, and repair differences."""

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from dinmo_pipeline.cli.completion import ACTIVATION
from dinmo_pipeline.cli.dagster_home import dagster_instance, ensure_dagster_home
from dinmo_pipeline.cli.exit_codes import DONE, FAILED, HELD
from dinmo_pipeline.cli.messages import report
from dinmo_pipeline.cli.project import (
    declared_project,
    json_option,
    print_json,
    selected_activations,
)
from dinmo_pipeline.cli.tables import print_table

if TYPE_CHECKING:
    from dinmo_pipeline.sync.operations.reconcile import Reconciled


@click.command()
@click.argument("activations", nargs=-1, required=True, metavar="ACTIVATION...", type=ACTIVATION)
@click.option("--repair", is_flag=True, help="Repair the differences, except tags that others added.")
@click.option("--take-over", is_flag=True, help="Also untag contacts that others tagged, unless members.")
@click.option("--allow-large-removal", is_flag=True, help="Repair, even if a guard would hold it.")
@click.option(
    "--recent-minutes",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="Ignore what was written in this time: Intercom's search may not show it yet.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show Dagster's log.")
@json_option
def reconcile(
    activations: tuple[str, ...],
    *,
    repair: bool,
    take_over: bool,
    allow_large_removal: bool,
    recent_minutes: float,
    verbose: bool,
    as_json: bool,
) -> int:
    r"""Compare the contacts that carry the tag in Intercom with those we tagged.

    What it finds is recorded, so `dinmo status` shows remaining differences as drift.

    \b
    Examples:
      dinmo reconcile vip_customers
      dinmo reconcile vip_customers --repair
    """
    project = declared_project()
    selected = selected_activations(project, activations)
    ensure_dagster_home()
    from dinmo_pipeline.cli.progress import progress_bar  # noqa: PLC0415  # with Dagster, seconds to import
    from dinmo_pipeline.orchestration.build import build_definitions  # noqa: PLC0415
    from dinmo_pipeline.orchestration.naming import names_of  # noqa: PLC0415
    from dinmo_pipeline.orchestration.runs.in_process import reconcile_activations  # noqa: PLC0415

    definitions = build_definitions(project, os.environ, for_a_run=True)
    with dagster_instance() as instance, progress_bar():
        results = reconcile_activations(
            definitions,
            instance,
            selected,
            names=names_of(project),
            repair=repair,
            take_over=take_over,
            allow_large_removal=allow_large_removal,
            recent_minutes=recent_minutes,
            log_level="INFO" if verbose else "WARNING",
            plain_log=not verbose,
            on_wait=report,
        )
    found = {activation.key: results[activation.key] for activation in selected}
    if as_json:
        print_json({key: as_object(result) for key, result in found.items()})
    else:
        _print(found)
    statuses = {result.status for result in found.values()}
    if "failed" in statuses:
        return FAILED
    return HELD if statuses & {"drift", "held"} else DONE


def as_object(result: Any) -> dict[str, Any]:
    """A result as `--json` prints it: without its activation, and without an empty reason."""
    left_out = {"activation", "is_transient", *(() if result.reason else ("reason",))}
    return {key: value for key, value in asdict(result).items() if key not in left_out}


def _print(found: "dict[str, Reconciled]") -> None:
    print_table(
        (
            *("ACTIVATION", "STATUS", "EXPECTED", "FOUND", "MISSING", "UNEXPECTED", "FOREIGN"),
            *("REPAIRED", "API CALLS", "SECONDS"),
        ),
        [
            (
                *(key, result.status, result.expected, result.found, result.missing),
                *(result.unexpected, result.foreign, result.repaired, result.api_calls),
                result.seconds,
            )
            for key, result in found.items()
        ],
    )
    for key, result in found.items():
        if result.reason:
            report(f"{key}: {result.status}. {result.reason}")
        elif result.status == "drift":
            report(f"{key}: the tags in Intercom have drifted. To repair: dinmo reconcile {key} --repair")
