"""A session on an emulated workspace: state, activation, and queries."""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from dinmo_pipeline.state.changes import ChangeSet, compute_changes, store_changes
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.membership import refresh_membership
from dinmo_pipeline.state.workspaces import RecordedWorkspace, record_workspace
from dinmo_pipeline.sync.session import Session
from dinmo_pipeline_tests.intercom.workspace import Workspace
from dinmo_pipeline_tests.state.declaring import activation, staged

LOG = logging.getLogger("dinmo.tests")


def session_on(workspace: Workspace, folder: Path, **settings: Any) -> Session:
    """A session of one activation named VIP, in a workspace that the state knows."""
    chosen, state = activation(**settings), StateDatabase(str(folder / "state.duckdb"))
    known = RecordedWorkspace("emul8tor", "Emulated workspace", workspace.client.access)
    with state.transaction() as connection:
        record_workspace(connection, chosen.destination, known)
    return Session(
        chosen,
        state,
        workspace.client,
        LOG,
        clock=lambda: datetime.fromtimestamp(workspace.clock.now, UTC),
    )


def declare_members(session: Session, identifiers: Iterable[str]) -> ChangeSet:
    """Make them the segment's members, and store the change set."""
    rows = pa.table({"identifier": pa.array(list(identifiers), pa.string())}).to_reader()
    activation = session.activation
    refresh_membership(
        session.state,
        activation.key,
        activation.match_by,
        staged(rows, activation.match_by, now=session.clock()),
    )
    return compare(session)


def compare(session: Session) -> ChangeSet:
    """Compute and store the change set."""
    with session.state.transaction() as connection:
        changes = compute_changes(connection, session.activation)
        store_changes(connection, session.activation)
    return changes


def rows(session: Session, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query of the state."""
    with session.state.reading() as connection:
        return connection.execute(query).fetchall()
