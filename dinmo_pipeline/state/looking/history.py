"""The history of an activation: its syncs, its size day by day, and who entered and left last."""

from dataclasses import dataclass, fields
from datetime import date, datetime

import duckdb

from dinmo_pipeline.state.syncs import match_rate

MAX_MOVES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class PastSync:
    """A sync of an activation, as `dinmo.syncs` has it; a number is None if it was not counted."""

    started_at: datetime
    status: str
    reason: str | None
    members: int | None
    entered: int | None
    left: int | None
    to_tag: int | None
    to_untag: int | None
    tagged: int | None
    untagged: int | None
    not_in_intercom: int | None
    never_looked_up: int | None
    failed: int | None
    pending: int | None
    api_calls: int | None
    seconds: float | None

    @property
    def match_rate(self) -> float | None:
        """See `state.syncs.match_rate`; None if it was not counted."""
        if self.members is None or self.not_in_intercom is None:
            return None
        return match_rate(self.members, self.not_in_intercom, self.never_looked_up or 0)


@dataclass(frozen=True, slots=True)
class Day:
    """A day (UTC) of a segment: its size at the last reading, and who entered and left in all readings."""

    day: date
    members: int
    entered: int
    left: int


@dataclass(frozen=True, slots=True)
class Move:
    """A member who entered or left the segment; the identifier is not masked."""

    at: datetime
    change: str
    identifier: str


@dataclass(frozen=True, slots=True)
class History:
    """What happened to an activation since a time: its newest syncs, of so many in all."""

    syncs: tuple[PastSync, ...]
    all_syncs: int
    days: tuple[Day, ...]
    moves: tuple[Move, ...]


NOTHING = History((), 0, (), ())


def history_of(
    connection: duckdb.DuckDBPyConnection, activation: str, *, since: datetime, limit: int
) -> History:
    """The history of an activation since a time, with at most so many of its syncs, the newest first."""
    columns = ", ".join(f'"{field.name}"' for field in fields(PastSync))
    syncs = connection.execute(
        f"SELECT {columns}, count(*) OVER () FROM dinmo.syncs WHERE activation = ? AND started_at >= ?"
        " ORDER BY rowid DESC LIMIT ?",
        [activation, since, limit],
    ).fetchall()
    days = connection.execute(
        """
        SELECT CAST(materialized_at AS DATE) AS day, arg_max(members, rowid),
               sum(entered)::BIGINT, sum("left")::BIGINT
        FROM dinmo.membership_sizes WHERE activation = ? AND materialized_at >= ?
        GROUP BY day ORDER BY day
        """,
        [activation, since],
    ).fetchall()
    return History(
        tuple(PastSync(*row[:-1]) for row in syncs),
        syncs[0][-1] if syncs else 0,
        tuple(Day(*row) for row in days),
        tuple(newest_moves(connection, activation, since=since)),
    )


def newest_moves(connection: duckdb.DuckDBPyConnection, activation: str, *, since: datetime) -> list[Move]:
    """The last members who entered and who left since a time, a few of each, the newest first."""
    found = connection.execute(
        f"""
        (SELECT entered_at AS moved_at, 'entered' AS change, identifier FROM dinmo.membership_history
         WHERE activation = $activation AND entered_at >= $since
         ORDER BY moved_at DESC, identifier LIMIT {MAX_MOVES_SHOWN})
        UNION ALL
        (SELECT left_at, 'left', identifier FROM dinmo.membership_departures
         WHERE activation = $activation AND left_at >= $since
         ORDER BY left_at DESC, identifier LIMIT {MAX_MOVES_SHOWN})
        ORDER BY moved_at DESC, change, identifier
        """,
        {"activation": activation, "since": since},
    ).fetchall()
    return [Move(*row) for row in found]
