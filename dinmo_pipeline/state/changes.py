"""Changes: desired membership minus the ledger, on contacts. The heart of the pipeline, in SQL.

The full comparison touches members and ledger once, on the identifier; only what differs there, and
contacts with news since the activation was last settled, is then compared contact by contact:

    candidates   identifiers of members without a ledger row, of ledger rows without a member,
                 and of contacts touched since
    desired      (identifier, contact) pairs that should carry the tag, of candidates
    entered      desired contacts without a ledger row, and members nobody looked for yet
    left         contacts of candidates' ledger rows that no member reaches any more

The ledger has one row per contact. A second member that resolves to a tagged contact has none, so it is
always a candidate, and takes the row over when the first one leaves.
"""

from dataclasses import dataclass
from typing import Literal

import duckdb

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.state.sql import contact_key, literal, members_of, one_row


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """The size of a change set, in distinct members but for `tagged_contacts` and `leaving_contacts`.

    `unknown` of the `entered` have never been looked for in Intercom. `leaving_contacts` of
    `tagged_contacts` would lose the tag.
    """

    members: int
    entered: int
    left: int
    unknown: int
    not_in_intercom: int
    tagged_contacts: int
    leaving_contacts: int


def compute_changes(
    connection: duckdb.DuckDBPyConnection, activation: Activation, *, members: str | None = None
) -> ChangeSet:
    """Compare desired membership with the ledger; the changes are in the temporary table `changes`.

    `changes(position, change, identifier, contact_id)` holds a row per contact to tag or untag, and one
    without contact per member nobody looked for yet. `members` is another FROM item with a column
    `identifier` than the stored membership: `dinmo plan` compares without storing.
    """
    scope = _Scope(activation, members or members_of(activation.key))
    for statement in (
        scope.candidates(),
        scope.desired(),
        scope.released(),
        scope.changes(),
    ):
        connection.execute(statement)
    return _measure(connection, scope)


def store_changes(connection: duckdb.DuckDBPyConnection, activation: Activation) -> None:
    """Make the computed changes the activation's change set, and relabel what is no change.

    A contact that stays tagged under another identifier (a changed `match_by`, a changed email) keeps its
    tag; only the ledger learns for whom.
    """
    parameters = {"activation": activation.key}
    connection.execute(
        "DELETE FROM dinmo.membership_changes WHERE activation = $activation", parameters
    )
    connection.execute(
        "INSERT INTO dinmo.membership_changes"
        " SELECT $activation, position, change, identifier, contact_id FROM changes",
        parameters,
    )
    connection.execute(
        """
        UPDATE dinmo.tagged_contacts AS ledger
        SET identifier = relabelled.identifier
        FROM (
            SELECT contact_id, min(desired.identifier) AS identifier
            FROM desired SEMI JOIN (FROM released WHERE reached) USING (contact_id)
            GROUP BY contact_id
        ) AS relabelled
        WHERE ledger.activation = $activation AND ledger.contact_id = relabelled.contact_id
        """,
        parameters,
    )


def settle(connection: duckdb.DuckDBPyConnection, activation: str, touched: int) -> None:
    """Record that all contacts touched up to `touched` have been compared and dealt with."""
    connection.execute(
        "UPDATE dinmo.activation_tags SET settled = ? WHERE activation = ?", [touched, activation]
    )


def newest_touch(connection: duckdb.DuckDBPyConnection, destination: str) -> int:
    """The newest news of any contact of a destination, as a number to `settle` at; 0 for none."""
    return int(
        one_row(
            connection,
            "SELECT coalesce(max(touched), 0) FROM dinmo.contacts WHERE destination = ?",
            [destination],
        )[0]
    )


@dataclass(frozen=True, slots=True)
class _Scope:
    """The statements for one activation; `members` is a FROM item."""

    activation: Activation
    members: str

    @property
    def ledger(self) -> str:
        return (
            "(SELECT identifier, contact_id FROM dinmo.tagged_contacts"
            f" WHERE activation = {literal(self.activation.key)})"
        )

    @property
    def contacts(self) -> str:
        key = contact_key(self.activation.match_by)
        return (
            f"(SELECT contact_id, {key} AS identifier, touched, by_email FROM dinmo.contacts"
            f" WHERE destination = {literal(self.activation.destination)})"
        )

    @property
    def looked_up(self) -> str:
        """Identifiers all of whose users are known; a user id has one at most."""
        searched = "WHERE by_email" if self.activation.match_by == "email" else ""
        return f"(SELECT identifier FROM {self.contacts} {searched})"

    @property
    def missing(self) -> str:
        return (
            "(SELECT identifier FROM dinmo.missing_members"
            f" WHERE destination = {literal(self.activation.destination)}"
            f" AND match_by = {literal(self.activation.match_by)})"
        )

    @property
    def touched_contacts(self) -> str:
        return (
            f"(SELECT contact_id, identifier FROM {self.contacts} WHERE touched > coalesce("
            "(SELECT settled FROM dinmo.activation_tags"
            f" WHERE activation = {literal(self.activation.key)}), 0))"
        )

    def candidates(self) -> str:
        return f"""
            CREATE OR REPLACE TEMP TABLE candidates AS
            WITH differing AS (
                SELECT coalesce(members.identifier, ledger.identifier) AS identifier,
                       members.identifier IS NOT NULL AS member
                FROM {self.members} AS members
                FULL JOIN {self.ledger} AS ledger ON members.identifier = ledger.identifier
                WHERE members.identifier IS NULL OR ledger.identifier IS NULL
            ),
            news AS (
                SELECT identifier FROM {self.touched_contacts} WHERE identifier IS NOT NULL
                UNION
                SELECT ledger.identifier
                FROM {self.ledger} AS ledger JOIN {self.touched_contacts} USING (contact_id)
            )
            SELECT identifier, member FROM differing
            UNION
            SELECT news.identifier, true FROM news SEMI JOIN {self.members} AS members
                USING (identifier)
        """

    def desired(self) -> str:
        only_one = (
            "QUALIFY count(*) OVER (PARTITION BY candidates.identifier) = 1"
            if self.activation.on_multiple_users == "skip"
            else ""
        )
        return f"""
            CREATE OR REPLACE TEMP TABLE desired AS
            SELECT candidates.identifier, contacts.contact_id
            FROM candidates JOIN {self.contacts} AS contacts
                ON contacts.identifier = candidates.identifier
            WHERE candidates.member
            {only_one}
        """

    def released(self) -> str:
        """Ledger rows of candidates that are desired no longer; `reached`: the contact still is."""
        return f"""
            CREATE OR REPLACE TEMP TABLE released AS
            SELECT ledger.identifier, ledger.contact_id,
                   ledger.contact_id IN (SELECT contact_id FROM desired) AS reached
            FROM {self.ledger} AS ledger SEMI JOIN candidates USING (identifier)
            ANTI JOIN desired
                ON ledger.identifier = desired.identifier
                AND ledger.contact_id = desired.contact_id
        """

    def changes(self) -> str:
        return f"""
            CREATE OR REPLACE TEMP TABLE changes AS
            WITH unknown AS (
                SELECT identifier FROM candidates
                ANTI JOIN {self.looked_up} AS looked_up USING (identifier)
                ANTI JOIN {self.missing} AS missing USING (identifier)
                WHERE member
            ),
            entered AS (
                SELECT min(identifier) AS identifier, contact_id FROM desired
                ANTI JOIN {self.ledger} AS ledger USING (contact_id)
                ANTI JOIN unknown USING (identifier)
                GROUP BY contact_id
                UNION ALL
                SELECT identifier, NULL FROM unknown
            ),
            moves AS (
                SELECT 'entered' AS change, identifier, contact_id FROM entered
                UNION ALL
                SELECT 'left', identifier, contact_id FROM released WHERE NOT reached
            )
            SELECT row_number() OVER (ORDER BY change, contact_id, identifier) AS position,
                   change, identifier, contact_id
            FROM moves
        """


def _measure(connection: duckdb.DuckDBPyConnection, scope: _Scope) -> ChangeSet:
    row = one_row(
        connection,
        f"""
        SELECT (SELECT count(*) FROM {scope.members}),
               count(DISTINCT identifier) FILTER (change = 'entered'),
               count(DISTINCT identifier) FILTER (change = 'left'),
               count(*) FILTER (contact_id IS NULL),
               (SELECT count(*) FROM candidates SEMI JOIN {scope.missing} AS missing
                    USING (identifier) WHERE member),
               (SELECT count(*) FROM {scope.ledger}),
               count(DISTINCT contact_id) FILTER (change = 'left')
        FROM changes
        """,
    )
    return ChangeSet(*(int(value) for value in row))


Change = Literal["entered", "left"]
