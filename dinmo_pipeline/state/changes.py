"""Changes: desired membership minus the ledger, by contact. The heart of the pipeline, in SQL.

Members and ledger are compared once in full, by identifier. Only what differs, and contacts touched since
the activation was last settled, is then compared contact by contact:

    differing    members without a ledger row, and ledger rows without a member
    news         members whose contacts were touched since
    candidates   the identifiers of both
    reachable    the contacts of the members among the candidates
    desired      those of them that should carry the tag: all, unless ambiguous members are skipped
    unknown      members among the candidates that were never looked up
    released     ledger rows of candidates that are not desired
    changes      entered: desired contacts without a ledger row, and unknown members;
                 left: released contacts that no other member reaches

The ledger has one row per contact. A contact has one email and one external_id, so with one `match_by` at
most one member desires it. A ledger row under another identifier (of the other `match_by`, or an earlier
email) is only relabelled. An unconfirmed ledger row (see `mark_unconfirmed`) is tagged again if it is
desired, and untagged otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import duckdb

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.state.sql import contact_key, first_row, literal, members_of, one_row
from dinmo_pipeline.state.syncs import HoldReason


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """The size of a change set.

    Attributes:
        members: members of the segment.
        entered: members to tag.
        left: members to untag.
        unknown: members among `entered` that were never looked up in Intercom.
        not_in_intercom: members among the candidates that are not in Intercom.
        skipped: members among the candidates that have several users, if those are skipped.
        tagged_contacts: contacts in the ledger.
        tagged_members: their members; 0 while no contact would lose the tag.
        leaving_contacts: contacts among them that would lose the tag.
    """

    members: int
    entered: int
    left: int
    unknown: int
    not_in_intercom: int
    skipped: int
    tagged_contacts: int
    leaving_contacts: int
    tagged_members: int

    @property
    def to_apply(self) -> int:
        """Members to tag or untag."""
        return self.entered + self.left


def compute_changes(
    connection: duckdb.DuckDBPyConnection, activation: Activation, *, members: str | None = None
) -> ChangeSet:
    """Compare desired membership with the ledger, into the temporary table `changes`.

    `changes(position, change, identifier, contact_id)` has a row per contact to tag or untag, and one without
    a contact per member that was never looked up. `position` counts from 1, in no order. `members` replaces
    the stored membership by another FROM item with a column `identifier`: `dinmo plan` stores nothing.
    """
    scope = _Scope(activation, members or members_of(activation.key), _settled(connection, activation))
    for statement in (scope.differing(), scope.news(), scope.candidates()):
        connection.execute(statement)
    if not _count(connection, "candidates"):
        return _unchanged(connection, scope)
    for statement in (
        scope.reachable(),
        scope.desired(),
        scope.unknown(),
        scope.released(),
        scope.changes(),
    ):
        connection.execute(statement)
    return _measure(connection, scope)


def count_changes(connection: duckdb.DuckDBPyConnection, activations: Sequence[str]) -> dict[str, int]:
    """The sizes of the stored change sets of some activations; empty ones are left out."""
    found = connection.execute(
        "SELECT activation, count(*) FROM dinmo.membership_changes"
        " WHERE list_contains($activations, activation) GROUP BY ALL",
        {"activations": list(activations)},
    )
    return dict(found.fetchall())


def store_changes(connection: duckdb.DuckDBPyConnection, activation: Activation) -> None:
    """Store the computed changes as the activation's change set, and relabel ledger rows.

    A contact that stays tagged under another identifier (after a change of `match_by` or of its email) keeps
    its tag; only the identifier in the ledger changes.
    """
    key = {"activation": activation.key}
    settled = _settled(connection, activation)
    connection.execute("DELETE FROM dinmo.membership_changes WHERE activation = $activation", key)
    connection.execute(
        "INSERT INTO dinmo.membership_changes"
        " SELECT $activation, position, change, identifier, contact_id FROM changes",
        key,
    )
    connection.execute(
        """
        UPDATE dinmo.tagged_contacts AS ledger SET identifier = desired.identifier
        FROM desired SEMI JOIN (FROM released WHERE reached) USING (contact_id)
        WHERE ledger.activation = $activation AND ledger.destination = $destination
          AND ledger.contact_id = desired.contact_id
        """,
        {**key, "destination": activation.destination},
    )
    connection.execute(
        """
        INSERT OR REPLACE INTO dinmo.change_sets
            (activation, destination, match_by, on_multiple_users, number, settled, hold_reason, held_because)
        VALUES ($activation, $destination, $match_by, $on_multiple_users,
                nextval('dinmo.touches'), $settled, NULL, NULL)
        """,
        {
            **key,
            "destination": activation.destination,
            "match_by": activation.match_by,
            "on_multiple_users": activation.on_multiple_users,
            "settled": settled,
        },
    )


def record_hold(
    connection: duckdb.DuckDBPyConnection, activation: str, reason: HoldReason, because: str
) -> None:
    """Record that a guard holds the stored change set, and why; a new change set starts without a hold."""
    connection.execute(
        "UPDATE dinmo.change_sets SET hold_reason = ?, held_because = ? WHERE activation = ?",
        [reason.value, because, activation],
    )


def record_look(connection: duckdb.DuckDBPyConnection, activation: str, failed: str | None) -> None:
    """Record whether Intercom could be asked for news before the stored change set was computed."""
    connection.execute(
        "UPDATE dinmo.change_sets SET look_failed = ? WHERE activation = ?", [failed, activation]
    )


def settle(connection: duckdb.DuckDBPyConnection, activation: str, touched: int) -> None:
    """Record that all contacts touched up to `touched` are compared and applied.

    It records nothing while members are unknown (their lookup got no answer), or if a later change set was
    stored than the one that was applied: the next sync compares them again.
    """
    connection.execute(
        """
        UPDATE dinmo.change_sets SET settled = $touched
        WHERE activation = $activation AND number <= $touched
          AND NOT EXISTS (FROM dinmo.membership_changes
                          WHERE activation = $activation AND contact_id IS NULL)
        """,
        {"activation": activation, "touched": touched},
    )


def newest_touch(connection: duckdb.DuckDBPyConnection, destination: str) -> int:
    """The number of the newest change set of a destination, for `settle`; 0 if there is none.

    One sequence numbers change sets and touches of contacts. So in the transaction that stores a change set
    this is its number, and no contact that it knows was touched later.
    """
    return int(
        one_row(
            connection,
            "SELECT coalesce(max(number), 0) FROM dinmo.change_sets WHERE destination = ?",
            [destination],
        )[0]
    )


def _settled(connection: duckdb.DuckDBPyConnection, activation: Activation) -> int:
    """The touch up to which contacts are compared; 0 if they were compared with other settings."""
    found = first_row(
        connection,
        """
        SELECT settled FROM dinmo.change_sets
        WHERE activation = ? AND destination = ? AND match_by = ? AND on_multiple_users = ?
        """,
        [
            activation.key,
            activation.destination,
            activation.match_by,
            activation.on_multiple_users,
        ],
    )
    return int(found[0]) if found else 0


@dataclass(frozen=True, slots=True)
class _Scope:
    """The statements for one activation; `members` is a FROM item, `settled` the number of a touch."""

    activation: Activation
    members: str
    settled: int

    @property
    def ledger(self) -> str:
        return (
            "(SELECT identifier, contact_id, tagged_at FROM dinmo.tagged_contacts"
            f" WHERE activation = {literal(self.activation.key)}"
            f" AND destination = {literal(self.activation.destination)})"
        )

    @property
    def contacts(self) -> str:
        """Each user's identifier, and whether all other users who have it are known.

        A user id belongs to one user at most.
        """
        complete = "by_email" if self.activation.match_by == "email" else "true"
        key = contact_key(self.activation.match_by)
        return (
            f"(SELECT contact_id, {key} AS identifier, {complete} AS complete, touched"
            f" FROM dinmo.contacts WHERE destination = {literal(self.activation.destination)})"
        )

    @property
    def missing(self) -> str:
        return (
            "(SELECT identifier FROM dinmo.missing_members"
            f" WHERE destination = {literal(self.activation.destination)}"
            f" AND match_by = {literal(self.activation.match_by)})"
        )

    def differing(self) -> str:
        """The only join of all members with the whole ledger."""
        return f"""
            CREATE OR REPLACE TEMP TABLE differing AS
            SELECT members.identifier AS member, ledger.identifier AS tagged, ledger.contact_id
            FROM {self.members} AS members
            FULL JOIN {self.ledger} AS ledger ON members.identifier = ledger.identifier
            WHERE members.identifier IS NULL OR ledger.identifier IS NULL
        """

    def news(self) -> str:
        """Members with a ledger row whose contacts were touched; those without a row differ anyway."""
        return f"""
            CREATE OR REPLACE TEMP TABLE news AS
            WITH touched AS MATERIALIZED (
                SELECT contact_id, identifier FROM {self.contacts} WHERE touched > {self.settled}
            )
            SELECT identifier FROM (
                SELECT identifier FROM touched WHERE identifier IS NOT NULL
                UNION
                SELECT ledger.identifier FROM {self.ledger} AS ledger JOIN touched USING (contact_id)
                UNION
                SELECT identifier FROM {self.ledger} WHERE tagged_at IS NULL
            )
            SEMI JOIN {self.members} AS members USING (identifier)
            SEMI JOIN {self.ledger} AS ledger USING (identifier)
        """

    def candidates(self) -> str:
        # Members are distinct; the ledger may hold several contacts of one identifier.
        return """
            CREATE OR REPLACE TEMP TABLE candidates AS
            SELECT member AS identifier, true AS member FROM differing WHERE member IS NOT NULL
            UNION ALL
            SELECT DISTINCT tagged, false FROM differing WHERE tagged IS NOT NULL
            UNION ALL
            SELECT identifier, true FROM news
        """

    def reachable(self) -> str:
        return f"""
            CREATE OR REPLACE TEMP TABLE reachable AS
            SELECT identifier, contacts.contact_id, contacts.complete
            FROM candidates JOIN {self.contacts} AS contacts USING (identifier)
            WHERE candidates.member
        """

    def desired(self) -> str:
        only_one = "QUALIFY count(*) OVER (PARTITION BY identifier) = 1"
        return f"""
            CREATE OR REPLACE TEMP TABLE desired AS
            SELECT identifier, contact_id FROM reachable
            {only_one if self.activation.on_multiple_users == "skip" else ""}
        """

    def unknown(self) -> str:
        return f"""
            CREATE OR REPLACE TEMP TABLE unknown AS
            SELECT identifier FROM candidates
            ANTI JOIN (FROM reachable WHERE complete) USING (identifier)
            ANTI JOIN {self.missing} AS missing USING (identifier)
            WHERE member
        """

    def released(self) -> str:
        """Ledger rows of candidates that are no longer desired; `reached` if another member desires it."""
        return f"""
            CREATE OR REPLACE TEMP TABLE released AS
            SELECT identifier, contact_id, contact_id IN (SELECT contact_id FROM desired) AS reached
            FROM (
                SELECT tagged AS identifier, contact_id FROM differing WHERE tagged IS NOT NULL
                UNION ALL
                SELECT identifier, contact_id FROM {self.ledger} SEMI JOIN news USING (identifier)
                ANTI JOIN desired USING (identifier, contact_id)
            )
        """

    def changes(self) -> str:
        return f"""
            CREATE OR REPLACE TEMP TABLE changes AS
            SELECT row_number() OVER () AS position, change, identifier, contact_id
            FROM (
                SELECT 'entered' AS change, identifier, contact_id FROM desired
                ANTI JOIN (FROM {self.ledger} WHERE tagged_at IS NOT NULL) AS ledger
                    USING (contact_id)
                ANTI JOIN unknown USING (identifier)
                UNION ALL
                SELECT 'entered', identifier, NULL FROM unknown
                UNION ALL
                SELECT 'left', identifier, contact_id FROM released WHERE NOT reached
            )
        """


_NO_CHANGES = """
    CREATE OR REPLACE TEMP TABLE desired (identifier VARCHAR, contact_id VARCHAR);
    CREATE OR REPLACE TEMP TABLE released (identifier VARCHAR, contact_id VARCHAR, reached BOOLEAN);
    CREATE OR REPLACE TEMP TABLE changes (
        position BIGINT, change VARCHAR, identifier VARCHAR, contact_id VARCHAR
    );
"""
_AMBIGUOUS = """(
    SELECT identifier FROM reachable ANTI JOIN unknown USING (identifier)
    GROUP BY identifier HAVING count(*) > 1
)"""


def _unchanged(connection: duckdb.DuckDBPyConnection, scope: _Scope) -> ChangeSet:
    """What `compute_changes` has to say without candidates: DuckDB would plan for longer than it runs."""
    connection.execute(_NO_CHANGES)
    return ChangeSet(
        members=_count(connection, scope.members),
        entered=0,
        left=0,
        unknown=0,
        not_in_intercom=0,
        skipped=0,
        tagged_contacts=_count(connection, scope.ledger),
        leaving_contacts=0,
        tagged_members=0,
    )


def _count(connection: duckdb.DuckDBPyConnection, rows: str) -> int:
    return int(one_row(connection, f"SELECT count(*) FROM {rows}")[0])


def _measure(connection: duckdb.DuckDBPyConnection, scope: _Scope) -> ChangeSet:
    # One query each: as scalar subqueries of one, they take DuckDB longer to plan than to run.
    count = partial(_count, connection)
    # Unknown members have one row each, and the ledger one per contact: only other rows can repeat.
    unknown = count("unknown")
    entered = count(
        "(SELECT identifier FROM changes WHERE change = 'entered' AND contact_id IS NOT NULL"
        " GROUP BY identifier)"
    )
    leaving = count("changes WHERE change = 'left'")
    return ChangeSet(
        members=count(scope.members),
        entered=entered + unknown,
        left=count("(SELECT DISTINCT identifier FROM changes WHERE change = 'left')"),
        unknown=unknown,
        not_in_intercom=count(
            f"candidates SEMI JOIN {scope.missing} AS missing USING (identifier) WHERE member"
        ),
        skipped=count(_AMBIGUOUS) if scope.activation.on_multiple_users == "skip" else 0,
        tagged_contacts=count(scope.ledger),
        leaving_contacts=leaving,
        tagged_members=count(f"(SELECT DISTINCT identifier FROM {scope.ledger})") if leaving else 0,
    )
