"""Drift: the contacts that carry an activation's tag in Intercom, against ledger and desired membership.

Everything happens in temporary tables of a scratch connection, so the state is locked only for the
comparison. Carriers are contacts that carry the tag. Expected are ledger rows whose contact is still desired.

    missing      expected, not among the carriers, and not changed recently
    adoptable    carriers without a ledger row that belong to a member: they should carry the tag
    removable    other carriers without a ledger row that are in our log: we once tagged or untagged them, or
                 another contact of ours was merged into them; and carriers with one whose email or external
                 id changed, so that they no longer belong to its member
    foreign      all other carriers: somebody else put the tag on them

Ledger rows of members who left are not drift: the next sync untags them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

import duckdb

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.contact import Contact
from dinmo_pipeline.state.changes import compute_changes
from dinmo_pipeline.state.contacts.directory import record_contact_rows
from dinmo_pipeline.state.ledger import PlannedChange
from dinmo_pipeline.state.membership import USABLE_INCOMING
from dinmo_pipeline.state.sql import contact_key, first_row, literal, normalised, one_row, rows_as_table

DriftTable: TypeAlias = Literal["drift_missing", "drift_removable"]


@dataclass(frozen=True, slots=True)
class Drift:
    """The differences, in contacts. `found` is the number of carriers; see the module for the others.

    `members` are the segment's, and the only number that does not count contacts.
    """

    members: int
    expected: int
    found: int
    missing: int
    adoptable: int
    removable: int
    foreign: int


_CARRIER_COLUMNS = ("contact_id", "email", "external_id", "is_user")


def stage_carriers(connection: duckdb.DuckDBPyConnection, pages: Iterable[Sequence[Contact]]) -> None:
    """Put carriers into the temporary table `carriers`, page by page as they arrive, each once."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE carriers_read"
        " (contact_id VARCHAR, email VARCHAR, external_id VARCHAR, is_user BOOLEAN)"
    )
    for page in pages:
        rows = [carrier[: len(_CARRIER_COLUMNS)] for carrier in page]
        with rows_as_table(connection, "carrier_page", _CARRIER_COLUMNS, rows):
            connection.execute("INSERT INTO carriers_read FROM carrier_page")
    # A contact that changes while the pages are read may come twice.
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE carriers AS"
        " SELECT contact_id, any_value(email) AS email, any_value(external_id) AS external_id,"
        " bool_or(is_user) AS is_user FROM carriers_read GROUP BY contact_id"
    )


def facts_changed(connection: duckdb.DuckDBPyConnection, destination: str) -> bool:
    """Whether `carriers` show another email or external id than the directory has of a contact."""
    email = normalised("carriers.email", "email")
    found = first_row(
        connection,
        f"""
        SELECT 1 FROM carriers JOIN dinmo.contacts AS known USING (contact_id)
        WHERE known.destination = ? AND carriers.is_user
          AND (nullif({email}, '') IS DISTINCT FROM known.email
               OR nullif(carriers.external_id, '') IS DISTINCT FROM known.external_id)
        LIMIT 1
        """,
        [destination],
    )
    return found is not None


def record_facts(connection: duckdb.DuckDBPyConnection, destination: str, *, now: datetime) -> None:
    """Put what `carriers` show of known contacts into the directory. Call it inside a transaction."""
    known = (
        "(FROM carriers WHERE is_user AND contact_id IN"
        f" (SELECT contact_id FROM dinmo.contacts WHERE destination = {literal(destination)}))"
    )
    record_contact_rows(connection, destination, known, by_email=False, now=now)


def compare_carriers(
    connection: duckdb.DuckDBPyConnection,
    activation: Activation,
    *,
    recent_since: datetime,
    now: datetime,
    take_over: bool = False,
) -> Drift:
    """Compare `carriers` with the ledger and with `incoming` (see `stage_members`), with the state attached.

    Changes from `recent_since` to `now` are left out, since search may not show them yet. With `take_over`,
    foreign carriers are removable too, though still counted as foreign. The differences are in the temporary
    tables `drift_missing`, `drift_removable`, and `drift_adoptable`; see `drift_page`.
    """
    changes = compute_changes(connection, activation, members=USABLE_INCOMING)
    _stage_missing(connection, activation, recent_since, now)
    _stage_unclaimed(connection, activation, recent_since, now)
    _stage_adoptable(connection, activation)
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE drift_removable AS
        SELECT row_number() OVER () AS position, contact_id, identifier FROM (
            SELECT contact_id, coalesce(logged_for, identifier, contact_id) AS identifier
            FROM unclaimed ANTI JOIN drift_adoptable USING (contact_id)
            WHERE {"true" if take_over else "logged_for IS NOT NULL"}
            UNION ALL
            -- Its email or external id changed: the contact no longer belongs to the member.
            SELECT contact_id, identifier FROM ledger_rows
            SEMI JOIN {USABLE_INCOMING} AS members USING (identifier)
            SEMI JOIN carriers USING (contact_id)
            WHERE NOT desired AND recent IS NOT TRUE
        )
        """
    )
    return Drift(
        changes.members,
        *one_row(
            connection,
            """
            SELECT (SELECT count(*) FROM ledger_rows WHERE desired),
                   (SELECT count(*) FROM carriers),
                   (SELECT count(*) FROM drift_missing),
                   (SELECT count(*) FROM drift_adoptable),
                   (SELECT count(*) FROM drift_removable),
                   (SELECT count(*) FROM unclaimed ANTI JOIN drift_adoptable USING (contact_id)
                    WHERE logged_for IS NULL)
            """,
        ),
    )


def _stage_missing(
    connection: duckdb.DuckDBPyConnection, activation: Activation, recent_since: datetime, now: datetime
) -> None:
    """Put the activation's ledger into `ledger_rows`, and what is missing into `drift_missing`."""
    where = {"activation": activation.key, "destination": activation.destination}
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE ledger_rows AS
        SELECT contact_id, identifier, tagged_at BETWEEN $recent AND $now AS recent,
               contact_id NOT IN (SELECT contact_id FROM changes WHERE change = 'left') AS desired
        FROM dinmo.tagged_contacts WHERE activation = $activation AND destination = $destination
        """,
        {**where, "recent": recent_since, "now": now},
    )
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE drift_missing AS
        SELECT row_number() OVER () AS position, identifier, contact_id
        FROM (FROM ledger_rows WHERE desired AND NOT recent) ANTI JOIN carriers USING (contact_id)
        """
    )


def _stage_unclaimed(
    connection: duckdb.DuckDBPyConnection, activation: Activation, recent_since: datetime, now: datetime
) -> None:
    """Carriers without a ledger row that we did not change recently, and their members by our log."""
    by_email = normalised("email", "email")
    key = by_email if activation.match_by == "email" else "external_id"
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE unclaimed AS
        WITH known AS (
            SELECT contact_id, identifier, logged_at, rowid AS row FROM dinmo.change_log
            WHERE activation = $activation AND outcome = 'applied'
            UNION ALL
            -- A tag moves with a merge.
            SELECT merged_into, identifier, logged_at, rowid FROM dinmo.change_log
            WHERE activation = $activation AND merged_into IS NOT NULL
        ),
        newest AS (
            SELECT contact_id, arg_max(identifier, row) AS logged_for,
                   coalesce(bool_or(logged_at BETWEEN $recent AND $now), false) AS recent
            FROM known SEMI JOIN carriers USING (contact_id) GROUP BY contact_id
        )
        SELECT carriers.contact_id, nullif({by_email}, '') AS email, external_id, is_user,
               nullif({key}, '') AS identifier, logged_for
        FROM carriers ANTI JOIN ledger_rows USING (contact_id) LEFT JOIN newest USING (contact_id)
        WHERE recent IS NOT TRUE
        """,
        {"activation": activation.key, "recent": recent_since, "now": now},
    )


def _stage_adoptable(connection: duckdb.DuckDBPyConnection, activation: Activation) -> None:
    """Unclaimed users that belong to a member, unless ambiguous members are skipped and it is one."""
    alone = "true"
    if activation.on_multiple_users == "skip":
        alone = f"""identifier NOT IN (
            SELECT identifier FROM (
                SELECT contact_id, identifier FROM unclaimed WHERE is_user
                UNION
                SELECT contact_id, {contact_key(activation.match_by)} FROM dinmo.contacts
                WHERE destination = {literal(activation.destination)}
            ) WHERE identifier IS NOT NULL GROUP BY identifier HAVING count(*) > 1
        )"""
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE drift_adoptable AS
        SELECT row_number() OVER () AS position, identifier, contact_id, email, external_id
        FROM unclaimed SEMI JOIN {USABLE_INCOMING} AS members USING (identifier)
        WHERE is_user AND {alone}
        """
    )


def drift_page(
    connection: duckdb.DuckDBPyConnection,
    table: DriftTable,
    *,
    after: int,
    limit: int,
) -> list[PlannedChange]:
    """The next contacts to tag again or to untag, in order of position; needs no attached state."""
    change = literal("entered" if table == "drift_missing" else "left")
    found = connection.execute(
        f"SELECT position, {change}, identifier, contact_id FROM {table}"
        " WHERE position > ? ORDER BY position LIMIT ?",
        [after, limit],
    ).fetchall()
    return [PlannedChange(*row) for row in found]


def not_missing(connection: duckdb.DuckDBPyConnection, contact_ids: Sequence[str]) -> None:
    """Remove contacts from the missing ones: Intercom says that they carry the tag, whatever search shows."""
    connection.execute(
        "DELETE FROM drift_missing WHERE contact_id IN (SELECT unnest(?))", [list(contact_ids)]
    )


def adopt(
    connection: duckdb.DuckDBPyConnection, activation: Activation, sync_id: str, *, now: datetime
) -> None:
    """Put the adoptable carriers into ledger, directory, and log. Call it inside a transaction.

    From the directory, the next sync knows to look up other users of their emails, which a search by tag
    cannot show.
    """
    values = {"activation": activation.key, "now": now}
    connection.execute(
        """
        INSERT INTO dinmo.tagged_contacts
        SELECT $activation, $destination, contact_id, identifier, $now FROM drift_adoptable
        """,
        {**values, "destination": activation.destination},
    )
    connection.execute(
        """
        INSERT INTO dinmo.change_log BY NAME
        SELECT $activation AS activation, $sync_id AS sync_id, $now AS logged_at,
               'entered' AS change, identifier, contact_id, 'applied' AS outcome,
               'adopted: it already carried the tag' AS reason
        FROM drift_adoptable
        """,
        {**values, "sync_id": sync_id},
    )
    record_contact_rows(connection, activation.destination, "drift_adoptable", by_email=False, now=now)


_RECORDED = ("status", "reason", "expected", "found", "missing", "unexpected", "foreign", "repaired")


def has_differed(connection: duckdb.DuckDBPyConnection, activation: Activation) -> bool:
    """Whether differences remained after the last comparison with Intercom, as far as it is recorded."""
    row = first_row(
        connection,
        "SELECT 1 FROM dinmo.reconciliations"
        " WHERE activation = ? AND destination = ? AND status IN ('drift', 'held')",
        [activation.key, activation.destination],
    )
    return row is not None


def record_reconciliation(
    connection: duckdb.DuckDBPyConnection,
    activation: Activation,
    found: Mapping[str, object],
    *,
    now: datetime,
) -> None:
    """Record what a comparison with Intercom found, by name. Call it inside a transaction."""
    connection.execute(
        "INSERT OR REPLACE INTO dinmo.reconciliations VALUES"
        f" ($activation, $destination, $now, {', '.join(f'${name}' for name in _RECORDED)})",
        {
            "activation": activation.key,
            "destination": activation.destination,
            "now": now,
            **{name: found[name] for name in _RECORDED},
        },
    )
