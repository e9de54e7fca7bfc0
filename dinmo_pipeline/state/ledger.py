"""The ledger of tagged contacts, the tags they carry, and the log of what became of each change."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

import duckdb

from dinmo_pipeline.state.directory import forget_contacts, touch_contacts
from dinmo_pipeline.state.sql import first_row, one_row, rows_as_table

Change = Literal["entered", "left"]
# applied: Intercom said so. gone: the contact exists no more, so there is nothing to do.
# failed: Intercom refused it. pending: not tried, or its outcome is unknown.
Outcome = Literal["applied", "gone", "failed", "pending"]


class PlannedChange(NamedTuple):
    """One contact to tag (entered) or untag (left), and the member it stands for."""

    position: int
    change: Change
    identifier: str
    contact_id: str


class AppliedChange(NamedTuple):
    """What became of a planned change; `reason` and `request_id` where Intercom gave them.

    `merged_into` is the contact that this one was merged into, where it is gone and Intercom says so.
    """

    change: Change
    identifier: str
    contact_id: str
    outcome: Outcome
    reason: str | None = None
    request_id: str | None = None
    merged_into: str | None = None


@dataclass(frozen=True, slots=True)
class ActivationTag:
    """The tag of an activation: Intercom's id (decimal digits as text) and its name there."""

    tag_id: str
    name: str


def planned_changes(
    connection: duckdb.DuckDBPyConnection,
    activation: str,
    change: Change,
    *,
    after: int,
    limit: int,
) -> list[PlannedChange]:
    """The next changes of the stored change set whose contact is known, by position."""
    found = connection.execute(
        """
        SELECT position, change, identifier, contact_id FROM dinmo.membership_changes
        WHERE activation = ? AND change = ? AND contact_id IS NOT NULL AND position > ?
        ORDER BY position LIMIT ?
        """,
        [activation, change, after, limit],
    ).fetchall()
    return [PlannedChange(*row) for row in found]


def mark_unconfirmed(
    connection: duckdb.DuckDBPyConnection,
    activation: str,
    destination: str,
    planned: Sequence[PlannedChange],
) -> None:
    """Note in the ledger, before the calls, that they may change who carries the tag.

    A call whose answer is lost, or that a crash keeps us from recording, would otherwise be unknown to the
    next sync if the member moved meanwhile: the tag would stay on who left, or stay off who came back. Until
    `record_outcomes` such a row has no `tagged_at`. Call it inside a transaction.
    """
    where = {"activation": activation, "destination": destination}
    with rows_as_table(connection, "planned", PlannedChange._fields, planned):
        connection.execute(
            """
            UPDATE dinmo.tagged_contacts SET tagged_at = NULL
            WHERE activation = $activation AND destination = $destination
              AND contact_id IN (SELECT contact_id FROM planned)
            """,
            where,
        )
        connection.execute(
            """
            INSERT INTO dinmo.tagged_contacts
            SELECT $activation, $destination, contact_id, min(identifier), NULL FROM planned
            WHERE contact_id NOT IN (
                SELECT contact_id FROM dinmo.tagged_contacts
                WHERE activation = $activation AND destination = $destination
            )
            GROUP BY contact_id
            """,
            where,
        )


def unknown_members(
    connection: duckdb.DuckDBPyConnection, activation: str, *, after: str, limit: int
) -> list[str]:
    """The next identifiers of the stored change set that were never looked for, in order."""
    found = connection.execute(
        """
        SELECT identifier FROM dinmo.membership_changes
        WHERE activation = ? AND contact_id IS NULL AND identifier > ?
        ORDER BY identifier LIMIT ?
        """,
        [activation, after, limit],
    ).fetchall()
    return [row[0] for row in found]


def record_outcomes(
    connection: duckdb.DuckDBPyConnection,
    activation: str,
    destination: str,
    sync_id: str,
    outcomes: Sequence[AppliedChange],
    *,
    now: datetime,
) -> None:
    """Record what became of changes: in the ledger what Intercom confirmed, in the log everything.

    Call it inside a transaction. Recording a change twice is harmless to the ledger.
    """
    if not outcomes:
        return
    where = {"activation": activation, "destination": destination}
    with rows_as_table(connection, "outcomes", AppliedChange._fields, outcomes):
        connection.execute(
            """
            INSERT INTO dinmo.change_log BY NAME
            SELECT $activation AS activation, $sync_id AS sync_id, $now AS logged_at, * FROM outcomes
            """,
            {"activation": activation, "sync_id": sync_id, "now": now},
        )
        connection.execute(
            """
            DELETE FROM dinmo.tagged_contacts
            WHERE activation = $activation AND destination = $destination
              AND contact_id IN (SELECT contact_id FROM outcomes WHERE outcome = 'applied')
            """,
            where,
        )
        connection.execute(
            """
            INSERT INTO dinmo.tagged_contacts
            SELECT $activation, $destination, contact_id, min(identifier), $now FROM outcomes
            WHERE change = 'entered' AND outcome = 'applied' GROUP BY contact_id
            """,
            {**where, "now": now},
        )
    forget_contacts(
        connection, destination, [row.contact_id for row in outcomes if row.outcome == "gone"]
    )
    # A member with two users, one refused, has a ledger row: only its touch brings the other back.
    touch_contacts(
        connection,
        destination,
        [row.contact_id for row in outcomes if row.outcome in ("failed", "pending")],
    )


def activation_tag(
    connection: duckdb.DuckDBPyConnection, activation: str, destination: str
) -> ActivationTag | None:
    """The tag we use for an activation on a destination; None before the first sync."""
    found = first_row(
        connection,
        "SELECT tag_id, name FROM dinmo.activation_tags WHERE activation = ? AND destination = ?",
        [activation, destination],
    )
    return ActivationTag(*found) if found else None


def record_tag(
    connection: duckdb.DuckDBPyConnection, activation: str, destination: str, tag: ActivationTag
) -> None:
    """Remember an activation's tag at a destination.

    Another tag than before empties its ledger there, since nobody carries it; what other destinations
    hold stays known. Call it inside a transaction.
    """
    where = {"activation": activation, "destination": destination}
    known = activation_tag(connection, activation, destination)
    if known is None or known.tag_id != tag.tag_id:
        connection.execute(
            "DELETE FROM dinmo.tagged_contacts"
            " WHERE activation = $activation AND destination = $destination",
            where,
        )
    connection.execute(
        "INSERT OR REPLACE INTO dinmo.activation_tags"
        " VALUES ($activation, $destination, $tag_id, $name)",
        {**where, "tag_id": tag.tag_id, "name": tag.name},
    )


def count_tagged(connection: duckdb.DuckDBPyConnection, activation: str) -> int:
    """How many contacts of its present destination carry an activation's tag because we put it there."""
    return int(
        one_row(
            connection,
            """
            SELECT count(tagged_at) FROM dinmo.tagged_contacts
            SEMI JOIN dinmo.change_sets USING (activation, destination)
            WHERE activation = ?
            """,
            [activation],
        )[0]
    )


def is_tagged(
    connection: duckdb.DuckDBPyConnection, activation: str, destination: str, contact_id: str
) -> bool:
    """Whether a contact carries an activation's tag because we put it there."""
    return (
        first_row(
            connection,
            "SELECT 1 FROM dinmo.tagged_contacts"
            " WHERE activation = ? AND destination = ? AND contact_id = ?",
            [activation, destination, contact_id],
        )
        is not None
    )
