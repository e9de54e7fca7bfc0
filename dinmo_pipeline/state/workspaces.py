"""The Intercom workspace of each destination, to which everything known of the destination belongs."""

from dataclasses import dataclass

import duckdb

from dinmo_pipeline.state.sql import first_row


@dataclass(frozen=True, slots=True)
class RecordedWorkspace:
    """The workspace of a destination, and the digest of the host and token with which it was seen."""

    workspace_id: str
    name: str
    access: str


def recorded_workspace(connection: duckdb.DuckDBPyConnection, destination: str) -> RecordedWorkspace | None:
    """The workspace of a destination; None before the first sync."""
    found = first_row(
        connection,
        "SELECT workspace_id, name, access FROM dinmo.workspaces WHERE destination = ?",
        [destination],
    )
    return RecordedWorkspace(*found) if found else None


def destination_of(connection: duckdb.DuckDBPyConnection, workspace_id: str) -> str | None:
    """A destination that leads to a workspace; None if there is none."""
    found = first_row(
        connection, "SELECT destination FROM dinmo.workspaces WHERE workspace_id = ? LIMIT 1", [workspace_id]
    )
    return found[0] if found else None


def record_workspace(
    connection: duckdb.DuckDBPyConnection, destination: str, workspace: RecordedWorkspace
) -> None:
    """Record the workspace of a destination. Call it inside a transaction."""
    connection.execute(
        "INSERT OR REPLACE INTO dinmo.workspaces VALUES (?, ?, ?, ?)",
        [destination, workspace.workspace_id, workspace.name, workspace.access],
    )


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Some ids of tags and contacts of a destination, by which its workspace can be recognised."""

    tags: tuple[str, ...]
    contacts: tuple[str, ...]


def landmarks(connection: duckdb.DuckDBPyConnection, destination: str, *, limit: int) -> Landmarks:
    """A few tags and contacts; contacts that carry a tag of ours come first."""
    tags = connection.execute(
        "SELECT DISTINCT tag_id FROM dinmo.activation_tags WHERE destination = ? LIMIT ?",
        [destination, limit],
    ).fetchall()
    contacts = connection.execute(
        """
        SELECT contact_id FROM (
            SELECT contact_id, 1 AS turn FROM dinmo.tagged_contacts WHERE destination = $destination
            UNION ALL
            SELECT contact_id, 2 FROM dinmo.contacts WHERE destination = $destination
        )
        GROUP BY contact_id ORDER BY min(turn), contact_id LIMIT $limit
        """,
        {"destination": destination, "limit": limit},
    ).fetchall()
    return Landmarks(tuple(row[0] for row in tags), tuple(row[0] for row in contacts))
