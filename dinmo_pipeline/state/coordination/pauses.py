"""Activations that a person has paused: neither schedules nor sensors sync them until they are resumed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import duckdb


@dataclass(frozen=True, slots=True)
class Pause:
    """Since when an activation is paused, and why, as far as the person said."""

    paused_at: datetime
    reason: str | None

    @property
    def sentence(self) -> str:
        """`Paused since 2026-03-01 12:00 UTC: the sales team cleans up.`."""
        why = f": {self.reason.rstrip(' .')}" if self.reason else ""
        return f"Paused since {self.paused_at:%Y-%m-%d %H:%M} UTC{why}."


def pauses(connection: duckdb.DuckDBPyConnection) -> dict[str, Pause]:
    """The paused activations by key, in alphabetical order."""
    rows = connection.execute(
        "SELECT activation, paused_at, reason FROM dinmo.pauses ORDER BY activation"
    ).fetchall()
    return {activation: Pause(paused_at, reason) for activation, paused_at, reason in rows}


def pause(
    connection: duckdb.DuckDBPyConnection, activations: Iterable[str], reason: str | None, *, now: datetime
) -> None:
    """Pause activations. One that is paused already keeps its time, and its reason unless there is a new one.

    Call it inside a transaction.
    """
    connection.executemany(
        """
        INSERT INTO dinmo.pauses VALUES (?, ?, ?)
        ON CONFLICT DO UPDATE SET reason = coalesce(excluded.reason, reason)
        """,
        [[activation, now, reason] for activation in activations],
    )


def resume(connection: duckdb.DuckDBPyConnection, activations: Iterable[str]) -> None:
    """End the pause of activations. Call it inside a transaction."""
    connection.execute("DELETE FROM dinmo.pauses WHERE list_contains(?, activation)", [list(activations)])
