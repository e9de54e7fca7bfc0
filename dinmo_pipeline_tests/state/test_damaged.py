"""A state that cannot be read is an error, and nothing is decided from what is left of it."""

import duckdb
import pytest

from dinmo_pipeline.state.errors import StateError, StateUnusableError
from dinmo_pipeline.state.membership import refresh_membership
from dinmo_pipeline.sync.operations.apply import apply_changes
from dinmo_pipeline.sync.operations.compute_changes import refresh_changes
from dinmo_pipeline.sync.operations.plan import plan_sync
from dinmo_pipeline_tests.intercom.scripted import scripted
from dinmo_pipeline_tests.intercom.workspace import Clock
from dinmo_pipeline_tests.state.declaring import NOW, rows_of, staged
from dinmo_pipeline_tests.sync.syncing import session_on

DAMAGES = [
    "DROP TABLE dinmo.tagged_contacts",
    "ALTER TABLE dinmo.tagged_contacts DROP COLUMN identifier",
    "ALTER TABLE dinmo.tagged_contacts RENAME contact_id TO contact",
    "DROP TABLE dinmo.membership_sizes",
    "DROP TABLE dinmo.activation_tags",
    "DELETE FROM dinmo.schema_version",
]


class _NoContacts:
    """A workspace without anything in it."""

    def __init__(self, client):
        self.client = client
        self.clock = Clock()


@pytest.fixture
def session(tmp_path):
    """A member who is tagged according to the ledger, and an Intercom that records calls."""
    with scripted() as server, Clock().client(server.base_url) as client:
        session = session_on(_NoContacts(client), tmp_path)
        refresh_membership(session.state, "vip", "email", staged(rows_of(["ann@x.org"]), "email", now=NOW))
        with session.state.transaction() as connection:
            connection.execute(
                "INSERT INTO dinmo.tagged_contacts VALUES ('vip', 'main', '1', 'ann@x.org', now())"
            )
        yield session
        assert {request.method for request in server.requests} <= {"GET"}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_plan_from_a_damaged_state_is_an_error(session, damage):
    """Never a plan that looks right."""
    _damage(session, damage)
    with pytest.raises(StateError, match=r"^The state "):
        plan_sync(
            session.state, session.activation, staged(rows_of(["bo@x.org"]), session.activation.match_by)
        )


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_sync_from_a_damaged_state_writes_nothing(session, damage, tmp_path):
    """It may read the tag, but changes nothing in Intercom."""
    _damage(session, damage)
    with pytest.raises(StateError, match=r"^The state "):
        refresh_changes(session)
    with pytest.raises(StateError, match=r"^The state "):
        apply_changes(session, tmp_path / "locks")


def test_the_error_says_what_to_do(session):
    """The file, the reason, and two ways out."""
    _damage(session, DAMAGES[0])
    with pytest.raises(StateUnusableError) as raised:
        refresh_changes(session)
    path = session.state.database
    assert str(raised.value) == (
        f"The state database {path} cannot be used: Catalog Error: Table with name tagged_contacts does"
        " not exist. If it is damaged or was changed by hand, restore a backup. Or move it away and run"
        " `dinmo reconcile ACTIVATION --repair` before the next sync."
    )


def _damage(session, statement):
    with duckdb.connect(session.state.database) as connection:
        connection.execute(statement)
