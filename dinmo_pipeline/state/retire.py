"""Retire an activation: who still carries its tags because of us, and what is closed in the end."""

from dataclasses import dataclass
from datetime import datetime

import duckdb

from dinmo_pipeline.state.ledger import PlannedChange
from dinmo_pipeline.state.sql import first_row, one_row


@dataclass(frozen=True, slots=True)
class RetiredTag:
    """A tag of an activation at a destination; `contacts` carry it because we put it there."""

    destination: str
    tag_id: str
    name: str
    contacts: int


# Another activation of the same tag: its key was changed in the declarations, say. It keeps its contacts.
_SHARED = """
    SELECT others.contact_id FROM dinmo.tagged_contacts AS others
    JOIN dinmo.activation_tags AS tags USING (activation, destination)
    WHERE others.activation <> $activation AND others.destination = $destination
      AND tags.tag_id = $tag_id
"""


def retired_tags(connection: duckdb.DuckDBPyConnection, activation: str) -> list[RetiredTag]:
    """The tags of an activation, at each destination it was ever sent to."""
    found = connection.execute(
        """
        SELECT destination, tag_id, name, count(ledger.contact_id)
        FROM dinmo.activation_tags AS tags
        LEFT JOIN dinmo.tagged_contacts AS ledger USING (activation, destination)
        WHERE activation = ? GROUP BY ALL ORDER BY destination
        """,
        [activation],
    ).fetchall()
    return [RetiredTag(*row) for row in found]


def carried_tags(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, RetiredTag]]:
    """Every activation's tags that contacts carry because of us, at whichever destination."""
    found = connection.execute(
        """
        SELECT activation, destination, tag_id, name, count(*)
        FROM dinmo.activation_tags JOIN dinmo.tagged_contacts USING (activation, destination)
        GROUP BY ALL ORDER BY ALL
        """
    ).fetchall()
    return [(activation, RetiredTag(*tag)) for activation, *tag in found]


def is_known(connection: duckdb.DuckDBPyConnection, activation: str) -> bool:
    """Whether the state holds anything of an activation that a retirement would close."""
    query = " UNION ALL ".join(
        f"(SELECT 1 FROM dinmo.{table} WHERE activation = $activation LIMIT 1)" for table in _CLOSED
    )
    return first_row(connection, query, {"activation": activation}) is not None


def stage_removals(connection: duckdb.DuckDBPyConnection, activation: str, tag: RetiredTag) -> int:
    """Put the contacts to untag into the temporary table `removals`; how many there are."""
    values = {"activation": activation, "destination": tag.destination}
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE removals AS
        SELECT row_number() OVER () AS position, identifier, contact_id
        FROM dinmo.tagged_contacts
        WHERE activation = $activation AND destination = $destination
          AND contact_id NOT IN ({_SHARED})
        """,
        {**values, "tag_id": tag.tag_id},
    )
    return int(one_row(connection, "SELECT count(*) FROM removals")[0])


def removals_page(
    connection: duckdb.DuckDBPyConnection, *, after: int, limit: int
) -> list[PlannedChange]:
    """The next of them by position; the state need not be attached."""
    found = connection.execute(
        "SELECT position, 'left', identifier, contact_id FROM removals"
        " WHERE position > ? ORDER BY position LIMIT ?",
        [after, limit],
    ).fetchall()
    return [PlannedChange(*row) for row in found]


def hand_over(connection: duckdb.DuckDBPyConnection, activation: str, tag: RetiredTag) -> int:
    """Leave contacts to other activations of the same tag, which keep it on them; how many."""
    rows = connection.execute(
        f"""
        DELETE FROM dinmo.tagged_contacts
        WHERE activation = $activation AND destination = $destination AND contact_id IN ({_SHARED})
        RETURNING contact_id
        """,
        {"activation": activation, "destination": tag.destination, "tag_id": tag.tag_id},
    ).fetchall()
    return len(rows)


def drop_ledger(connection: duckdb.DuckDBPyConnection, activation: str, destination: str) -> None:
    """Forget who carries a tag that is no more."""
    connection.execute(
        "DELETE FROM dinmo.tagged_contacts WHERE activation = ? AND destination = ?",
        [activation, destination],
    )


def close_destination(
    connection: duckdb.DuckDBPyConnection, activation: str, destination: str
) -> bool:
    """Forget the activation's tag at a destination that it was moved from; False while it has contacts there.

    Call it inside a transaction.
    """
    where = [activation, destination]
    if first_row(
        connection,
        "SELECT 1 FROM dinmo.tagged_contacts WHERE activation = ? AND destination = ? LIMIT 1",
        where,
    ):
        return False
    connection.execute(
        "DELETE FROM dinmo.activation_tags WHERE activation = ? AND destination = ?", where
    )
    return True


_CLOSED = (
    *("segment_membership", "membership_sizes", "membership_changes"),
    *("change_sets", "activation_tags"),
)


def close_activation(
    connection: duckdb.DuckDBPyConnection, activation: str, *, now: datetime
) -> bool:
    """End every membership, and forget the activation but for its history; False while it has contacts.

    What stays: membership_history, change_log and syncs. Call it inside a transaction.
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
    for table in _CLOSED:
        connection.execute(f"DELETE FROM dinmo.{table} WHERE activation = $activation", values)
    return True
