"""The log of syncs: one row per run of an activation, from its start."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Literal

import duckdb

from dinmo_pipeline.state.sql import first_row, one_row

SyncStatus = Literal["ok", "held", "failed"]


class HoldReason(StrEnum):
    """Why a change set is held, as the column `hold_reason` stores it."""

    INCONSISTENT_COUNTS = "inconsistent_counts"
    EMPTY_SEGMENT = "empty_segment"
    UNANSWERED_MEMBERS = "unanswered_members"
    NOBODY_STAYS = "nobody_stays"
    REMOVED_SHARE = "max_removed_share"
    SHRUNK = "shrunk"
    UNIDENTIFIED_SHARE = "max_unidentified_share"
    GROWTH = "max_growth"
    NOT_AS_REVIEWED = "not_as_reviewed"


@dataclass(frozen=True, slots=True)
class SyncNumbers:
    """The numbers of a sync, as `dinmo sync --json` prints them.

    All but `api_calls` and `seconds` count members. `entered` and `left` are about the segment: who is in the
    newest reading and was not in the one before, and the reverse. `to_tag` and `to_untag` are about Intercom:
    what was to be done, whoever left it undone. Intercom confirmed `tagged` and `untagged` in this sync, and
    refused `failed`. Of those to tag, `skipped` have several users and `not_found` have none; `pending` were
    not tried or have an unknown outcome. So `to_tag + to_untag` is the sum of `tagged`, `untagged`,
    `skipped`, `not_found`, `failed` and `pending`. `members`, `not_in_intercom`, `never_looked_up` and
    `ambiguous` count current members. `other_carriers` counts contacts that carry the tag and that we did
    not tag, as last counted; None before that. `tagged_contacts` are those that carry it because of us, after
    the sync.
    """

    members: int = 0
    entered: int = 0
    left: int = 0
    to_tag: int = 0
    to_untag: int = 0
    tagged: int = 0
    untagged: int = 0
    skipped: int = 0
    not_found: int = 0
    not_in_intercom: int = 0
    never_looked_up: int = 0
    ambiguous: int = 0
    failed: int = 0
    pending: int = 0
    api_calls: int = 0
    seconds: float = 0.0
    other_carriers: int | None = None
    tagged_contacts: int | None = None

    @property
    def match_rate(self) -> float | None:
        """See `match_rate`."""
        return match_rate(self.members, self.not_in_intercom, self.never_looked_up)


def match_rate(members: int, not_in_intercom: int, never_looked_up: int) -> float | None:
    """The share of members that exist as users in Intercom, of those it was asked about; None without any.

    >>> match_rate(300, 50, 100), match_rate(300, 0, 300)
    (0.75, None)
    """
    asked = members - never_looked_up
    return round((asked - not_in_intercom) / asked, 4) if asked > 0 else None


_NUMBERS = tuple(field.name for field in fields(SyncNumbers))


@dataclass(frozen=True, slots=True)
class SyncResult:
    """How a sync ended: a row of `dinmo.syncs`.

    `reason` is a sentence for a person, unless the sync is ok; `hold_reason` is set when it is held. A failed
    sync `is_transient` if the same may succeed later. `tagged_contacts` are then in the ledger. These two are
    not stored.
    """

    status: SyncStatus
    reason: str | None = None
    hold_reason: HoldReason | None = None
    numbers: SyncNumbers = SyncNumbers()
    is_transient: bool = False
    tagged_contacts: int = field(default=0, compare=False)


def start_sync(
    connection: duckdb.DuckDBPyConnection, sync_id: str, activation: str, *, now: datetime
) -> None:
    """Open a sync; an earlier one of the activation that never finished was interrupted.

    The caller holds the activation's lock, so no other sync of it is running.
    """
    _interrupt(connection, "activation", activation, now)
    connection.execute(
        "INSERT INTO dinmo.syncs (sync_id, activation, started_at, status) VALUES (?, ?, ?, 'running')",
        [sync_id, activation, now],
    )


def interrupt_sync(connection: duckdb.DuckDBPyConnection, sync_id: str, *, now: datetime) -> None:
    """Close the syncs of a run whose process died, if they had begun. Call it inside a transaction."""
    _interrupt(connection, "sync_id", sync_id, now)


def _interrupt(
    connection: duckdb.DuckDBPyConnection,
    column: Literal["activation", "sync_id"],
    value: str,
    now: datetime,
) -> None:
    connection.execute(
        "UPDATE dinmo.syncs SET status = 'interrupted', finished_at = $now,"
        " reason = 'The process ended before the sync did. The next sync will finish the rest.'"
        f" WHERE {column} = $value AND status = 'running'",
        {"value": value, "now": now},
    )


def finish_sync(
    connection: duckdb.DuckDBPyConnection, sync_id: str, activation: str, result: SyncResult, *, now: datetime
) -> None:
    """Close a sync with its result."""
    columns = ", ".join(f'"{name}" = ${name}' for name in _NUMBERS)
    connection.execute(
        "UPDATE dinmo.syncs SET status = $status, reason = $reason, hold_reason = $hold_reason,"
        f" finished_at = $now, {columns} WHERE sync_id = $sync_id AND activation = $activation",
        {
            "status": result.status,
            "reason": result.reason,
            "hold_reason": result.hold_reason,
            "now": now,
            "sync_id": sync_id,
            "activation": activation,
            **{name: getattr(result.numbers, name) for name in _NUMBERS},
        },
    )


def finished_sync(connection: duckdb.DuckDBPyConnection, sync_id: str, activation: str) -> SyncResult | None:
    """The result of a sync; None when it never started, still runs, or was interrupted."""
    columns = ", ".join(f'"{name}"' for name in _NUMBERS)
    row = first_row(
        connection,
        f"SELECT status, reason, hold_reason, {columns} FROM dinmo.syncs"
        " WHERE sync_id = ? AND activation = ? AND status IN ('ok', 'held', 'failed')",
        [sync_id, activation],
    )
    if row is None:
        return None
    status, reason, hold_reason, *numbers = row
    return SyncResult(status, reason, HoldReason(hold_reason) if hold_reason else None, SyncNumbers(*numbers))


@dataclass(frozen=True, slots=True)
class LoggedOutcomes:
    """Members by the outcome of their changes in a sync; one with several contacts counts by the worst.

    `gone` are members to tag whose contact no longer exists.
    """

    tagged: int
    untagged: int
    gone: int
    failed: int
    pending: int


def count_outcomes(connection: duckdb.DuckDBPyConnection, sync_id: str, activation: str) -> LoggedOutcomes:
    """Count the members of a sync by the outcome of their changes."""
    row = one_row(
        connection,
        """
        WITH worst AS (
            SELECT change, identifier,
                   max(CASE outcome WHEN 'applied' THEN 1 WHEN 'pending' THEN 2
                                    WHEN 'failed' THEN 3 ELSE 0 END) AS rank
            FROM dinmo.change_log WHERE sync_id = ? AND activation = ? GROUP BY ALL
        )
        SELECT count(*) FILTER (change = 'entered' AND rank = 1),
               count(*) FILTER (change = 'left' AND rank <= 1),
               count(*) FILTER (change = 'entered' AND rank = 0),
               count(*) FILTER (rank = 3),
               count(*) FILTER (rank = 2)
        FROM worst
        """,
        [sync_id, activation],
    )
    return LoggedOutcomes(*row)


def newest_outcomes(
    connection: duckdb.DuckDBPyConnection, activation: str, change: str, *, limit: int
) -> list[str]:
    """Some identifiers whose change the newest sync of an activation applied, in alphabetical order."""
    found = connection.execute(
        """
        SELECT DISTINCT identifier FROM dinmo.change_log
        WHERE activation = $activation AND change = $change AND outcome = 'applied'
          AND sync_id = (SELECT arg_max(sync_id, rowid) FROM dinmo.syncs
                         WHERE activation = $activation)
        ORDER BY identifier LIMIT $limit
        """,
        {"activation": activation, "change": change, "limit": limit},
    ).fetchall()
    return [row[0] for row in found]
