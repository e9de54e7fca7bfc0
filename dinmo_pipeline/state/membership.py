"""Who is in a segment: streamed from the source into the state, with history, in one transaction."""

from dataclasses import dataclass
from datetime import datetime

import duckdb
import pyarrow as pa

from dinmo_pipeline.config.declarations import MatchBy
from dinmo_pipeline.state.database import StateDatabase
from dinmo_pipeline.state.sql import members_of, normalised, one_row

# One @, something before it, a dot somewhere after it, no space: all else cannot be an address.
# LIKE costs a third of a regular expression.
_MALFORMED_EMAIL = (
    "(identifier NOT LIKE '%_@_%._%' OR identifier LIKE '%@%@%' OR contains(identifier, ' '))"
)


@dataclass(frozen=True, slots=True)
class Membership:
    """What a materialization of a membership read and found. All counts are rows or identifiers.

    `members` are distinct usable identifiers now; `added` and `removed` count against the materialization
    before. Null and blank identifiers are no members; malformed emails are, but Intercom cannot know them.
    """

    members: int
    added: int
    removed: int
    rows_read: int
    null_identifiers: int
    blank_identifiers: int
    malformed_identifiers: int
    duplicate_rows: int


def stage_members(
    connection: duckdb.DuckDBPyConnection, rows: pa.RecordBatchReader, match_by: MatchBy
) -> None:
    """Stream one text column `identifier` into the temporary table `incoming`: one row per identifier.

    `incoming(identifier, rows)` is normalised and distinct, with blank and NULL identifiers still in it.
    An error of the stream leaves nothing behind.
    """
    connection.register("member_rows", rows)
    try:
        connection.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE incoming AS
            SELECT {normalised("identifier", match_by)} AS identifier, count(*) AS rows
            FROM member_rows GROUP BY ALL
            """
        )
    finally:
        connection.unregister("member_rows")


USABLE_INCOMING = "(SELECT identifier FROM incoming WHERE identifier <> '')"


def write_membership(
    connection: duckdb.DuckDBPyConnection,
    activation: str,
    match_by: MatchBy,
    *,
    now: datetime,
) -> Membership:
    """Make `incoming` (see `stage_members`) the activation's membership. Call it inside a transaction.

    Only differences are written, so an unchanged membership costs one join and no storage; who left
    goes to the history.
    """
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE moves AS
        SELECT coalesce(incoming.identifier, known.identifier) AS identifier,
               known.identifier IS NULL AS added
        FROM {USABLE_INCOMING} AS incoming
        FULL JOIN {members_of(activation)} AS known ON incoming.identifier = known.identifier
        WHERE incoming.identifier IS NULL OR known.identifier IS NULL
        """
    )
    counted = _count(connection, match_by)
    if counted.removed:
        connection.execute(
            """
            INSERT INTO dinmo.membership_departures
            SELECT activation, identifier, entered_at, $now
            FROM dinmo.segment_membership SEMI JOIN (SELECT identifier FROM moves WHERE NOT added)
                USING (identifier)
            WHERE activation = $activation
            """,
            {"activation": activation, "now": now},
        )
        connection.execute(
            """
            DELETE FROM dinmo.segment_membership
            WHERE activation = $activation
              AND identifier IN (SELECT identifier FROM moves WHERE NOT added)
            """,
            {"activation": activation},
        )
    if counted.added:
        connection.execute(
            """
            INSERT INTO dinmo.segment_membership
            SELECT $activation, identifier, $now FROM moves WHERE added
            """,
            {"activation": activation, "now": now},
        )
    connection.execute(
        """
        INSERT INTO dinmo.membership_sizes
        VALUES ($activation, $now, $match_by, $members, $added, $removed, $rows_read,
                $null_identifiers, $blank_identifiers, $malformed_identifiers, $duplicate_rows)
        """,
        {"activation": activation, "now": now, "match_by": match_by, **_as_parameters(counted)},
    )
    return counted


def earlier_sizes(
    connection: duckdb.DuckDBPyConnection, activation: str, *, limit: int
) -> list[int]:
    """The member counts of the newest materializations, newest first."""
    found = connection.execute(
        "SELECT members FROM dinmo.membership_sizes WHERE activation = ?"
        " ORDER BY materialized_at DESC LIMIT ?",
        [activation, limit],
    ).fetchall()
    return [int(row[0]) for row in found]


def _count(connection: duckdb.DuckDBPyConnection, match_by: MatchBy) -> Membership:
    malformed = f"count(*) FILTER (identifier <> '' AND {_MALFORMED_EMAIL})"
    row = one_row(
        connection,
        f"""
        SELECT count(*) FILTER (identifier <> ''),
               (SELECT count(*) FROM moves WHERE added),
               (SELECT count(*) FROM moves WHERE NOT added),
               coalesce(sum(rows), 0),
               coalesce(sum(rows) FILTER (identifier IS NULL), 0),
               coalesce(sum(rows) FILTER (identifier = ''), 0),
               {malformed if match_by == "email" else 0},
               coalesce(sum(rows - 1) FILTER (identifier <> ''), 0)
        FROM incoming
        """,
    )
    return Membership(*(int(value) for value in row))


def _as_parameters(counted: Membership) -> dict[str, int]:
    return {name: getattr(counted, name) for name in Membership.__slots__}


def refresh_membership(
    state: StateDatabase,
    activation: str,
    match_by: MatchBy,
    rows: pa.RecordBatchReader,
    *,
    now: datetime,
) -> Membership:
    """Stream a segment's rows (one text column `identifier`) and make them the membership.

    The state is locked for the writing only, not while the source delivers. A source that fails midway
    changes nothing.

    Raises:
        StateError: the state cannot be used.
    """
    with state.scratch() as connection:
        stage_members(connection, rows, match_by)
        with state.transaction(connection):
            return write_membership(connection, activation, match_by, now=now)
