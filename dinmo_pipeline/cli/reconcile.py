"""`dinmo reconcile`: who carries the tag in Intercom, against the ledger; repaired on request."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from dinmo_pipeline.cli.destinations import log_to_person, open_client
from dinmo_pipeline.cli.failures import DONE, FAILED, HELD
from dinmo_pipeline.cli.project import (
    chosen,
    declared_project,
    declared_state,
    json_option,
    open_declared_source,
    print_json,
    tell,
)
from dinmo_pipeline.cli.tables import print_table

if TYPE_CHECKING:
    import pyarrow as pa

    from dinmo_pipeline.config.declarations import Activation, Project
    from dinmo_pipeline.sync.reconcile import Reconciled


@click.command()
@click.argument("activations", nargs=-1, required=True, metavar="ACTIVATION...")
@click.option("--repair", is_flag=True, help="Repair what differs; tags of others are left alone.")
@click.option(
    "--recent-minutes",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="Leave out what was written since: Intercom's search may not show it yet.",
)
@json_option
def reconcile(
    activations: tuple[str, ...], *, repair: bool, recent_minutes: float, as_json: bool
) -> int:
    """Read who carries the tag in Intercom, and tell what differs from what we put there."""
    project = declared_project()
    wanted = chosen(project, activations)
    recent = timedelta(minutes=recent_minutes)
    found = {a.key: _reconciled(project, a, repair=repair, recent=recent) for a in wanted}
    if as_json:
        print_json({key: as_object(result) for key, result in found.items()})
    else:
        _print(found)
    statuses = {result.status for result in found.values()}
    if "failed" in statuses:
        return FAILED
    return HELD if "drift" in statuses else DONE


def as_object(result: Any) -> dict[str, Any]:
    """A result as `--json` prints it: without its activation, and without a reason where all is well."""
    values = asdict(result)
    del values["activation"]
    return {key: value for key, value in values.items() if key != "reason" or value}


def _reconciled(
    project: "Project", activation: "Activation", *, repair: bool, recent: timedelta
) -> "Reconciled":
    from dinmo_pipeline.cli.watching import progress_bar  # noqa: PLC0415  # slow to import
    from dinmo_pipeline.state.lock_folder import lock_folder  # noqa: PLC0415
    from dinmo_pipeline.sync.reconcile import reconcile as reconcile_tag  # noqa: PLC0415
    from dinmo_pipeline.sync.session import Session  # noqa: PLC0415

    with (
        open_client(project, activation.destination) as client,
        progress_bar(activation.key),
    ):
        return reconcile_tag(
            Session(activation, declared_state(project), client, log_to_person()),
            lock_folder(project.state.database),
            lambda: _members(project, activation),
            repair=repair,
            recent=recent,
        )


@contextmanager
def _members(project: "Project", activation: "Activation") -> "Iterator[pa.RecordBatchReader]":
    from dinmo_pipeline.segments import select_activated  # noqa: PLC0415  # slow to import

    with open_declared_source(project) as source:
        sql = select_activated(project, activation, source, now=datetime.now(UTC))
        yield source.batches(sql)


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
            tell(f"{key}: Intercom differs from what we put there. dinmo reconcile {key} --repair")
