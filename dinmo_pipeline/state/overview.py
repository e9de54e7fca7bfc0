"""What the state knows about each activation, in one row: for `dinmo status`."""

from dataclasses import dataclass
from datetime import datetime

import duckdb


@dataclass(frozen=True, slots=True)
class ActivationOverview:
    """An activation in the state, at its present destination.

    `members`, `tagged_contacts` and `changes` are counts; `other_carriers` are contacts that carry the tag
    and that we did not tag, as last counted; `changes` are those of the newest change set that
    no successful sync has applied. What begins with `last_` is None before the first sync.
    """

    tag_name: str | None
    members: int
    tagged_contacts: int
    changes: int
    last_sync_at: datetime | None
    last_status: str | None
    last_reason: str | None
    other_carriers: int | None


def overview(connection: duckdb.DuckDBPyConnection) -> dict[str, ActivationOverview]:
    """The activations in the state by key, in alphabetical order."""
    rows = connection.execute(
        """
        WITH last_sync AS (
            SELECT activation, started_at, status, reason FROM dinmo.syncs
            -- In the order of writing, not by time: a clock may have been wrong.
            QUALIFY row_number() OVER (PARTITION BY activation ORDER BY rowid DESC) = 1
        ),
        counts AS (
            SELECT activation, count(*) AS members, 0 AS tagged, 0 AS changes
            FROM dinmo.segment_membership GROUP BY ALL
            UNION ALL
            SELECT activation, 0, count(tagged_at), 0 FROM dinmo.tagged_contacts
            SEMI JOIN dinmo.change_sets USING (activation, destination) GROUP BY ALL
            UNION ALL
            SELECT activation, 0, 0, count(DISTINCT (change, identifier))
            FROM dinmo.membership_changes GROUP BY ALL
            UNION ALL
            SELECT activation, 0, 0, 0 FROM dinmo.membership_sizes
            UNION ALL
            SELECT activation, 0, 0, 0 FROM dinmo.activation_tags
        ),
        tags AS (
            FROM dinmo.activation_tags SEMI JOIN dinmo.change_sets USING (activation, destination)
        ),
        carriers AS (
            FROM dinmo.carrier_counts SEMI JOIN dinmo.change_sets USING (activation, destination)
        )
        SELECT counts.activation,
               any_value(tags.name),
               sum(members)::BIGINT,
               sum(tagged)::BIGINT,
               CASE WHEN any_value(sets.settled) >= any_value(sets.number)
                    THEN 0 ELSE sum(changes)::BIGINT END,
               any_value(last_sync.started_at),
               any_value(last_sync.status),
               any_value(last_sync.reason),
               any_value(carriers.others)
        FROM counts
        LEFT JOIN last_sync USING (activation)
        LEFT JOIN dinmo.change_sets AS sets USING (activation)
        LEFT JOIN tags USING (activation)
        LEFT JOIN carriers USING (activation)
        GROUP BY counts.activation ORDER BY counts.activation
        """
    ).fetchall()
    return {activation: ActivationOverview(*columns) for activation, *columns in rows}
