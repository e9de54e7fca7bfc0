"""The tags of activations: in one workspace, a tag belongs to one activation.

Two destinations may lead to one workspace, under two keys, so it is the workspace that decides. While its
id is unknown, the destination's key stands for it.
"""

from dataclasses import dataclass
from typing import NamedTuple

import duckdb

from dinmo_pipeline.state.sql import first_row


@dataclass(frozen=True, slots=True)
class ActivationTag:
    """The tag of an activation: Intercom's id, decimal digits as text, and its name in Intercom."""

    tag_id: str
    name: str


class TagOwner(NamedTuple):
    """The activation that a tag belongs to, and the destination at which it is recorded."""

    activation: str
    destination: str


def activation_tag(
    connection: duckdb.DuckDBPyConnection, activation: str, destination: str
) -> ActivationTag | None:
    """The tag of an activation at a destination; None before the first sync."""
    found = first_row(
        connection,
        "SELECT tag_id, name FROM dinmo.activation_tags WHERE activation = ? AND destination = ?",
        [activation, destination],
    )
    return ActivationTag(*found) if found else None


def tag_owners(connection: duckdb.DuckDBPyConnection, destination: str, tag_id: str) -> list[TagOwner]:
    """The owner of a tag in the workspace of a destination.

    There is at most one, unless the state was written before ownership was enforced, or while the id of
    the workspace was unknown.
    """
    rows = connection.execute(
        """
        SELECT tags.activation, tags.destination
        FROM dinmo.activation_tags AS tags LEFT JOIN dinmo.workspaces USING (destination)
        WHERE tag_id = $tag_id
          AND (tags.destination = $destination
               OR workspace_id = (SELECT workspace_id FROM dinmo.workspaces
                                  WHERE destination = $destination))
        ORDER BY ALL
        """,
        {"destination": destination, "tag_id": tag_id},
    ).fetchall()
    return [TagOwner(*row) for row in rows]


def other_owner(
    connection: duckdb.DuckDBPyConnection, activation: str, destination: str, tag_id: str
) -> TagOwner | None:
    """The other activation that a tag belongs to; None if nobody's, or the activation's own."""
    owners = tag_owners(connection, destination, tag_id)
    return next((owner for owner in owners if owner.activation != activation), None)


def record_tag(
    connection: duckdb.DuckDBPyConnection, activation: str, destination: str, tag: ActivationTag
) -> TagOwner | None:
    """Record an activation's tag at a destination, unless it belongs to another one, which is returned.

    If it is another tag than before, the ledger at that destination is emptied, since nobody carries it.
    If it is the activation's tag at another destination of the same workspace, whose key was changed, the
    ledger moves with it. Call it inside a transaction.
    """
    where = {"activation": activation, "destination": destination}
    owner = other_owner(connection, activation, destination, tag.tag_id)
    if owner:
        return owner
    known = activation_tag(connection, activation, destination)
    if known is None or known.tag_id != tag.tag_id:
        for table in ("tagged_contacts", "carrier_counts"):
            connection.execute(
                f"DELETE FROM dinmo.{table} WHERE activation = $activation AND destination = $destination",
                where,
            )
    for former in tag_owners(connection, destination, tag.tag_id):
        if former.destination != destination:
            move_tag(connection, former, TagOwner(activation, destination))
    connection.execute(
        "INSERT OR REPLACE INTO dinmo.activation_tags VALUES ($activation, $destination, $tag_id, $name)",
        {**where, "tag_id": tag.tag_id, "name": tag.name},
    )
    return None


def move_tag(connection: duckdb.DuckDBPyConnection, before: TagOwner, after: TagOwner) -> int:
    """Give a tag and its ledger to another owner, who has none yet; returns the number of contacts.

    The readings applied there move along if it is the same activation. Call it inside a transaction.
    """
    values = {
        "activation": before.activation,
        "destination": before.destination,
        "new_activation": after.activation,
        "new_destination": after.destination,
    }
    where = "WHERE activation = $activation AND destination = $destination"
    moved = 0
    for table in ("tagged_contacts", "activation_tags"):
        rows = connection.execute(
            f"UPDATE dinmo.{table} SET activation = $new_activation, destination = $new_destination {where}",
            values,
        ).fetchall()
        moved = moved or int(rows[0][0])
    if before.activation == after.activation:
        connection.execute(
            "UPDATE dinmo.membership_sizes SET applied_to = $new_destination"
            " WHERE activation = $activation AND applied_to = $destination",
            {key: values[key] for key in ("activation", "destination", "new_destination")},
        )
    return moved
