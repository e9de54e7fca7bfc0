"""`dinmo history`: the syncs of an activation, its size over time, and who entered and left last."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from dinmo_pipeline.cli.completion import ACTIVATION
from dinmo_pipeline.cli.messages import echo
from dinmo_pipeline.cli.project import (
    declared_project,
    declared_states,
    json_option,
    print_json,
    state_of,
    unknown_name,
)
from dinmo_pipeline.cli.tables import as_share, print_table
from dinmo_pipeline.text.masking import mask_identifier

if TYPE_CHECKING:
    from dinmo_pipeline.state.looking.history import History

_SYNCS_SHOWN, _DAYS_SHOWN = 20, 14
_MAX_SYNCS_IN_JSON = 10_000


@click.command()
@click.argument("activation", type=ACTIVATION)
@click.option(
    "--days", type=click.IntRange(1, 3660), default=30, show_default=True, help="How far to look back."
)
@click.option("--show", is_flag=True, help="Show identifiers in full; otherwise they are masked.")
@json_option
def history(activation: str, *, days: int, show: bool, as_json: bool) -> None:
    r"""Show the syncs of ACTIVATION with their numbers and reasons, its size by day, and who moved last.

    A reading that found nothing to change is no sync of its own; it shows in the sizes by day (UTC).

    \b
    Examples:
      dinmo history vip_customers
      dinmo history vip_customers --days 365 --json
    """
    from dinmo_pipeline.state.looking.history import NOTHING, history_of  # noqa: PLC0415  # slow: imports DuckDB
    from dinmo_pipeline.state.overview import overview  # noqa: PLC0415

    project = declared_project()
    limit = _MAX_SYNCS_IN_JSON if as_json else _SYNCS_SHOWN
    since = datetime.now(UTC) - timedelta(days=days)
    declared = project.activations.get(activation)
    found = NOTHING
    known = dict.fromkeys(project.activations)
    # One that is no longer declared may be in any of the files.
    for state in [state_of(project, declared.destination)] if declared else declared_states(project):
        with state.reading() as connection:
            found = history_of(connection, activation, since=since, limit=limit)
            known |= dict.fromkeys(overview(connection))
        if found != NOTHING:
            break
    if activation not in known and found == NOTHING:
        raise unknown_name("activation", activation, known)
    if as_json:
        print_json(_as_object(found, show=show))
    else:
        _print(found, days, show=show)


def _as_object(found: "History", *, show: bool) -> dict[str, Any]:
    return {
        "syncs": [{**asdict(sync), "match_rate": sync.match_rate} for sync in found.syncs],
        "all_syncs": found.all_syncs,
        "days": [asdict(day) for day in found.days],
        "moves": [{**asdict(move), "identifier": _seen(move.identifier, show=show)} for move in found.moves],
    }


def _print(found: "History", days: int, *, show: bool) -> None:
    if not (found.syncs or found.days):
        echo(f"Nothing in the last {days:,} days.")
        return
    if found.syncs:
        print_table(
            (
                *("SYNC AT (UTC)", "STATUS", "MEMBERS", "ENTERED", "LEFT", "TAGGED", "UNTAGGED"),
                *("NOT IN INTERCOM", "MATCH", "FAILED", "PENDING", "API CALLS", "SECONDS", "REASON"),
            ),
            [
                (
                    *(f"{sync.started_at:%Y-%m-%d %H:%M}", sync.status, sync.members, sync.entered),
                    *(sync.left, sync.tagged, sync.untagged, sync.not_in_intercom),
                    *(as_share(sync.match_rate), sync.failed, sync.pending, sync.api_calls, sync.seconds),
                    sync.reason,
                )
                for sync in found.syncs
            ],
            optional=(
                *("SECONDS", "API CALLS", "MATCH", "PENDING", "FAILED", "NOT IN INTERCOM", "ENTERED", "LEFT"),
                *("TAGGED", "UNTAGGED"),
            ),
        )
        if len(found.syncs) < found.all_syncs:
            echo(f"The last {len(found.syncs):,} of {found.all_syncs:,} syncs; --json has more.")
        echo()
    if found.days:
        print_table(
            ("DAY (UTC)", "MEMBERS", "ENTERED", "LEFT"),
            [(f"{day.day}", day.members, day.entered, day.left) for day in found.days[-_DAYS_SHOWN:]],
        )
        if len(found.days) > _DAYS_SHOWN:
            echo(f"The last {_DAYS_SHOWN} of {len(found.days):,} days with a reading; --json has all.")
    for move in found.moves:
        echo(f"{move.at:%Y-%m-%d %H:%M} {move.change:7} {_seen(move.identifier, show=show)}")


def _seen(identifier: str, *, show: bool) -> str:
    return identifier if show else mask_identifier(identifier)
