"""The version of the state's schema: an older file is migrated, a newer one refused."""

from collections.abc import Iterable, Iterator

import duckdb

from dinmo_pipeline.state.errors import StateVersionError
from dinmo_pipeline.state.schema.descriptions import comment_statements
from dinmo_pipeline.state.schema.migrations import MIGRATIONS
from dinmo_pipeline.state.sql import one_row

CURRENT_VERSION = len(MIGRATIONS)
# Of a state that was moved elsewhere: no release may use it.
_MOVED = 1_000_000


def installed_version(connection: duckdb.DuckDBPyConnection) -> int:
    """The schema version of an open database; 0 if it has no state yet.

    Raises:
        StateVersionError: there is a state without a version.
    """
    try:
        # To ask the catalog for the table takes a new connection 8 ms; this takes 0.6 ms.
        version = one_row(connection, "SELECT max(version) FROM dinmo.schema_version")[0]
    except duckdb.CatalogException:
        return 0
    if version is None:
        # Treating it as an empty state would lose who is tagged.
        raise StateVersionError(
            "The state has lost its schema version: dinmo.schema_version is empty. Restore a backup."
        )
    return int(version)


def migrate(connection: duckdb.DuckDBPyConnection, database: str) -> None:
    """Migrate the schema to the current version, in a transaction for each version on the way.

    DuckDB 1.5 cannot alter a table in which the same transaction has changed rows. Whoever is killed in
    between leaves an earlier version, which the next writer migrates further.

    Raises:
        StateVersionError: the file was written by a newer release.
    """
    installed = installed_version(connection)
    _refuse_newer(installed, database)
    for version in range(installed + 1, CURRENT_VERSION + 1):
        _in_transaction(connection, _statements(version))


def _statements(version: int) -> Iterator[str]:
    """What brings the schema from the version before to this one."""
    if version == 1:
        yield "CREATE SCHEMA IF NOT EXISTS dinmo"
        yield (
            "CREATE TABLE IF NOT EXISTS dinmo.schema_version"
            " (version INTEGER NOT NULL, installed_at TIMESTAMPTZ NOT NULL)"
        )
    yield MIGRATIONS[version - 1]
    if version == CURRENT_VERSION:
        yield from comment_statements()
    yield f"INSERT INTO dinmo.schema_version VALUES ({version}, now())"


def _in_transaction(connection: duckdb.DuckDBPyConnection, statements: Iterable[str]) -> None:
    connection.execute("BEGIN")
    try:
        for statement in statements:
            connection.execute(statement)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def require_current(connection: duckdb.DuckDBPyConnection, database: str) -> None:
    """Refuse a file that a reader cannot use without migrating it.

    Raises:
        StateVersionError: the file was written by a newer release, or is yet to be migrated.
    """
    installed = installed_version(connection)
    _refuse_newer(installed, database)
    if installed < CURRENT_VERSION:
        raise StateVersionError(
            f"{database} has state schema {installed}, older than {CURRENT_VERSION}."
            " The next `dinmo sync` will migrate it."
        )


def mark_as_moved(connection: duckdb.DuckDBPyConnection) -> None:
    """Keep every release from using a state that was moved elsewhere. Call it inside a transaction."""
    connection.execute("INSERT INTO dinmo.schema_version VALUES (?, now())", [_MOVED])


def _refuse_newer(installed: int, database: str) -> None:
    if installed == _MOVED:
        raise StateVersionError(
            f"The state in {database} was moved elsewhere by `dinmo move-state`. Set `state` in the"
            " declarations to its new place. To use this file again after all, delete the row"
            f" {_MOVED} of its table dinmo.schema_version."
        )
    if installed > CURRENT_VERSION:
        raise StateVersionError(
            f"{database} has state schema {installed}, but this release supports up to {CURRENT_VERSION}."
            " Upgrade dinmo-pipeline, or choose another path for `state` in the declarations."
        )
