"""Who is in a segment: streamed from the source into the state, with history, in one transaction."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

import duckdb
import pyarrow as pa

from dinmo_pipeline.config.declarations import MatchBy
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.readings import Reading, count_incoming
from dinmo_pipeline.state.sql import literal, normalised, one_row


@dataclass(frozen=True, slots=True)
class Membership:
    """What a materialization of a membership found, and the rows it was made of.

    `members` are distinct usable identifiers now; `added` and `removed` count against the materialization
    before.
    """

    members: int
    added: int
    removed: int
    rows: Reading


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
    identifier_type: str | None = None,
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
    counted = Membership(*_count(connection), count_incoming(connection, match_by, identifier_type))
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
    _record_reading(connection, activation, counted, now=now)
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


def _count(connection: duckdb.DuckDBPyConnection) -> tuple[int, int, int]:
    """Members, added and removed."""
    members, added, removed = one_row(
        connection,
        """
        SELECT count(*) FILTER (identifier <> ''),
               (SELECT count(*) FROM moves WHERE added),
               (SELECT count(*) FROM moves WHERE NOT added)
        FROM incoming
        """,
    )
    return int(members), int(added), int(removed)


def _record_reading(
    connection: duckdb.DuckDBPyConnection, activation: str, counted: Membership, *, now: datetime
) -> None:
    # Readings are told from one another, and ordered, by their time: a clock that was put back must not
    # make an older one the newest.
    connection.execute(
        """
        INSERT INTO dinmo.membership_sizes BY NAME
        SELECT $activation AS activation, $members AS members, $added AS added, $removed AS removed,
               greatest($now, (SELECT max(materialized_at) + INTERVAL 1 MICROSECOND
                               FROM dinmo.membership_sizes WHERE activation = $activation)
               ) AS materialized_at,
               $match_by AS match_by, $rows_read AS rows_read,
               $null_identifiers AS null_identifiers, $blank_identifiers AS blank_identifiers,
               $malformed_identifiers AS malformed_identifiers, $duplicate_rows AS duplicate_rows,
               $identifier_type AS identifier_type
        """,
        {
            "activation": activation,
            "now": now,
            "members": counted.members,
            "added": counted.added,
            "removed": counted.removed,
            **asdict(counted.rows),
        },
    )


def refresh_membership(
    state: StateDatabase,
    activation: str,
    match_by: MatchBy,
    rows: pa.RecordBatchReader,
    *,
    now: datetime,
    identifier_type: str | None = None,
) -> Membership:
    """Stream a segment's rows (one text column `identifier`) and make them the membership.

    `identifier_type` is what the source calls the column's type. The state is locked for the writing only,
    not while the source delivers. A source that fails midway changes nothing.

    Raises:
        StateError: the state cannot be used.
    """
    with state.scratch() as connection:
        stage_members(connection, rows, match_by)
        with state.transaction(connection):
            return write_membership(
                connection, activation, match_by, now=now, identifier_type=identifier_type
            )
