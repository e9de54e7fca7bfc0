"""Readings of a segment: the counts of their rows, and which reading was last applied to Intercom.

A row whose identifier turned NULL upstream looks like a member who left. Only the counts of such rows,
compared with those of the reading last applied, distinguish the two: see `sync/guards/lost_identifiers.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

import duckdb

from dinmo_pipeline.config.declarations import Activation, MatchBy
from dinmo_pipeline.state.sql import first_row, one_row

# Members come and go within a week; only the net loss counts over it.
NET_SIZE_AGE = timedelta(days=7)
# An address has one @, something before it, a dot somewhere after it, and no space. LIKE costs a third of a
# regular expression.
_MALFORMED_EMAIL = "(identifier NOT LIKE '%_@_%._%' OR identifier LIKE '%@%@%' OR contains(identifier, ' '))"


@dataclass(frozen=True, slots=True)
class Reading:
    """Counts of a segment's rows; only `malformed_identifiers` counts members.

    Rows without an identifier (NULL, blank) and repeated ones are not members. Malformed emails are, but are
    never in Intercom. `identifier_type` is the source's name for the type; None if unknown.
    """

    match_by: MatchBy
    rows_read: int
    null_identifiers: int
    blank_identifiers: int
    malformed_identifiers: int
    duplicate_rows: int
    identifier_type: str | None = None


@dataclass(frozen=True, slots=True)
class Moves:
    """Who entered and left the segment since the reading before."""

    entered: int = 0
    left: int = 0


NOBODY_MOVED = Moves()


@dataclass(frozen=True, slots=True)
class StoredReading:
    """A reading, when it was made, how many members it found, and who entered and left."""

    at: datetime
    rows: Reading
    members: int = 0
    moves: Moves = NOBODY_MOVED


@dataclass(frozen=True, slots=True)
class Readings:
    """What the guards compare; each is None if there is none.

    Attributes:
        now: the reading behind a change set.
        applied: the one last applied to its destination.
        earlier: the one whose size is compared with what would be left; see `compared_readings`.
    """

    now: Reading | None
    applied: StoredReading | None
    earlier: StoredReading | None = None


def count_incoming(
    connection: duckdb.DuckDBPyConnection, match_by: MatchBy, identifier_type: str | None
) -> Reading:
    """Count the rows of `incoming` (see `stage_members`); the state need not be attached."""
    malformed = f"count(*) FILTER (identifier <> '' AND {_MALFORMED_EMAIL})"
    row = one_row(
        connection,
        f"""
        SELECT coalesce(sum(rows), 0),
               coalesce(sum(rows) FILTER (identifier IS NULL), 0),
               coalesce(sum(rows) FILTER (identifier = ''), 0),
               {malformed if match_by == "email" else 0},
               coalesce(sum(rows - 1) FILTER (identifier <> ''), 0)
        FROM incoming
        """,
    )
    total, null, blank, malformed_members, repeated = (int(value) for value in row)
    return Reading(match_by, total, null, blank, malformed_members, repeated, identifier_type)


def count_not_whole(connection: duckdb.DuckDBPyConnection) -> int:
    """The rows of `incoming` (see `stage_members`) whose identifier is not a whole number."""
    (rows,) = one_row(
        connection,
        """
        SELECT coalesce(sum(rows), 0) FROM incoming
        WHERE NOT regexp_full_match(identifier, '-?[0-9]+')
        """,
    )
    return int(rows)


_COLUMNS = ", ".join(field.name for field in fields(Reading))


def newest_reading(connection: duckdb.DuckDBPyConnection, activation: Activation) -> StoredReading | None:
    """The reading that the activation's membership is of; None before the first."""
    return _stored(connection, "activation = ?", [activation.key])


def applied_reading(connection: duckdb.DuckDBPyConnection, activation: Activation) -> StoredReading | None:
    """The newest reading that the activation's destination was made equal to; None before the first."""
    return _stored(connection, "activation = ? AND applied_to = ?", [activation.key, activation.destination])


def compared_readings(
    connection: duckdb.DuckDBPyConnection,
    activation: Activation,
    now: Reading | None,
    *,
    leaving: int,
    at: datetime,
) -> Readings:
    """The readings that the guards compare `now` with, at a time when so many contacts would lose the tag.

    `earlier` is read only if some would: the newest applied reading that is a week old or that a person
    released, else the first one.
    """
    earlier = None
    if leaving:
        earlier = _stored(
            connection,
            "activation = ? AND applied_to = ?",
            [activation.key, activation.destination, at - NET_SIZE_AGE],
            order="CASE WHEN released OR materialized_at <= ? THEN rowid ELSE -1 - rowid END DESC",
        )
    return Readings(now, applied_reading(connection, activation), earlier)


def _stored(
    connection: duckdb.DuckDBPyConnection,
    which: str,
    values: list[Any],
    *,
    order: str = "rowid DESC",
) -> StoredReading | None:
    # In the order of writing, not by time: a clock may have been wrong.
    found = first_row(
        connection,
        f'SELECT materialized_at, members, entered, "left", {_COLUMNS} FROM dinmo.membership_sizes'
        f" WHERE {which} ORDER BY {order} LIMIT 1",
        values,
    )
    if found is None:
        return None
    at, members, entered, left, *rows = found
    return StoredReading(at, Reading(*rows), members, Moves(entered, left))


def mark_applied(
    connection: duckdb.DuckDBPyConnection,
    activation: Activation,
    reading: StoredReading,
    *,
    released: bool = False,
) -> None:
    """Record that the destination is now as a reading wants it to be. Call it inside a transaction.

    `released` if a guard held the changes, and a person released them.
    """
    connection.execute(
        "UPDATE dinmo.membership_sizes SET applied_to = $destination, released = released OR $released"
        " WHERE activation = $activation AND materialized_at = $at",
        {
            "activation": activation.key,
            "destination": activation.destination,
            "at": reading.at,
            "released": released,
        },
    )


def record_unread(
    connection: duckdb.DuckDBPyConnection, reasons: Mapping[str, str], *, now: datetime
) -> None:
    """Record why the segments of some activations could not be read. Call it inside a transaction.

    `record_read` removes that, so the order of writing decides, and not a clock that may have been wrong.
    """
    connection.executemany(
        """
        INSERT INTO dinmo.unread_segments VALUES ($activation, $now, $now, 1, $reason)
        ON CONFLICT DO UPDATE SET failed_at = $now, failures = failures + 1, reason = $reason
        """,
        [{"activation": activation, "now": now, "reason": reason} for activation, reason in reasons.items()],
    )


def record_read(connection: duckdb.DuckDBPyConnection, activation: str) -> None:
    """Record that a segment was read. Call it inside a transaction."""
    connection.execute("DELETE FROM dinmo.unread_segments WHERE activation = ?", [activation])
