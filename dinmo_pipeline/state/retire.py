"""Retire an activation: the contacts that still carry its tags because of us, and closing it."""

from dataclasses import dataclass
from datetime import datetime

import duckdb

from dinmo_pipeline.state.ledger import PlannedChange
from dinmo_pipeline.state.sql import first_row, one_row


@dataclass(frozen=True, slots=True)
class RetiredTag:
    """A tag of an activation at a destination.

    `contacts` is the number that carry it because of us, `others` how many more carried it when last counted.
    """

    destination: str
    tag_id: str
    name: str
    contacts: int
    others: int = 0


def retired_tags(connection: duckdb.DuckDBPyConnection, activation: str) -> list[RetiredTag]:
    """The tags of an activation at every destination that it was ever sent to."""
    found = connection.execute(
        """
        SELECT destination, tag_id, name, count(ledger.contact_id), coalesce(any_value(counts.others), 0)
        FROM dinmo.activation_tags AS tags
        LEFT JOIN dinmo.tagged_contacts AS ledger USING (activation, destination)
        LEFT JOIN dinmo.carrier_counts AS counts USING (activation, destination)
        WHERE activation = ? GROUP BY ALL ORDER BY destination
        """,
        [activation],
    ).fetchall()
    return [RetiredTag(*row) for row in found]


def carried_tags(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, RetiredTag]]:
    """The tags of all activations, at all destinations, that contacts carry because of us."""
    found = connection.execute(
        """
        SELECT activation, destination, tag_id, name, count(*)
        FROM dinmo.activation_tags JOIN dinmo.tagged_contacts USING (activation, destination)
        GROUP BY ALL ORDER BY ALL
        """
    ).fetchall()
    return [(activation, RetiredTag(*tag)) for activation, *tag in found]


def is_known(connection: duckdb.DuckDBPyConnection, activation: str) -> bool:
    """Whether the state has anything of an activation that a retirement would close."""
    query = " UNION ALL ".join(
        f"(SELECT 1 FROM dinmo.{table} WHERE activation = $activation LIMIT 1)" for table in _CLOSED_TABLES
    )
    return first_row(connection, query, {"activation": activation}) is not None


def stage_removals(connection: duckdb.DuckDBPyConnection, activation: str, destination: str) -> int:
    """Put the contacts to untag into the temporary table `removals`; returns their number."""
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE removals AS
        SELECT row_number() OVER () AS position, identifier, contact_id
        FROM dinmo.tagged_contacts
        WHERE activation = $activation AND destination = $destination
        """,
        {"activation": activation, "destination": destination},
    )
    return int(one_row(connection, "SELECT count(*) FROM removals")[0])


def removals_page(connection: duckdb.DuckDBPyConnection, *, after: int, limit: int) -> list[PlannedChange]:
    """The next contacts to untag, in order of position; needs no attached state."""
    found = connection.execute(
        "SELECT position, 'left', identifier, contact_id FROM removals"
        " WHERE position > ? ORDER BY position LIMIT ?",
        [after, limit],
    ).fetchall()
    return [PlannedChange(*row) for row in found]


def drop_ledger(connection: duckdb.DuckDBPyConnection, activation: str, destination: str) -> None:
    """Empty the ledger of an activation at a destination."""
    connection.execute(
        "DELETE FROM dinmo.tagged_contacts WHERE activation = ? AND destination = ?",
        [activation, destination],
    )


def close_destination(connection: duckdb.DuckDBPyConnection, activation: str, destination: str) -> bool:
    """Drop the activation's tag at a destination that it was moved from. Call it inside a transaction.

    Returns False, and changes nothing, while contacts carry the tag there.
    """
    where = [activation, destination]
    if first_row(
        connection,
        "SELECT 1 FROM dinmo.tagged_contacts WHERE activation = ? AND destination = ? LIMIT 1",
        where,
    ):
        return False
    for table in _TABLES_OF_A_TAG:
        connection.execute(f"DELETE FROM dinmo.{table} WHERE activation = ? AND destination = ?", where)
    return True


_TABLES_OF_A_TAG = ("activation_tags", "carrier_counts", "rechecks", "reconciliations")
_CLOSED_TABLES = (
    *("segment_membership", "membership_sizes", "membership_changes", "change_sets"),
    "unread_segments",
    *_TABLES_OF_A_TAG,
)


def close_activation(connection: duckdb.DuckDBPyConnection, activation: str, *, now: datetime) -> bool:
    """End every membership, and drop the activation except for its history. Call it inside a transaction.

    membership_history, change_log, and syncs stay. Returns False, and changes nothing, while contacts carry
    one of its tags.
    """
    values = {"activation": activation}
    if first_row(
        connection, "SELECT 1 FROM dinmo.tagged_contacts WHERE activation = ? LIMIT 1", [activation]
    ):
        return False
    connection.execute(
        "INSERT INTO dinmo.membership_departures"
        " SELECT activation, identifier, entered_at, $now FROM dinmo.segment_membership"
        " WHERE activation = $activation",
        {**values, "now": now},
    )
    for table in _CLOSED_TABLES:
        connection.execute(f"DELETE FROM dinmo.{table} WHERE activation = $activation", values)
    return True
