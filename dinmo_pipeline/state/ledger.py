"""The ledger of tagged contacts, and the log of changes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import duckdb

from dinmo_pipeline.state.contacts.directory import forget_contacts, touch_contacts
from dinmo_pipeline.state.sql import first_row, one_row, rows_as_table

Change = Literal["entered", "left"]
# applied: Intercom confirmed it. gone: the contact no longer exists, so there is nothing to do.
# failed: Intercom refused it. pending: it was not tried, or its outcome is unknown.
Outcome = Literal["applied", "gone", "failed", "pending"]


class PlannedChange(NamedTuple):
    """A contact to tag (entered) or untag (left), and its member."""

    position: int
    change: Change
    identifier: str
    contact_id: str


class AppliedChange(NamedTuple):
    """The outcome of a planned change.

    Attributes:
        reason: why it was not applied.
        request_id: Intercom's id of the request, if there is one.
        merged_into: Intercom's id of the contact that this one was merged into, if Intercom says so.
    """

    change: Change
    identifier: str
    contact_id: str
    outcome: Outcome
    reason: str | None = None
    request_id: str | None = None
    merged_into: str | None = None


def planned_changes(
    connection: duckdb.DuckDBPyConnection,
    activation: str,
    change: Change,
    *,
    after: int,
    limit: int,
) -> list[PlannedChange]:
    """The next changes of the stored change set whose contact is known, in order of position."""
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
    """Mark contacts in the ledger before the calls that may tag or untag them.

    Otherwise the next sync would not know of a call whose answer was lost or, after a crash, not recorded. If
    the member moved in between, a contact that left would keep the tag, or one that came back would lack it.
    A marked row has no `tagged_at` until `record_outcomes`. Call it inside a transaction.
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
    """The next identifiers of the stored change set that were never looked up, in order."""
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
    """Record the outcomes of changes: what Intercom confirmed in the ledger, everything in the log.

    Call it inside a transaction. The ledger stays right if an outcome is recorded twice.
    """
    if not outcomes:
        return
    with rows_as_table(connection, "outcomes", AppliedChange._fields, outcomes):
        connection.execute(
            """
            INSERT INTO dinmo.change_log BY NAME
            SELECT $activation AS activation, $sync_id AS sync_id, $now AS logged_at, * FROM outcomes
            """,
            {"activation": activation, "sync_id": sync_id, "now": now},
        )
        _record_confirmed(connection, activation, destination, now=now)
    forget_contacts(connection, destination, [row.contact_id for row in outcomes if row.outcome == "gone"])
    # A member with two users, one of them refused, has a ledger row: only the touch brings up the other.
    touch_contacts(
        connection,
        destination,
        [row.contact_id for row in outcomes if row.outcome in ("failed", "pending")],
    )


def _record_confirmed(
    connection: duckdb.DuckDBPyConnection, activation: str, destination: str, *, now: datetime
) -> None:
    """Bring the ledger up to date with the confirmed changes of the table `outcomes`."""
    where = {"activation": activation, "destination": destination}
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


def ledger_sizes(connection: duckdb.DuckDBPyConnection, destination: str) -> dict[str, int]:
    """The number of contacts in the ledger of each activation at a destination."""
    rows = connection.execute(
        "SELECT activation, count(*) FROM dinmo.tagged_contacts WHERE destination = ? GROUP BY ALL",
        [destination],
    ).fetchall()
    return dict(rows)


def count_tagged(connection: duckdb.DuckDBPyConnection, activation: str) -> int:
    """The number of contacts at an activation's current destination that carry its tag because of us."""
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
    """Whether the ledger says that a contact carries an activation's tag."""
    return (
        first_row(
            connection,
            "SELECT 1 FROM dinmo.tagged_contacts WHERE activation = ? AND destination = ? AND contact_id = ?",
            [activation, destination, contact_id],
        )
        is not None
    )
