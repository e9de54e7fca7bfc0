"""The tables of the state, by version: an older file is brought forward, a newer one refused."""

from collections.abc import Sequence

import duckdb

from dinmo_pipeline.state.errors import StateVersionError
from dinmo_pipeline.state.sql import one_row

MIGRATIONS: Sequence[str] = (
    # 1: the first release
    """
    CREATE SEQUENCE dinmo.touches;

    -- Who is in each activation's segment now; identifiers are normalised and distinct per activation.
    CREATE TABLE dinmo.segment_membership (
        activation VARCHAR NOT NULL,
        identifier VARCHAR NOT NULL,
        entered_at TIMESTAMPTZ NOT NULL
    );
    CREATE TABLE dinmo.membership_departures (
        activation VARCHAR NOT NULL,
        identifier VARCHAR NOT NULL,
        entered_at TIMESTAMPTZ NOT NULL,
        left_at TIMESTAMPTZ NOT NULL
    );
    -- Who was in it when: one row per stay, left_at NULL while it lasts.
    CREATE VIEW dinmo.membership_history AS
        SELECT activation, identifier, entered_at, NULL::TIMESTAMPTZ AS left_at
        FROM dinmo.segment_membership
        UNION ALL
        SELECT activation, identifier, entered_at, left_at FROM dinmo.membership_departures;
    -- One row per materialization of a membership: its size over time and the quality of its rows.
    CREATE TABLE dinmo.membership_sizes (
        activation VARCHAR NOT NULL,
        materialized_at TIMESTAMPTZ NOT NULL,
        match_by VARCHAR NOT NULL,
        members BIGINT NOT NULL,
        added BIGINT NOT NULL,
        removed BIGINT NOT NULL,
        rows_read BIGINT NOT NULL,
        null_identifiers BIGINT NOT NULL,
        blank_identifiers BIGINT NOT NULL,
        malformed_identifiers BIGINT NOT NULL,
        duplicate_rows BIGINT NOT NULL
    );

    -- Intercom's users as last seen. `touched` grows with every news of a contact. `by_email`: found by
    -- a search for its email, so every user with that email is known; several users may share one.
    CREATE TABLE dinmo.contacts (
        destination VARCHAR NOT NULL,
        contact_id VARCHAR NOT NULL,
        email VARCHAR,
        external_id VARCHAR,
        by_email BOOLEAN NOT NULL,
        seen_at TIMESTAMPTZ NOT NULL,
        touched BIGINT NOT NULL
    );
    -- Members that were looked for in Intercom and not found.
    CREATE TABLE dinmo.missing_members (
        destination VARCHAR NOT NULL,
        match_by VARCHAR NOT NULL,
        identifier VARCHAR NOT NULL,
        looked_at TIMESTAMPTZ NOT NULL,
        looks INTEGER NOT NULL
    );
    -- How far the search for newly created contacts has come.
    CREATE TABLE dinmo.signup_looks (
        destination VARCHAR PRIMARY KEY,
        looked_at TIMESTAMPTZ NOT NULL
    );

    -- The ledger: contacts that carry an activation's tag because we put it there, one row a contact,
    -- and the member they carry it for.
    CREATE TABLE dinmo.tagged_contacts (
        activation VARCHAR NOT NULL,
        contact_id VARCHAR NOT NULL,
        identifier VARCHAR NOT NULL,
        tagged_at TIMESTAMPTZ NOT NULL
    );
    -- The tag of each activation. Contacts touched after `settled` have not been compared yet.
    CREATE TABLE dinmo.activation_tags (
        activation VARCHAR PRIMARY KEY,
        destination VARCHAR NOT NULL,
        tag_id VARCHAR NOT NULL,
        name VARCHAR NOT NULL,
        settled BIGINT NOT NULL
    );

    -- The newest change set of each activation; `position` numbers its rows from 1.
    CREATE TABLE dinmo.membership_changes (
        activation VARCHAR NOT NULL,
        position BIGINT NOT NULL,
        change VARCHAR NOT NULL,
        identifier VARCHAR NOT NULL,
        contact_id VARCHAR
    );
    -- What became of each change.
    CREATE TABLE dinmo.change_log (
        activation VARCHAR NOT NULL,
        sync_id VARCHAR NOT NULL,
        logged_at TIMESTAMPTZ NOT NULL,
        change VARCHAR NOT NULL,
        identifier VARCHAR NOT NULL,
        contact_id VARCHAR,
        outcome VARCHAR NOT NULL,
        reason VARCHAR,
        request_id VARCHAR
    );
    CREATE TABLE dinmo.syncs (
        sync_id VARCHAR NOT NULL,
        activation VARCHAR NOT NULL,
        started_at TIMESTAMPTZ NOT NULL,
        finished_at TIMESTAMPTZ,
        status VARCHAR NOT NULL,
        reason VARCHAR,
        members BIGINT,
        entered BIGINT,
        "left" BIGINT,
        tagged BIGINT,
        untagged BIGINT,
        not_in_intercom BIGINT,
        ambiguous BIGINT,
        failed BIGINT,
        pending BIGINT,
        api_calls BIGINT,
        seconds DOUBLE
    );
    """,
)

CURRENT_VERSION = len(MIGRATIONS)


def installed_version(connection: duckdb.DuckDBPyConnection) -> int:
    """The schema version of an open database; 0 when it has no state yet."""
    has_state = one_row(
        connection,
        "SELECT count(*) FROM information_schema.tables"
        " WHERE table_catalog = current_database()"
        " AND table_schema = 'dinmo' AND table_name = 'schema_version'",
    )[0]
    if not has_state:
        return 0
    return int(one_row(connection, "SELECT max(version) FROM dinmo.schema_version")[0])


def migrate(connection: duckdb.DuckDBPyConnection, database: str) -> None:
    """Bring the schema to the current version, in one transaction.

    Raises:
        StateVersionError: the file was written by a newer release.
    """
    installed = installed_version(connection)
    _refuse_newer(installed, database)
    if installed == CURRENT_VERSION:
        return
    connection.execute("BEGIN")
    try:
        connection.execute("CREATE SCHEMA IF NOT EXISTS dinmo")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS dinmo.schema_version"
            " (version INTEGER NOT NULL, installed_at TIMESTAMPTZ NOT NULL)"
        )
        for version in range(installed + 1, CURRENT_VERSION + 1):
            connection.execute(MIGRATIONS[version - 1])
            connection.execute("INSERT INTO dinmo.schema_version VALUES (?, now())", [version])
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def require_current(connection: duckdb.DuckDBPyConnection, database: str) -> None:
    """Refuse a file that a reader cannot use as it is.

    Raises:
        StateVersionError: the file was written by a newer release, or waits to be brought forward.
    """
    installed = installed_version(connection)
    _refuse_newer(installed, database)
    if installed < CURRENT_VERSION:
        raise StateVersionError(
            f"{database} has state schema {installed}, older than {CURRENT_VERSION}."
            " The next `dinmo sync` brings it forward."
        )


def _refuse_newer(installed: int, database: str) -> None:
    if installed > CURRENT_VERSION:
        raise StateVersionError(
            f"{database} has state schema {installed}; this release knows up to {CURRENT_VERSION}."
            " Upgrade dinmo-pipeline, or point `state: {database: …}` at another file."
        )
