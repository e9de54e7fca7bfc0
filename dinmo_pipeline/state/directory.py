"""The directory of Intercom's users: which contacts a member's identifier stands for."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import duckdb
import pyarrow as pa

from dinmo_pipeline.config.declarations import MatchBy
from dinmo_pipeline.state.sql import (
    contact_key,
    first_row,
    literal,
    members_of,
    normalised,
    one_row,
)


class SeenContact(NamedTuple):
    """A user as an answer of Intercom showed it."""

    contact_id: str
    email: str | None
    external_id: str | None


_SEEN = pa.schema([(name, pa.string()) for name in SeenContact._fields])


def record_contacts(
    connection: duckdb.DuckDBPyConnection,
    destination: str,
    seen: Sequence[SeenContact],
    *,
    by_email: bool,
    now: datetime,
) -> None:
    """Put users into the directory; those new or changed are touched, and missing no more.

    `by_email` tells that they were found by their email, together with all others of that email.
    """
    if not seen:
        return
    parameters = {"destination": destination}
    connection.register("seen", pa.Table.from_pylist([row._asdict() for row in seen], _SEEN))
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE fresh AS
        WITH read AS (
            SELECT contact_id, nullif({normalised("any_value(email)", "email")}, '') AS email,
                   nullif(any_value(external_id), '') AS external_id
            FROM seen GROUP BY contact_id
        )
        SELECT read.*, $by_email OR coalesce(known.by_email, false) AS by_email
        FROM read LEFT JOIN dinmo.contacts AS known
            ON known.destination = $destination AND known.contact_id = read.contact_id
            AND known.email = read.email
        """,
        {**parameters, "by_email": by_email},
    )
    connection.unregister("seen")
    connection.execute(
        """
        DELETE FROM dinmo.contacts AS known USING fresh
        WHERE known.destination = $destination AND known.contact_id = fresh.contact_id
          AND (known.email IS DISTINCT FROM fresh.email
               OR known.external_id IS DISTINCT FROM fresh.external_id
               OR known.by_email <> fresh.by_email)
        """,
        parameters,
    )
    connection.execute(
        """
        INSERT INTO dinmo.contacts
        SELECT $destination, contact_id, email, external_id, by_email, $now, nextval('dinmo.touches')
        FROM fresh
        ANTI JOIN (SELECT contact_id FROM dinmo.contacts WHERE destination = $destination)
            USING (contact_id)
        """,
        {**parameters, "now": now},
    )
    for match_by in ("email", "external_id"):
        connection.execute(
            f"""
            DELETE FROM dinmo.missing_members
            WHERE destination = $destination
              AND match_by = {literal("email" if match_by == "email" else "user_id")}
              AND identifier IN (SELECT {match_by} FROM fresh)
            """,
            parameters,
        )


def record_missing(
    connection: duckdb.DuckDBPyConnection,
    destination: str,
    match_by: MatchBy,
    looked_for: Sequence[str],
    *,
    now: datetime,
) -> None:
    """Remember those of the identifiers that the directory does not have, and when we looked."""
    connection.register("looked_for", pa.table({"identifier": pa.array(looked_for, pa.string())}))
    parameters = {"destination": destination, "match_by": match_by, "now": now}
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE absent AS
        SELECT DISTINCT identifier FROM looked_for
        ANTI JOIN (
            SELECT {contact_key(match_by)} AS identifier
            FROM dinmo.contacts WHERE destination = {literal(destination)}
        ) USING (identifier)
        """
    )
    connection.unregister("looked_for")
    connection.execute(
        """
        INSERT INTO dinmo.missing_members
        SELECT $destination, $match_by, identifier, $now, coalesce(known.looks, 0) + 1
        FROM absent LEFT JOIN (
            SELECT identifier, looks FROM dinmo.missing_members
            WHERE destination = $destination AND match_by = $match_by
        ) AS known USING (identifier)
        """,
        parameters,
    )
    connection.execute(
        """
        DELETE FROM dinmo.missing_members
        WHERE destination = $destination AND match_by = $match_by AND looked_at < $now
          AND identifier IN (SELECT identifier FROM absent)
        """,
        parameters,
    )


def forget_contacts(
    connection: duckdb.DuckDBPyConnection, destination: str, contact_ids: Sequence[str]
) -> None:
    """Drop contacts that Intercom no longer has; their identifiers are looked for again."""
    connection.execute(
        "DELETE FROM dinmo.contacts WHERE destination = ? AND contact_id IN (SELECT unnest(?))",
        [destination, list(contact_ids)],
    )


def touch_contacts(
    connection: duckdb.DuckDBPyConnection, destination: str, contact_ids: Sequence[str]
) -> None:
    """Have contacts compared again at the next sync of every activation."""
    connection.execute(
        "UPDATE dinmo.contacts SET touched = nextval('dinmo.touches')"
        " WHERE destination = ? AND contact_id IN (SELECT unnest(?))",
        [destination, list(contact_ids)],
    )


def count_missing(
    connection: duckdb.DuckDBPyConnection, members: str, destination: str, match_by: MatchBy
) -> int:
    """How many of the members (a FROM item) are remembered as not in Intercom."""
    return int(
        one_row(
            connection,
            f"""
            SELECT count(*) FROM {members} AS members
            SEMI JOIN (SELECT identifier FROM dinmo.missing_members
                       WHERE destination = ? AND match_by = ?) USING (identifier)
            """,
            [destination, match_by],
        )[0]
    )


def count_ambiguous(
    connection: duckdb.DuckDBPyConnection, members: str, destination: str, match_by: MatchBy
) -> int:
    """How many of the members (a FROM item) stand for several users."""
    return int(
        one_row(
            connection,
            f"""
            SELECT count(*) FROM {members} AS members
            SEMI JOIN (SELECT {contact_key(match_by)} AS identifier FROM dinmo.contacts
                       WHERE destination = ? GROUP BY ALL HAVING count(*) > 1) USING (identifier)
            """,
            [destination],
        )[0]
    )


def due_for_another_look(
    connection: duckdb.DuckDBPyConnection,
    activation: str,
    destination: str,
    match_by: MatchBy,
    *,
    now: datetime,
    first_interval_hours: float,
    longest_interval_hours: float,
    limit: int,
) -> list[str]:
    """Missing members whose turn has come: the interval doubles with each look in vain."""
    found = connection.execute(
        f"""
        SELECT missing.identifier
        FROM dinmo.missing_members AS missing SEMI JOIN {members_of(activation)} AS members
            USING (identifier)
        WHERE destination = $destination AND match_by = $match_by
          AND looked_at + to_seconds(3600 * least($longest, $first * power(2, looks - 1))) <= $now
        ORDER BY looked_at, identifier LIMIT $limit
        """,
        {
            "destination": destination,
            "match_by": match_by,
            "now": now,
            "first": first_interval_hours,
            "longest": longest_interval_hours,
            "limit": limit,
        },
    ).fetchall()
    return [row[0] for row in found]


def last_signup_look(connection: duckdb.DuckDBPyConnection, destination: str) -> datetime | None:
    """When newly created contacts of a destination were last searched for."""
    found = first_row(
        connection,
        "SELECT looked_at FROM dinmo.signup_looks WHERE destination = ?",
        [destination],
    )
    return found[0] if found else None


def record_signup_look(
    connection: duckdb.DuckDBPyConnection, destination: str, *, now: datetime
) -> None:
    """Remember that all contacts created before `now` have been seen."""
    connection.execute(
        "INSERT OR REPLACE INTO dinmo.signup_looks VALUES (?, ?)", [destination, now]
    )
