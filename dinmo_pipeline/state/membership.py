"""Who is in a segment: streamed from the source into the state, with history, in one transaction."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import duckdb
import pyarrow as pa

from dinmo_pipeline.config.declarations import MatchBy
from dinmo_pipeline.state.database import StateDatabase
from dinmo_pipeline.state.sql import literal, normalised, one_row

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
    An error of the stream leaves nothing behind, and is raised as it is.
    """
    failures: list[Exception] = []
    connection.register("member_rows", _watched(rows, failures))
    try:
        connection.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE incoming AS
            SELECT {normalised("identifier", match_by)} AS identifier, count(*) AS rows
            FROM member_rows GROUP BY ALL
            """
        )
    except duckdb.Error:
        # DuckDB makes a traceback in an error of its own out of what the stream raised.
        if failures:
            raise failures[0] from None
        raise
    finally:
        connection.unregister("member_rows")


def _watched(rows: pa.RecordBatchReader, failures: list[Exception]) -> pa.RecordBatchReader:
    """The same stream; what it raises is kept."""

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            yield from rows
        except Exception as error:
            failures.append(error)
            raise

    return pa.RecordBatchReader.from_batches(rows.schema, batches())


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
    # The one look at the membership; who leaves is then removed by row number.
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE moves AS
        SELECT coalesce(incoming.identifier, known.identifier) AS identifier,
               known.identifier IS NULL AS added, known.row_number, known.entered_at
        FROM {USABLE_INCOMING} AS incoming
        FULL JOIN (
            SELECT identifier, rowid AS row_number, entered_at FROM dinmo.segment_membership
            WHERE activation = {literal(activation)}
        ) AS known ON incoming.identifier = known.identifier
        WHERE incoming.identifier IS NULL OR known.identifier IS NULL
        """
    )
    counted = _count(connection, match_by)
    if counted.removed:
        _let_leave(connection, activation, now=now)
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


def _let_leave(connection: duckdb.DuckDBPyConnection, activation: str, *, now: datetime) -> None:
    """Move those of `moves` who left from the membership to the history."""
    # A clock that was put back must not make a stay end before it began.
    connection.execute(
        """
        INSERT INTO dinmo.membership_departures
        SELECT $activation, identifier, entered_at, greatest(entered_at, $now)
        FROM moves WHERE NOT added
        """,
        {"activation": activation, "now": now},
    )
    connection.execute(
        "DELETE FROM dinmo.segment_membership"
        " WHERE rowid IN (SELECT row_number FROM moves WHERE NOT added)"
    )


def earlier_sizes(
    connection: duckdb.DuckDBPyConnection, activation: str, *, limit: int
) -> list[tuple[datetime, int]]:
    """When the newest memberships were materialized and how many members they had, newest first."""
    return connection.execute(
        "SELECT materialized_at, members FROM dinmo.membership_sizes WHERE activation = ?"
        " ORDER BY materialized_at DESC LIMIT ?",
        [activation, limit],
    ).fetchall()


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
