"""`dinmo reconcile`: compare who carries the tag in Intercom with the ledger; repair on request."""

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from dinmo_pipeline.cli.dagster_home import ensure_dagster_home
from dinmo_pipeline.cli.exit_codes import DONE, FAILED, HELD
from dinmo_pipeline.cli.project import chosen, declared_project, json_option, print_json, tell
from dinmo_pipeline.cli.tables import print_table

if TYPE_CHECKING:
    from dinmo_pipeline.sync.operations.reconcile import Reconciled


@click.command()
@click.argument("activations", nargs=-1, required=True, metavar="ACTIVATION...")
@click.option(
    "--repair",
    is_flag=True,
    help="Repair differences. Tags put on contacts by others stay.",
)
@click.option(
    "--recent-minutes",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="Ignore changes of the last minutes: Intercom's search may not show them yet.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show Dagster's log.")
@json_option
def reconcile(
    activations: tuple[str, ...],
    *,
    repair: bool,
    recent_minutes: float,
    verbose: bool,
    as_json: bool,
) -> int:
    """Compare who carries the tag in Intercom with the ledger, and report differences."""
    project = declared_project()
    keys = [activation.key for activation in chosen(project, activations)]
    ensure_dagster_home()
    # Dagster takes seconds to import: only once the declarations are right.
    import dagster as dg  # noqa: PLC0415

    from dinmo_pipeline.cli.progress import progress_bar  # noqa: PLC0415
    from dinmo_pipeline.orchestration.build import build_definitions  # noqa: PLC0415
    from dinmo_pipeline.orchestration.runs.in_process import reconcile_activation  # noqa: PLC0415

    definitions = build_definitions(project, os.environ)
    found = {}
    with dg.DagsterInstance.get() as instance:
        for key in keys:
            with progress_bar(key):
                found[key] = reconcile_activation(
                    definitions,
                    instance,
                    key,
                    repair=repair,
                    recent_minutes=recent_minutes,
                    log_level="INFO" if verbose else "WARNING",
                    plain_log=not verbose,
                    on_wait=tell,
                )
    if as_json:
        print_json({key: as_object(result) for key, result in found.items()})
    else:
        _print(found)
    statuses = {result.status for result in found.values()}
    if "failed" in statuses:
        return FAILED
    return HELD if "drift" in statuses else DONE


def as_object(result: Any) -> dict[str, Any]:
    """A result as `--json` prints it: without its activation, and without a reason if there is none."""
    values = asdict(result)
    del values["activation"]
    return {key: value for key, value in values.items() if key != "reason" or value}


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
            tell(f"{key}: {result.status}. {result.reason}")
        elif result.status == "drift":
            tell(
                f"{key}: Intercom differs from the ledger. To repair it: dinmo reconcile {key} --repair"
            )
