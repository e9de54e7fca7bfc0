"""Facts about users are read again: which are due, and what becomes of contacts that are no longer found.

A contact's email and external id, and which users share an email, change in Intercom without a notice. What
the directory knows of a member is a fact, whose age is that of the oldest answer about the member's contacts.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa

from dinmo_pipeline.config.declarations import Activation, MatchBy
from dinmo_pipeline.state.contacts.directory import forget_contacts
from dinmo_pipeline.state.sql import contact_key, first_row, literal, members_of, one_row

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def time_since_recheck(
    connection: duckdb.DuckDBPyConnection, activation: Activation, *, now: datetime
) -> timedelta | None:
    """How long ago facts about an activation's members were last checked; None before the first time.

    A time in the future, from a clock that was wrong, counts as very long ago.
    """
    found = first_row(
        connection,
        "SELECT rechecked_at FROM dinmo.rechecks WHERE activation = ? AND destination = ?",
        [activation.key, activation.destination],
    )
    if found is None:
        return None
    at: datetime = found[0]
    return now - (at if at <= now else _LONG_AGO)


def record_recheck(connection: duckdb.DuckDBPyConnection, activation: Activation, *, now: datetime) -> None:
    """Record that facts about an activation's members were checked. Call it inside a transaction."""
    connection.execute(
        "INSERT OR REPLACE INTO dinmo.rechecks VALUES (?, ?, ?)",
        [activation.key, activation.destination, now],
    )


def count_members(connection: duckdb.DuckDBPyConnection, activation: str) -> int:
    """The number of an activation's members."""
    return int(one_row(connection, f"SELECT count(*) FROM {members_of(activation)}")[0])


def known_members(
    connection: duckdb.DuckDBPyConnection, activation: Activation, *, after: str, limit: int
) -> list[str]:
    """The next members, in order, that have a contact in the directory."""
    rows = connection.execute(
        f"""
        SELECT identifier FROM {members_of(activation.key)} AS members
        SEMI JOIN (
            SELECT {contact_key(activation.match_by)} AS identifier
            FROM dinmo.contacts WHERE destination = $destination
        ) AS contacts USING (identifier)
        WHERE identifier > $after ORDER BY identifier LIMIT $limit
        """,
        {"destination": activation.destination, "after": after, "limit": limit},
    ).fetchall()
    return [row[0] for row in rows]


def oldest_facts(
    connection: duckdb.DuckDBPyConnection,
    activation: Activation,
    *,
    now: datetime,
    due_before: datetime,
    at_least: int,
    limit: int,
) -> pa.ChunkedArray:
    """Members whose contacts were checked before a time, and at least so many of the oldest.

    A check in the future, from a clock that was wrong, is the oldest of all. Members are the rows of one
    Arrow column, since there can be a million.
    """
    found = connection.sql(
        f"""
        SELECT identifier
        FROM {members_of(activation.key)} AS members
        JOIN (
            SELECT {contact_key(activation.match_by)} AS identifier,
                   CASE WHEN checked_at <= $now THEN checked_at ELSE $long_ago END AS checked_at
            FROM dinmo.contacts WHERE destination = $destination
        ) AS contacts USING (identifier)
        GROUP BY identifier
        QUALIFY row_number() OVER (ORDER BY min(checked_at), identifier) <= $at_least
             OR min(checked_at) <= $due_before
        ORDER BY min(checked_at), identifier LIMIT $limit
        """,
        params={
            "destination": activation.destination,
            "now": now,
            "long_ago": _LONG_AGO,
            "due_before": due_before,
            "at_least": at_least,
            "limit": limit,
        },
    )
    return found.to_arrow_table().column(0)


def unseen_contacts(
    connection: duckdb.DuckDBPyConnection,
    destination: str,
    match_by: MatchBy,
    identifiers: Sequence[str],
    *,
    since: datetime,
    limit: int,
) -> list[str]:
    """Known contacts of identifiers that no answer since a time has shown."""
    rows = connection.execute(
        f"""
        SELECT contact_id FROM dinmo.contacts
        WHERE destination = {literal(destination)} AND checked_at < $since
          AND {contact_key(match_by)} IN (SELECT unnest($identifiers::VARCHAR[]))
        ORDER BY contact_id LIMIT $limit
        """,
        {"since": since, "identifiers": list(identifiers), "limit": limit},
    ).fetchall()
    return [row[0] for row in rows]


def contact_was_merged(
    connection: duckdb.DuckDBPyConnection, destination: str, contact_id: str, survivor: str
) -> None:
    """Forget a contact that was merged into another, which carries its tags now.

    The other one takes its place in each ledger, unconfirmed, so that the next change set tags it again or
    untags it. Call it inside a transaction.
    """
    values = {"destination": destination, "contact_id": contact_id, "survivor": survivor}
    connection.execute(
        """
        UPDATE dinmo.tagged_contacts AS ledger SET contact_id = $survivor, tagged_at = NULL
        WHERE destination = $destination AND contact_id = $contact_id
          AND NOT EXISTS (
            FROM dinmo.tagged_contacts AS theirs
            WHERE theirs.activation = ledger.activation AND theirs.destination = $destination
              AND theirs.contact_id = $survivor
          )
        """,
        values,
    )
    forget_contacts(connection, destination, [contact_id])
