"""The carriers of a tag that we did not tag: how many there are, and taking them over."""

from datetime import datetime

import duckdb

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.state.sql import first_row, normalised, one_row


def ours_at_most(
    connection: duckdb.DuckDBPyConnection,
    activation: str,
    destination: str,
    *,
    since: datetime,
    now: datetime,
) -> int:
    """The most contacts that a search may show as carriers because of us.

    These are the ledger, and contacts untagged since a time after which the index may still show the tag.
    """
    (ours,) = one_row(
        connection,
        """
        SELECT (SELECT count(*) FROM dinmo.tagged_contacts
                WHERE activation = $activation AND destination = $destination)
             + (SELECT count(DISTINCT contact_id) FROM dinmo.change_log
                WHERE activation = $activation AND change = 'left' AND outcome = 'applied'
                  AND logged_at BETWEEN $since AND $now)
        """,
        {"activation": activation, "destination": destination, "since": since, "now": now},
    )
    return int(ours)


def record_other_carriers(
    connection: duckdb.DuckDBPyConnection,
    activation: str,
    destination: str,
    others: int,
    *,
    now: datetime,
) -> None:
    """Record how many contacts carry the tag that we did not tag. Call it inside a transaction."""
    connection.execute(
        "INSERT OR REPLACE INTO dinmo.carrier_counts VALUES (?, ?, ?, ?)",
        [activation, destination, now, others],
    )


def other_carriers(connection: duckdb.DuckDBPyConnection, activation: str, destination: str) -> int | None:
    """How many contacts that we did not tag carried the tag when last counted; None before that."""
    found = first_row(
        connection,
        "SELECT others FROM dinmo.carrier_counts WHERE activation = ? AND destination = ?",
        [activation, destination],
    )
    return int(found[0]) if found else None


def carriers_counted(
    connection: duckdb.DuckDBPyConnection,
    activation: str,
    destination: str,
    *,
    since: datetime,
    now: datetime,
) -> bool:
    """Whether the carriers were counted since a time. A count in the future is unknown: a clock was wrong."""
    found = first_row(
        connection,
        "SELECT 1 FROM dinmo.carrier_counts"
        " WHERE activation = ? AND destination = ? AND counted_at BETWEEN ? AND ?",
        [activation, destination, since, now],
    )
    return found is not None


def take_over_carriers(
    connection: duckdb.DuckDBPyConnection, activation: Activation, *, since: datetime, now: datetime
) -> int:
    """Put `carriers` (see `stage_carriers`) that we did not tag into the ledger; returns their number.

    They are unconfirmed there, so the next change set tags those who are members again, and untags the
    others. Contacts untagged since a time are left out: the index may still show the tag. Call it inside a
    transaction.
    """
    key = normalised("email", "email") if activation.match_by == "email" else "external_id"
    rows = connection.execute(
        f"""
        INSERT INTO dinmo.tagged_contacts
        SELECT $activation, $destination, contact_id,
               coalesce(nullif({key}, ''), contact_id), NULL
        FROM carriers
        WHERE contact_id NOT IN (
            SELECT contact_id FROM dinmo.tagged_contacts
            WHERE activation = $activation AND destination = $destination
        )
        AND contact_id NOT IN (
            SELECT contact_id FROM dinmo.change_log
            WHERE activation = $activation AND change = 'left' AND outcome = 'applied'
              AND logged_at BETWEEN $since AND $now AND contact_id IS NOT NULL
        )
        """,
        {
            "activation": activation.key,
            "destination": activation.destination,
            "since": since,
            "now": now,
        },
    ).fetchall()
    return int(rows[0][0])
