"""Readings of a segment: the counts of their rows, and which reading was last applied to Intercom.

A row whose identifier turned NULL upstream looks like a member who left. Only the counts of such rows,
compared with those of the reading last applied, distinguish the two: see `sync/guards/lost_identifiers.py`.
"""

from dataclasses import dataclass, fields
from datetime import datetime

import duckdb

from dinmo_pipeline.config.declarations import Activation, MatchBy
from dinmo_pipeline.state.sql import first_row, one_row

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
class StoredReading:
    """A reading, and when it was made."""

    at: datetime
    rows: Reading


@dataclass(frozen=True, slots=True)
class Readings:
    """The reading behind a change set, and the one last applied to its destination; None if there is none."""

    now: Reading | None
    applied: StoredReading | None


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


def _stored(connection: duckdb.DuckDBPyConnection, which: str, values: list[str]) -> StoredReading | None:
    found = first_row(
        connection,
        f"SELECT materialized_at, {_COLUMNS} FROM dinmo.membership_sizes"
        f" WHERE {which} ORDER BY materialized_at DESC LIMIT 1",
        values,
    )
    return StoredReading(found[0], Reading(*found[1:])) if found else None


def mark_applied(
    connection: duckdb.DuckDBPyConnection, activation: Activation, reading: StoredReading
) -> None:
    """Record that the destination is now as a reading wants it to be. Call it inside a transaction."""
    connection.execute(
        "UPDATE dinmo.membership_sizes SET applied_to = $destination"
        " WHERE activation = $activation AND materialized_at = $at",
        {
            "activation": activation.key,
            "destination": activation.destination,
            "at": reading.at,
        },
    )
