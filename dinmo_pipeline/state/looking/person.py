"""One person in every activation: in the segment since when, tagged since when, and what is in between."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from dinmo_pipeline.state.forget import Person, find_person


@dataclass(frozen=True, slots=True)
class Missing:
    """The person is a member, and no user in Intercom: when that was last looked up, and how often."""

    looked_at: datetime
    looks: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The outcome of the person's last change, if it was not carried out."""

    at: datetime
    outcome: str
    reason: str | None
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Presence:
    """A person in an activation; each fact is None if there is none.

    Attributes:
        activation: key of the activation.
        destination: its present destination.
        tag: the tag's name.
        in_since: since when the person is a member.
        left_at: when the person last left the segment.
        tagged_since: when Intercom confirmed the tag.
        is_unconfirmed: a call for the tag is without an answer.
        to_do: `entered` if a change set will tag the person, `left` if it will untag them.
        missing: the person is not in Intercom.
        refused: the person's last change was not carried out.
        users: how many users of Intercom have the person's identifier.
        on_multiple_users: what the activation does about several.
        held_because: why the change set is held.
    """

    activation: str
    destination: str | None
    tag: str | None
    in_since: datetime | None
    left_at: datetime | None
    tagged_since: datetime | None
    is_unconfirmed: bool
    to_do: str | None
    missing: Missing | None
    refused: Refused | None
    users: int
    on_multiple_users: str | None
    held_because: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """A person as the state knows them, and their presence in each activation that has a trace of them."""

    person: Person
    presences: tuple[Presence, ...]

    @property
    def is_known(self) -> bool:
        """Whether the state knows the person at all."""
        return bool(self.person.contacts or self.presences)

    def and_also(self, other: "Known") -> "Known":
        """The person as two state files know them, each with destinations of its own."""
        mine, theirs = self.person, other.person
        person = Person(
            tuple(dict.fromkeys((*mine.identifiers, *theirs.identifiers))),
            (*mine.contacts, *theirs.contacts),
            (*mine.tags, *theirs.tags),
        )
        return Known(person, (*self.presences, *other.presences))


NOBODY = Known(Person((), (), ()), ())


def look_up_person(connection: duckdb.DuckDBPyConnection, identifier: str) -> Known:
    """The person with an email or user id, in a fixed number of queries."""
    person = find_person(connection, identifier)
    found = connection.execute(
        """
        WITH who AS (SELECT unnest($identifiers) AS identifier),
        theirs AS (SELECT unnest($destinations) AS destination, unnest($ids) AS contact_id),
        stays AS (
            SELECT activation, max(entered_at) FILTER (left_at IS NULL) AS in_since, max(left_at) AS left_at
            FROM dinmo.membership_history SEMI JOIN who USING (identifier) GROUP BY ALL
        ),
        tagged AS (
            SELECT activation, destination, min(tagged_at) AS tagged_since,
                   bool_or(tagged_at IS NULL) AS is_unconfirmed
            FROM dinmo.tagged_contacts AS ledger
            WHERE identifier IN (FROM who)
               OR (destination, contact_id) IN (SELECT (destination, contact_id) FROM theirs)
            GROUP BY ALL
        ),
        to_do AS (
            SELECT activation, max(change) AS change FROM dinmo.membership_changes
            SEMI JOIN who USING (identifier) GROUP BY ALL
        ),
        missing AS (
            SELECT sets.activation, max(looked_at) AS looked_at, max(looks) AS looks
            FROM dinmo.missing_members SEMI JOIN who USING (identifier)
            JOIN dinmo.change_sets AS sets USING (destination, match_by) GROUP BY ALL
        ),
        logged AS (
            SELECT activation, logged_at, outcome, reason, request_id FROM dinmo.change_log
            SEMI JOIN who USING (identifier)
            QUALIFY row_number() OVER (PARTITION BY activation ORDER BY rowid DESC) = 1
        ),
        users AS (SELECT destination, count(*) AS users FROM theirs GROUP BY ALL),
        activations AS (
            SELECT activation FROM stays UNION SELECT activation FROM tagged
            UNION SELECT activation FROM to_do
        )
        SELECT activation, sets.destination, tags.name AS tag, in_since, stays.left_at,
               tagged_since, coalesce(is_unconfirmed, false) AS is_unconfirmed, change AS to_do,
               looked_at, looks,
               logged_at, outcome, logged.reason, request_id,
               coalesce(users, 0) AS users, on_multiple_users, held_because
        FROM activations
        LEFT JOIN dinmo.change_sets AS sets USING (activation)
        LEFT JOIN stays USING (activation)
        LEFT JOIN tagged USING (activation, destination)
        LEFT JOIN to_do USING (activation)
        LEFT JOIN missing USING (activation)
        LEFT JOIN logged USING (activation)
        LEFT JOIN users USING (destination)
        LEFT JOIN dinmo.activation_tags AS tags USING (activation, destination)
        ORDER BY activation
        """,
        {
            "identifiers": list(person.identifiers),
            "destinations": [destination for destination, _ in person.contacts],
            "ids": [contact_id for _, contact_id in person.contacts],
        },
    )
    names = [column[0] for column in found.description]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    return Known(person, tuple(_presence(row) for row in rows))


def _presence(row: Mapping[str, Any]) -> Presence:
    in_since = row["in_since"]
    return Presence(
        activation=row["activation"],
        destination=row["destination"],
        tag=row["tag"],
        in_since=in_since,
        left_at=None if in_since else row["left_at"],
        tagged_since=row["tagged_since"],
        is_unconfirmed=row["is_unconfirmed"],
        to_do=row["to_do"],
        missing=Missing(row["looked_at"], row["looks"]) if in_since and row["looked_at"] else None,
        refused=Refused(row["logged_at"], row["outcome"], row["reason"], row["request_id"])
        if row["outcome"] in ("failed", "pending")
        else None,
        users=row["users"],
        on_multiple_users=row["on_multiple_users"],
        held_because=row["held_because"],
    )
