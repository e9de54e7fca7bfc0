"""The members of a segment: streamed from the source into the state, with history."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import duckdb
import pyarrow as pa

from dinmo_pipeline.config.declarations import MatchBy
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.readings import Moves, Reading, count_incoming, record_read
from dinmo_pipeline.state.sql import literal, members_of, normalised, one_row


@dataclass(frozen=True, slots=True)
class Membership:
    """The result of materializing a membership.

    Attributes:
        members: distinct usable identifiers.
        entered: members that were not in the reading before.
        left: members of the reading before that are no longer there.
        rows: the rows that the source delivered.
    """

    members: int
    entered: int
    left: int
    rows: Reading


@dataclass(frozen=True, slots=True)
class StagedMembers:
    """What `incoming` (see `stage_members`) holds: the moment of the reading, and the type in the source."""

    at: datetime
    identifier_type: str | None = None


Found = TypeVar("Found")
Stage = Callable[[duckdb.DuckDBPyConnection], StagedMembers]
"""Reads a segment into `incoming` of a scratch connection, and has closed the source when it returns."""


def stage_members(
    connection: duckdb.DuckDBPyConnection, rows: pa.RecordBatchReader, match_by: MatchBy
) -> None:
    """Stream one text column `identifier` into the temporary table `incoming`: one row per identifier.

    `incoming(identifier, rows)` has normalised, distinct identifiers, including blank ones and NULL. An
    error of the stream is raised as it is, and leaves no table.
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
        # DuckDB turns an error of the stream into an error of its own, with a traceback as its text.
        if failures:
            raise failures[0] from None
        raise
    finally:
        connection.unregister("member_rows")


def _watched(rows: pa.RecordBatchReader, failures: list[Exception]) -> pa.RecordBatchReader:
    """The same stream; errors that it raises are added to `failures`."""

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

    Only differences are written, so an unchanged membership takes one join and no storage. Members who left
    move to the history.
    """
    # The only scan of the membership; members who left are then deleted by row number.
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
    if counted.left:
        _move_to_history(connection, activation, now=now)
    if counted.entered:
        connection.execute(
            """
            INSERT INTO dinmo.segment_membership
            SELECT $activation, identifier, $now FROM moves WHERE added
            """,
            {"activation": activation, "now": now},
        )
    _record_reading(connection, activation, counted, now=now)
    return counted


def count_moves(connection: duckdb.DuckDBPyConnection, activation: str) -> Moves:
    """Count who in `incoming` (see `stage_members`) entered, and who left; nothing is written."""
    return Moves(
        *one_row(
            connection,
            f"""
            SELECT count(*) FILTER (known.identifier IS NULL), count(*) FILTER (incoming.identifier IS NULL)
            FROM {USABLE_INCOMING} AS incoming
            FULL JOIN {members_of(activation)} AS known ON incoming.identifier = known.identifier
            """,
        )
    )


def _move_to_history(connection: duckdb.DuckDBPyConnection, activation: str, *, now: datetime) -> None:
    """Move the members of `moves` who left from the membership to the history."""
    # A stay must not end before it began, even if the clock was set back.
    connection.execute(
        """
        INSERT INTO dinmo.membership_departures
        SELECT $activation, identifier, entered_at, greatest(entered_at, $now)
        FROM moves WHERE NOT added
        """,
        {"activation": activation, "now": now},
    )
    connection.execute(
        "DELETE FROM dinmo.segment_membership WHERE rowid IN (SELECT row_number FROM moves WHERE NOT added)"
    )


def earlier_sizes(
    connection: duckdb.DuckDBPyConnection, activation: str, *, limit: int
) -> list[tuple[datetime, int]]:
    """The times and sizes of the latest materializations, newest first."""
    return connection.execute(
        "SELECT materialized_at, members FROM dinmo.membership_sizes WHERE activation = ?"
        " ORDER BY rowid DESC LIMIT ?",
        [activation, limit],
    ).fetchall()


SIZES_COMPARED = timedelta(weeks=9)
"""So long a history says what size is usual: two months, for a segment that starts anew each month."""


@dataclass(frozen=True, slots=True)
class SizeOnDay:
    """The size of a segment so many days before its newest reading."""

    days_ago: int
    members: int


def daily_sizes(
    connection: duckdb.DuckDBPyConnection, activation: str, *, within: timedelta = SIZES_COMPARED
) -> tuple[list[SizeOnDay], bool]:
    """The sizes within a time of the newest reading, newest first; and whether the one before was unusual.

    The first is that of the newest reading. Then follows one for each day, counted back from it: the last
    that was read on it. A reading that came up to two hours late belongs to its day.
    """
    readings = connection.execute(
        "SELECT materialized_at, members, size_note FROM dinmo.membership_sizes WHERE activation = ?"
        " ORDER BY rowid DESC LIMIT 2",
        [activation],
    ).fetchall()
    if not readings:
        return [], False
    at, members, _ = readings[0]
    earlier = connection.execute(
        """
        SELECT floor((epoch($at) - epoch(materialized_at) + 7200) / 86400)::INTEGER AS days_ago,
               arg_max(members, rowid)
        FROM dinmo.membership_sizes
        WHERE activation = $activation AND materialized_at BETWEEN $since AND $at
        GROUP BY days_ago HAVING days_ago > 0 ORDER BY days_ago
        """,
        {"activation": activation, "at": at, "since": at - within},
    ).fetchall()
    was_unusual = any(note is not None for *_, note in readings[1:])
    return [SizeOnDay(0, members), *(SizeOnDay(*each) for each in earlier)], was_unusual


def note_size(connection: duckdb.DuckDBPyConnection, activation: str, note: str) -> None:
    """Note with the newest reading of a segment that its size is unusual."""
    connection.execute(
        """
        UPDATE dinmo.membership_sizes SET size_note = $note
        WHERE rowid = (SELECT max(rowid) FROM dinmo.membership_sizes WHERE activation = $activation)
        """,
        {"activation": activation, "note": note},
    )


def _count(connection: duckdb.DuckDBPyConnection) -> tuple[int, int, int]:
    """Members, and who entered and left."""
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
    record_read(connection, activation)
    connection.execute(
        """
        INSERT INTO dinmo.membership_sizes BY NAME
        SELECT $activation AS activation, $members AS members, $entered AS entered, $left AS "left",
               $now AS materialized_at, false AS released,
               $match_by AS match_by, $rows_read AS rows_read,
               $null_identifiers AS null_identifiers, $blank_identifiers AS blank_identifiers,
               $malformed_identifiers AS malformed_identifiers, $duplicate_rows AS duplicate_rows,
               $identifier_type AS identifier_type
        """,
        {
            "activation": activation,
            "now": now,
            "members": counted.members,
            "entered": counted.entered,
            "left": counted.left,
            **asdict(counted.rows),
        },
    )


def refresh_membership(state: StateDatabase, activation: str, match_by: MatchBy, stage: Stage) -> Membership:
    """Read a segment and make its rows the membership; see `refresh_and_look`."""
    return refresh_and_look(state, activation, match_by, stage, lambda _connection: None)[0]


def refresh_and_look(
    state: StateDatabase,
    activation: str,
    match_by: MatchBy,
    stage: Stage,
    look: Callable[[duckdb.DuckDBPyConnection], Found],
) -> tuple[Membership, Found]:
    """Read a segment and make its rows the membership, then `look` at the state in the same transaction.

    The state is locked only for writing, not while the source delivers. If the source fails midway, nothing
    changes.

    Raises:
        StateError: the state cannot be used.
        Exception: what `stage` raises.
    """
    with state.scratch() as connection:
        staged = stage(connection)
        with state.transaction(connection):
            membership = write_membership(
                connection, activation, match_by, now=staged.at, identifier_type=staged.identifier_type
            )
            return membership, look(connection)
