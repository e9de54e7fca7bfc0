"""All audiences over time, aggregated in SQL: the result does not grow with the number of syncs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

import duckdb

from dinmo_pipeline.state.sql import one_row

Bucket = Literal["day", "week"]
# A matrix that a person can read, and whose members a machine of any size can count in one pass.
MAX_COMPARED = 12
MAX_MEMBERS_COMPARED = 20_000_000
_MOVES_OF_EACH_KIND = 5


@dataclass(frozen=True, slots=True)
class Period:
    """An activation in a day or week (UTC), by its start.

    `members` are those of the last reading in it, `entered` and `left` the sums of all; `tagged` contacts and
    the members `not_in_intercom` are those after its last sync. A number is None if nothing recorded it.
    """

    start: date
    members: int | None
    entered: int
    left: int
    tagged: int | None
    not_in_intercom: int | None
    never_looked_up: int | None
    api_calls: int


@dataclass(frozen=True, slots=True)
class Moves:
    """The last members who entered and left, the newest first, each with its time; not masked."""

    entered: tuple[tuple[datetime, str], ...] = ()
    left: tuple[tuple[datetime, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many members activations share, by pairs of keys in both orders; a key with itself has its size."""

    activations: tuple[str, ...]
    shared: Mapping[tuple[str, str], int]


def periods(
    connection: duckdb.DuckDBPyConnection, *, since: datetime, bucket: Bucket
) -> dict[str, list[Period]]:
    """The periods of each activation since a time, the oldest first, in two scans."""
    found = connection.execute(
        """
        WITH readings AS (
            SELECT activation, date_trunc($bucket, materialized_at)::DATE AS start,
                   arg_max(members, rowid) AS members,
                   sum(entered)::BIGINT AS entered, sum("left")::BIGINT AS "left"
            FROM dinmo.membership_sizes WHERE materialized_at >= $since GROUP BY ALL
        ),
        done AS (
            SELECT activation, date_trunc($bucket, started_at)::DATE AS start,
                   arg_max(tagged_contacts, rowid) FILTER (tagged_contacts IS NOT NULL) AS tagged,
                   arg_max(not_in_intercom, rowid) FILTER (status = 'ok') AS not_in_intercom,
                   arg_max(never_looked_up, rowid) FILTER (status = 'ok') AS never_looked_up,
                   coalesce(sum(api_calls), 0)::BIGINT AS api_calls
            FROM dinmo.syncs WHERE started_at >= $since GROUP BY ALL
        )
        SELECT activation, start, members, coalesce(entered, 0), coalesce("left", 0),
               tagged, not_in_intercom, never_looked_up, coalesce(api_calls, 0)
        FROM readings FULL JOIN done USING (activation, start) ORDER BY activation, start
        """,
        {"since": since, "bucket": bucket},
    ).fetchall()
    by_key: dict[str, list[Period]] = {}
    for activation, *values in found:
        by_key.setdefault(activation, []).append(Period(*values))
    return by_key


def last_moves(
    connection: duckdb.DuckDBPyConnection, activations: Collection[str], *, since: datetime
) -> dict[str, Moves]:
    """The last moves of some activations since a time."""
    found = connection.execute(
        f"""
        WITH moves AS (
            SELECT activation, 'entered' AS change, entered_at AS moved_at, identifier
            FROM dinmo.membership_history WHERE entered_at >= $since
            UNION ALL
            SELECT activation, 'left', left_at, identifier
            FROM dinmo.membership_departures WHERE left_at >= $since
        )
        SELECT activation, change,
               max({{'moved_at': moved_at, 'identifier': identifier}}, {_MOVES_OF_EACH_KIND})
        FROM moves WHERE list_contains($activations, activation) GROUP BY ALL
        """,
        {"since": since, "activations": list(activations)},
    ).fetchall()
    by_key: dict[str, dict[str, tuple[tuple[datetime, str], ...]]] = {}
    for activation, change, newest in found:
        by_key.setdefault(activation, {})[change] = tuple(
            (each["moved_at"], each["identifier"]) for each in newest
        )
    return {key: Moves(**moves) for key, moves in by_key.items()}


def overlap_of(connection: duckdb.DuckDBPyConnection, activations: Sequence[str]) -> Overlap | None:
    """What at most MAX_COMPARED activations share, which match by the same kind of identifier.

    None if they have more than MAX_MEMBERS_COMPARED members. Each member is read once: as a set of bits, one
    for each activation, of which there are few combinations.
    """
    keys = list(activations[:MAX_COMPARED])
    (members,) = one_row(
        connection,
        "SELECT count(*) FROM dinmo.segment_membership WHERE list_contains(?, activation)",
        [keys],
    )
    if members > MAX_MEMBERS_COMPARED:
        return None
    found = connection.execute(
        """
        SELECT bits, count(*) FROM (
            SELECT identifier, bit_or(1 << (list_position($keys, activation) - 1)) AS bits
            FROM dinmo.segment_membership WHERE list_contains($keys, activation) GROUP BY identifier
        ) GROUP BY bits
        """,
        {"keys": keys},
    ).fetchall()
    shared = {(one, other): 0 for one in keys for other in keys}
    for bits, count in found:
        inside = [key for place, key in enumerate(keys) if bits >> place & 1]
        for one in inside:
            for other in inside:
                shared[one, other] += count
    return Overlap(tuple(keys), shared)
