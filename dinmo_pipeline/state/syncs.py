"""The log of syncs: one row per run of an activation, from its start."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal

import duckdb

from dinmo_pipeline.state.sql import one_row

SyncStatus = Literal["ok", "held", "failed"]


@dataclass(frozen=True, slots=True)
class SyncNumbers:
    """The numbers of a sync, as `dinmo sync --json` prints them.

    All but `api_calls` and `seconds` count members. `tagged` and `untagged` were confirmed by Intercom in
    this sync, `failed` refused; `pending` was not tried or has an unknown outcome. `members`,
    `not_in_intercom` and `ambiguous` are about the current members.
    """

    members: int = 0
    entered: int = 0
    left: int = 0
    tagged: int = 0
    untagged: int = 0
    not_in_intercom: int = 0
    ambiguous: int = 0
    failed: int = 0
    pending: int = 0
    api_calls: int = 0
    seconds: float = 0.0


def start_sync(
    connection: duckdb.DuckDBPyConnection, sync_id: str, activation: str, *, now: datetime
) -> None:
    """Open a sync; an earlier one of the activation that never finished was interrupted.

    The caller holds the activation's lock, so no other sync of it is running.
    """
    _interrupt(connection, "activation", activation, now)
    connection.execute(
        "INSERT INTO dinmo.syncs (sync_id, activation, started_at, status)"
        " VALUES (?, ?, ?, 'running')",
        [sync_id, activation, now],
    )


def interrupt_sync(connection: duckdb.DuckDBPyConnection, sync_id: str, *, now: datetime) -> None:
    """Close a sync whose process died, if it had begun. Call it inside a transaction."""
    _interrupt(connection, "sync_id", sync_id, now)


def _interrupt(
    connection: duckdb.DuckDBPyConnection,
    column: Literal["activation", "sync_id"],
    value: str,
    now: datetime,
) -> None:
    connection.execute(
        "UPDATE dinmo.syncs SET status = 'interrupted', finished_at = $now,"
        " reason = 'The process ended before the sync did; the next sync does the rest.'"
        f" WHERE {column} = $value AND status = 'running'",
        {"value": value, "now": now},
    )


def finish_sync(
    connection: duckdb.DuckDBPyConnection,
    sync_id: str,
    status: SyncStatus,
    reason: str | None,
    numbers: SyncNumbers,
    *,
    now: datetime,
) -> None:
    """Close a sync with its status and numbers."""
    columns = ", ".join(f'"{field.name}" = ${field.name}' for field in fields(SyncNumbers))
    connection.execute(
        f"UPDATE dinmo.syncs SET status = $status, reason = $reason, finished_at = $now, {columns}"
        " WHERE sync_id = $sync_id",
        {
            "status": status,
            "reason": reason,
            "now": now,
            "sync_id": sync_id,
            **{field.name: getattr(numbers, field.name) for field in fields(SyncNumbers)},
        },
    )


@dataclass(frozen=True, slots=True)
class LoggedOutcomes:
    """What a sync logged, in members: a member with several contacts counts once, by the worst."""

    tagged: int
    untagged: int
    failed: int
    pending: int


def count_outcomes(connection: duckdb.DuckDBPyConnection, sync_id: str) -> LoggedOutcomes:
    """Count the members by what became of their changes in a sync."""
    row = one_row(
        connection,
        """
        WITH worst AS (
            SELECT change, identifier,
                   max(CASE outcome WHEN 'applied' THEN 1 WHEN 'pending' THEN 2
                                    WHEN 'failed' THEN 3 ELSE 0 END) AS rank
            FROM dinmo.change_log WHERE sync_id = ? GROUP BY ALL
        )
        SELECT count(*) FILTER (change = 'entered' AND rank = 1),
               count(*) FILTER (change = 'left' AND rank <= 1),
               count(*) FILTER (rank = 3),
               count(*) FILTER (rank = 2)
        FROM worst
        """,
        [sync_id],
    )
    return LoggedOutcomes(*row)


def last_sync(connection: duckdb.DuckDBPyConnection, activation: str) -> dict[str, object] | None:
    """The newest sync of an activation as a mapping of its columns; None before the first."""
    cursor = connection.execute(
        "SELECT * FROM dinmo.syncs WHERE activation = ? ORDER BY started_at DESC LIMIT 1",
        [activation],
    )
    columns = [column[0] for column in cursor.description or ()]
    rows = cursor.fetchall()
    return dict(zip(columns, rows[0], strict=True)) if rows else None


def newest_outcomes(
    connection: duckdb.DuckDBPyConnection, activation: str, change: str, *, limit: int
) -> list[str]:
    """Some identifiers whose change the newest sync of an activation applied."""
    found = connection.execute(
        """
        SELECT DISTINCT identifier FROM dinmo.change_log
        WHERE activation = $activation AND change = $change AND outcome = 'applied'
          AND sync_id = (SELECT arg_max(sync_id, started_at) FROM dinmo.syncs
                         WHERE activation = $activation)
        ORDER BY identifier LIMIT $limit
        """,
        {"activation": activation, "change": change, "limit": limit},
    ).fetchall()
    return [row[0] for row in found]
