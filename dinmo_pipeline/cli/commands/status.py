"""`dinmo status`: each activation's tag, numbers, and last sync, from the state alone."""

from typing import Any

import click

from dinmo_pipeline.cli.project import declared_project, declared_state, json_option, print_json
from dinmo_pipeline.cli.tables import print_table
from dinmo_pipeline.config.declarations import Activation


@click.command()
@json_option
def status(*, as_json: bool) -> None:
    """Show every activation: its tag, members, tagged contacts, pending changes and last sync."""
    from dinmo_pipeline.state.overview import overview  # noqa: PLC0415  # slow to import
    from dinmo_pipeline.state.retire import carried_tags  # noqa: PLC0415
    from dinmo_pipeline.state.stuck import FAILED_SYNCS, count_stuck  # noqa: PLC0415

    project = declared_project()
    with declared_state(project).reading() as connection:
        known = overview(connection)
        stuck = count_stuck(connection)
        carried = carried_tags(connection)
    rows: dict[str, dict[str, Any]] = {}
    for activation in project.activations.values():
        rows[activation.key] = {
            "tag": activation.name,
            "destination": activation.destination,
            "schedule": _schedule(activation),
            **known.pop(activation.key, {}),
        }
    for key, left in known.items():
        rows[key] = {"tag": left.get("tag_name"), "schedule": "orphaned", **left}
    for key, row in rows.items():
        row["stuck"] = stuck.get(key, 0)
        row["left_behind"] = [
            {"destination": tag.destination, "tag": tag.name, "contacts": tag.contacts}
            for activation, tag in carried
            if activation == key and tag.destination != row.get("destination", tag.destination)
        ]
    if as_json:
        print_json(rows)
        return
    print_table(
        (
            *("ACTIVATION", "TAG", "SCHEDULE", "MEMBERS", "TAGGED", "PENDING", "STUCK"),
            *("LAST SYNC", "STATUS"),
        ),
        [
            (
                key,
                row["tag"],
                row["schedule"],
                row.get("members"),
                row.get("tagged_contacts"),
                row.get("changes"),
                row["stuck"],
                _moment(row.get("last_sync_at")),
                row.get("last_status") or "never synced",
            )
            for key, row in rows.items()
        ],
    )
    for key, row in rows.items():
        if row.get("last_reason"):
            click.echo(f"{key}: {row['last_reason']}")
        if row["schedule"] == "orphaned":
            click.echo(f"{key}: no longer declared; its contacts keep their tag.")
            click.echo(f"{key}: to take it off: dinmo retire {key}")
        for left in row["left_behind"]:
            click.echo(
                f"{key}: {left['contacts']:,} contacts of destination {left['destination']!r}, which it was"
                f" moved from, keep the tag {left['tag']!r}."
            )
            click.echo(
                f"{key}: to take it off: dinmo retire {key} --destination {left['destination']}"
            )
        if row["stuck"]:
            click.echo(
                f"{key}: {row['stuck']:,} members are stuck: Intercom refused their change in each of"
                f" the last {FAILED_SYNCS} syncs. dinmo.change_log has reason and request_id."
            )


def _schedule(activation: Activation) -> str:
    if not activation.enabled:
        return "disabled"
    return "after upstream" if activation.follows_upstream else activation.schedule


def _moment(value: Any) -> str | None:
    return f"{value:%Y-%m-%d %H:%M} UTC" if value else None
