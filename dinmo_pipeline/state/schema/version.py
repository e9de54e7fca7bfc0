"""The version of the state's schema: an older file is brought forward, a newer one refused."""

import duckdb

from dinmo_pipeline.state.errors import StateVersionError
from dinmo_pipeline.state.schema.descriptions import comment_statements
from dinmo_pipeline.state.schema.migrations import MIGRATIONS
from dinmo_pipeline.state.sql import one_row

CURRENT_VERSION = len(MIGRATIONS)


def installed_version(connection: duckdb.DuckDBPyConnection) -> int:
    """The schema version of an open database; 0 when it has no state yet.

    Raises:
        StateVersionError: there is a state, and its version is lost.
    """
    try:
        # To ask the catalog whether the table is there takes 8 ms of a new connection, and this 0.6.
        version = one_row(connection, "SELECT max(version) FROM dinmo.schema_version")[0]
    except duckdb.CatalogException:
        return 0
    if version is None:
        # To take it for an empty state would be to forget who is tagged.
        raise StateVersionError(
            "The state has lost the version of its schema: dinmo.schema_version is empty. Put back a backup."
        )
    return int(version)


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
        for statement in comment_statements():
            connection.execute(statement)
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
