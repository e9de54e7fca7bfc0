"""Stray tags: a second tag that Intercom created when ours was renamed by hand during a sync.

Bulk tagging goes by name, so contacts tagged in that moment carry the second tag until the next sync.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb


@dataclass(frozen=True, slots=True)
class StrayTag:
    """A second tag, and the contacts that we put it on; `belongs_to_activation` if it is one's own by now."""

    tag_id: str
    contact_ids: tuple[str, ...]
    belongs_to_activation: bool


def record_strays(
    connection: duckdb.DuckDBPyConnection,
    activation: str,
    destination: str,
    tag_id: str,
    contact_ids: Sequence[str],
) -> None:
    """Record the contacts that were given a second tag. Call it inside a transaction."""
    connection.execute(
        "INSERT INTO dinmo.stray_tags SELECT $activation, $destination, $tag_id, unnest($contact_ids)",
        {
            "activation": activation,
            "destination": destination,
            "tag_id": tag_id,
            "contact_ids": list(contact_ids),
        },
    )


def stray_tags(connection: duckdb.DuckDBPyConnection, activation: str, destination: str) -> list[StrayTag]:
    """The second tags of an activation; contacts that carry one for its owner by now are left out."""
    rows = connection.execute(
        """
        SELECT strays.tag_id,
               coalesce(list(DISTINCT strays.contact_id) FILTER (ledger.contact_id IS NULL), []),
               bool_or(owners.activation IS NOT NULL)
        FROM dinmo.stray_tags AS strays
        LEFT JOIN dinmo.activation_tags AS owners
            ON owners.tag_id = strays.tag_id AND owners.destination = strays.destination
        LEFT JOIN dinmo.tagged_contacts AS ledger
            ON ledger.activation = owners.activation AND ledger.destination = owners.destination
            AND ledger.contact_id = strays.contact_id
        WHERE strays.activation = $activation AND strays.destination = $destination
        GROUP BY strays.tag_id ORDER BY strays.tag_id
        """,
        {"activation": activation, "destination": destination},
    ).fetchall()
    return [StrayTag(tag_id, tuple(contacts), owned) for tag_id, contacts, owned in rows]


def forget_strays(
    connection: duckdb.DuckDBPyConnection, activation: str, destination: str, tag_id: str
) -> None:
    """Forget a second tag that nobody carries because of us any more. Call it inside a transaction."""
    connection.execute(
        "DELETE FROM dinmo.stray_tags WHERE activation = ? AND destination = ? AND tag_id = ?",
        [activation, destination, tag_id],
    )
