"""What the state knows about each activation, in one row: for `dinmo status` and the report."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import duckdb

from dinmo_pipeline.state.syncs import HoldReason, match_rate


@dataclass(frozen=True, slots=True)
class Unread:
    """A segment that could not be read at the last `failures` attempts, and why at the last of them."""

    since: datetime
    failures: int
    reason: str


@dataclass(frozen=True, slots=True)
class HeldChanges:
    """The newest change set is held by a guard."""

    reason: HoldReason
    because: str


@dataclass(frozen=True, slots=True)
class Difference:
    """What the last comparison with Intercom found, if differences remained."""

    at: datetime
    missing: int
    unexpected: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class ActivationOverview:
    """An activation in the state, at its present destination.

    `members`, `not_in_intercom`, `never_looked_up`, `tagged_contacts` and `changes` are counts;
    `other_carriers` are contacts that carry the tag and that we did not tag, as last counted; `changes` are
    those of the newest change set that no successful sync has applied. `read_at` is when its segment was last
    read, and `in_sync_at` the newest time as of which Intercom had what the segment said. What begins with
    `last_` is None before the first sync. `look_failed` is why Intercom could not be asked for news, and
    `size_note` how the segment's size changed more than usual.
    """

    tag_name: str | None
    members: int
    not_in_intercom: int
    never_looked_up: int
    tagged_contacts: int
    changes: int
    read_at: datetime | None
    in_sync_at: datetime | None
    last_sync_at: datetime | None
    last_status: str | None
    last_reason: str | None
    other_carriers: int | None
    look_failed: str | None = None
    size_note: str | None = None
    held: HeldChanges | None = None
    unread: Unread | None = None
    drift: Difference | None = None

    @property
    def match_rate(self) -> float | None:
        """See `state.syncs.match_rate`."""
        return match_rate(self.members, self.not_in_intercom, self.never_looked_up)


def overview(connection: duckdb.DuckDBPyConnection) -> dict[str, ActivationOverview]:
    """The activations in the state by key, in alphabetical order."""
    rows = connection.execute(
        """
        -- In the order of writing, not by time: a clock may have been wrong.
        WITH last_sync AS (
            SELECT activation, started_at, status, reason FROM dinmo.syncs
            QUALIFY row_number() OVER (PARTITION BY activation ORDER BY rowid DESC) = 1
        ),
        synced AS (
            SELECT activation, arg_max(started_at, rowid) AS synced_at FROM dinmo.syncs
            WHERE status = 'ok' GROUP BY ALL
        ),
        readings AS (
            SELECT activation, arg_max(materialized_at, sizes.rowid) AS read_at,
                   arg_max({note: size_note}, sizes.rowid).note AS size_note,
                   arg_max(materialized_at, sizes.rowid) FILTER (applied_to = destination) AS applied_at
            FROM dinmo.membership_sizes AS sizes LEFT JOIN dinmo.change_sets USING (activation) GROUP BY ALL
        ),
        missing AS (
            SELECT activation, count(*) AS missing
            FROM dinmo.segment_membership JOIN dinmo.change_sets USING (activation)
            SEMI JOIN dinmo.missing_members USING (destination, match_by, identifier) GROUP BY ALL
        ),
        counts AS (
            SELECT activation, count(*) AS members, 0 AS tagged, 0 AS changes, 0 AS unknown
            FROM dinmo.segment_membership GROUP BY ALL
            UNION ALL
            SELECT activation, 0, count(tagged_at), 0, 0 FROM dinmo.tagged_contacts
            SEMI JOIN dinmo.change_sets USING (activation, destination) GROUP BY ALL
            UNION ALL
            SELECT activation, 0, 0, count(DISTINCT (change, identifier)),
                   count(*) FILTER (contact_id IS NULL)
            FROM dinmo.membership_changes GROUP BY ALL
            UNION ALL
            SELECT activation, 0, 0, 0, 0 FROM readings
            UNION ALL
            SELECT activation, 0, 0, 0, 0 FROM dinmo.activation_tags
            UNION ALL
            SELECT activation, 0, 0, 0, 0 FROM dinmo.unread_segments
        ),
        totals AS (
            SELECT activation, sum(members)::BIGINT AS members, sum(tagged)::BIGINT AS tagged,
                   sum(changes)::BIGINT AS changes, sum(unknown)::BIGINT AS unknown
            FROM counts GROUP BY ALL
        )
        SELECT activation,
               tags.name,
               members, coalesce(missing.missing, 0), unknown, tagged,
               CASE WHEN sets.settled >= sets.number THEN 0 ELSE changes END,
               read_at,
               greatest(applied_at, synced_at),
               last_sync.started_at, last_sync.status, last_sync.reason,
               carriers.others,
               sets.look_failed, size_note,
               sets.hold_reason, sets.held_because,
               unread.since, unread.failures, unread.reason,
               drift.reconciled_at, drift.missing, drift.unexpected, drift.reason
        FROM totals
        LEFT JOIN last_sync USING (activation)
        LEFT JOIN synced USING (activation)
        LEFT JOIN readings USING (activation)
        LEFT JOIN missing USING (activation)
        LEFT JOIN dinmo.change_sets AS sets USING (activation)
        LEFT JOIN dinmo.activation_tags AS tags USING (activation, destination)
        LEFT JOIN dinmo.carrier_counts AS carriers USING (activation, destination)
        LEFT JOIN dinmo.unread_segments AS unread USING (activation)
        LEFT JOIN (FROM dinmo.reconciliations WHERE status IN ('drift', 'held')) AS drift
            USING (activation, destination)
        ORDER BY activation
        """
    ).fetchall()
    return {activation: _overview(*columns) for activation, *columns in rows}


def _overview(*columns: Any) -> ActivationOverview:
    known, held, unread, drift = columns[:14], columns[14:16], columns[16:19], columns[19:]
    found = ActivationOverview(*known)
    return replace(
        found,
        held=HeldChanges(HoldReason(held[0]), held[1]) if held[0] else None,
        unread=Unread(*unread) if unread[0] else None,
        drift=Difference(*drift) if drift[0] else None,
    )
