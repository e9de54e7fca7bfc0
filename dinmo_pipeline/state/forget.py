"""Erase a person from the state, including its history."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from dinmo_pipeline.state.contacts.directory import forget_contacts
from dinmo_pipeline.state.sql import normalised, one_row

FORGOTTEN = "(forgotten)"


@dataclass(frozen=True, slots=True)
class CarriedTag:
    """A tag that a contact of the person carries because we put it there."""

    activation: str
    destination: str
    tag_id: str
    contact_id: str


@dataclass(frozen=True, slots=True)
class Person:
    """Everything by which the state knows a person.

    Attributes:
        identifiers: emails and user ids.
        contacts: pairs of destination and Intercom's contact id.
        tags: tags that we put on those contacts.
    """

    identifiers: tuple[str, ...]
    contacts: tuple[tuple[str, str], ...]
    tags: tuple[CarriedTag, ...]


def find_person(connection: duckdb.DuckDBPyConnection, identifier: str) -> Person:
    """The person behind an email or user id: its contacts, and their other identifiers.

    The identifier is tried as an email, trimmed and in lower case, and as a user id, unchanged. The log adds
    nothing, since an earlier email may belong to another person now.
    """
    email, user_id = one_row(
        connection,
        f"SELECT {normalised('given', 'email')}, {normalised('given', 'user_id')} FROM (SELECT ? AS given)",
        [identifier],
    )
    given = list(dict.fromkeys(text for text in (email, user_id) if text))
    contacts = connection.execute(
        """
        SELECT destination, contact_id FROM dinmo.contacts
        WHERE email = $email OR external_id = $user_id
        UNION
        SELECT destination, contact_id FROM dinmo.tagged_contacts
        WHERE identifier IN (SELECT unnest($given))
        ORDER BY ALL
        """,
        {"email": email, "user_id": user_id, "given": given},
    ).fetchall()
    others = _known_by(connection, contacts)
    tags = connection.execute(
        """
        SELECT activation, destination, tag_id, contact_id
        FROM dinmo.tagged_contacts JOIN dinmo.activation_tags USING (activation, destination)
        WHERE (destination, contact_id) IN (SELECT (unnest($destinations), unnest($ids)))
        ORDER BY ALL
        """,
        _columns(contacts),
    ).fetchall()
    return Person(
        tuple(dict.fromkeys([*given, *others])),
        tuple((destination, contact_id) for destination, contact_id in contacts),
        tuple(CarriedTag(*row) for row in tags),
    )


def erase(connection: duckdb.DuckDBPyConnection, person: Person) -> dict[str, int]:
    """Erase a person; returns the number of rows by table. Call it inside a transaction.

    The log keeps its rows without the person. Erased rows remain in the bytes of the file until it is
    rewritten; see `compacting.py`.
    """
    erased = {
        table: _delete(connection, table, person.identifiers)
        for table in (
            *("segment_membership", "membership_departures"),
            *("membership_changes", "missing_members"),
        )
    }
    before = _sizes(connection)
    for destination in dict.fromkeys(destination for destination, _ in person.contacts):
        ids = [contact for where, contact in person.contacts if where == destination]
        forget_contacts(connection, destination, ids)
    after = _sizes(connection)
    erased |= {table: before[table] - after[table] for table in before}
    erased["tagged_contacts"] += _delete(connection, "tagged_contacts", person.identifiers)
    erased["change_log"] = _mask_log(connection, person)
    return erased


def _known_by(connection: duckdb.DuckDBPyConnection, contacts: Sequence[tuple[str, str]]) -> list[str]:
    found = connection.execute(
        """
        WITH theirs AS (SELECT unnest($destinations) AS destination, unnest($ids) AS contact_id),
        known AS (
            SELECT unnest([email, external_id]) AS identifier
            FROM dinmo.contacts SEMI JOIN theirs USING (destination, contact_id)
            UNION
            SELECT identifier FROM dinmo.tagged_contacts
            SEMI JOIN theirs USING (destination, contact_id)
        )
        SELECT identifier FROM known WHERE identifier IS NOT NULL ORDER BY identifier
        """,
        _columns(contacts),
    ).fetchall()
    return [row[0] for row in found]


def _columns(contacts: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    return {
        "destinations": [destination for destination, _ in contacts],
        "ids": [contact_id for _, contact_id in contacts],
    }


def _delete(connection: duckdb.DuckDBPyConnection, table: str, identifiers: Sequence[str]) -> int:
    return int(
        one_row(
            connection,
            f"DELETE FROM dinmo.{table} WHERE identifier IN (SELECT unnest(?))",
            [list(identifiers)],
        )[0]
    )


def _sizes(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    contacts, ledger = one_row(
        connection,
        "SELECT (SELECT count(*) FROM dinmo.contacts), (SELECT count(*) FROM dinmo.tagged_contacts)",
    )
    return {"contacts": int(contacts), "tagged_contacts": int(ledger)}


def _mask_log(connection: duckdb.DuckDBPyConnection, person: Person) -> int:
    # Intercom's support can trace a request id to the contact, and to the one it was merged into.
    return int(
        one_row(
            connection,
            """
            UPDATE dinmo.change_log
            SET identifier = $forgotten, contact_id = NULL, request_id = NULL, merged_into = NULL
            WHERE identifier IN (SELECT unnest($identifiers))
               OR contact_id IN (SELECT unnest($ids))
               OR merged_into IN (SELECT unnest($ids))
            """,
            {
                "forgotten": FORGOTTEN,
                "identifiers": list(person.identifiers),
                "ids": [contact_id for _, contact_id in person.contacts],
            },
        )[0]
    )
