"""Leases: who works on a destination, where the state has a file for each and runs execute on many machines.

A lease is a row of the destination's own file, so that nothing else needs to be shared between machines. It
says who took it and where. Whether that run or command still lives is for the caller to find out.
"""

from dataclasses import dataclass
from datetime import datetime

import duckdb

from dinmo_pipeline.state.sql import first_row


@dataclass(frozen=True, slots=True)
class Lease:
    """The newest lease of a destination.

    `holder` is the id of a run, or of a command; `machine` and `pid` say which process it is. It is over once
    it has been released.
    """

    holder: str
    machine: str
    pid: int
    taken_at: datetime
    released_at: datetime | None = None


def newest_lease(connection: duckdb.DuckDBPyConnection, destination: str) -> Lease | None:
    """The newest lease of a destination; None before the first."""
    found = first_row(
        connection,
        "SELECT holder, machine, pid, taken_at, released_at FROM dinmo.leases WHERE destination = ?",
        [destination],
    )
    return Lease(*found) if found else None


def take_lease(
    connection: duckdb.DuckDBPyConnection, destination: str, lease: Lease, *, after: Lease | None
) -> bool:
    """Take a lease unless somebody else did since `after` was the newest. Call it inside a transaction."""
    if newest_lease(connection, destination) != after:
        return False
    connection.execute(
        "INSERT OR REPLACE INTO dinmo.leases VALUES (?, ?, ?, ?, ?, NULL)",
        [destination, lease.holder, lease.machine, lease.pid, lease.taken_at],
    )
    return True


def release_lease(
    connection: duckdb.DuckDBPyConnection, destination: str, holder: str, *, now: datetime
) -> None:
    """End a lease, unless somebody else has it by now. Call it inside a transaction."""
    connection.execute(
        "UPDATE dinmo.leases SET released_at = ? WHERE destination = ? AND holder = ?",
        [now, destination, holder],
    )
