"""Valid JSON of a wrong shape, from each endpoint in use: no crash, no wrong write, nothing lost."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import event, given, settings

from dinmo_pipeline.emulator import EmulatorServer, NewContact
from dinmo_pipeline.intercom.client import IntercomClient
from dinmo_pipeline.intercom.errors import IntercomError
from dinmo_pipeline.state.membership import refresh_membership
from dinmo_pipeline.state.syncs import SyncResult
from dinmo_pipeline.sync.operations.apply import apply_changes
from dinmo_pipeline.sync.operations.compute_changes import refresh_changes
from dinmo_pipeline.sync.session import Session
from dinmo_pipeline_tests.end_to_end.faults.kept_state import KeptState
from dinmo_pipeline_tests.intercom.scripted import Reply, Request, ScriptedServer, scripted
from dinmo_pipeline_tests.intercom.test_answers import JSON
from dinmo_pipeline_tests.intercom.workspace import Clock, Workspace
from dinmo_pipeline_tests.state.declaring import NOW, activation, rows_of, staged
from dinmo_pipeline_tests.sync.syncing import LOG

VIP = activation()
EMAILS = [f"u{number}@example.com" for number in range(5)]


@dataclass
class StrangeIntercom:
    """An emulated Intercom behind a server that answers some calls differently."""

    workspace: Workspace
    server: ScriptedServer
    client: IntercomClient
    state: KeptState
    locks: Path

    def begin(self) -> list[str]:
        """Make four users members, all tagged; returns their ids."""
        self.workspace.reset()
        self.state.lose()
        self.answer()
        ids = self.workspace.users(4)
        assert self.sync(EMAILS[:4]).status == "ok"
        return ids

    def answer(self, call: str | None = None, body: Any = None) -> None:
        """Give this answer to one kind of call instead of carrying it out; other calls go through."""

        def answer(request: Request) -> Reply:
            if call and f"{request.method} {request.path}".startswith(call):
                return Reply(body=body)
            passed = requests.request(
                request.method,
                self.workspace.server.base_url + request.path,
                data=request.body,
                headers={"Authorization": "Bearer x", "Content-Type": "application/json"},
                timeout=30,
            )
            return Reply(passed.status_code, passed.content)

        self.server.answer = answer

    def sync(self, members: list[str]) -> SyncResult:
        """Run both jobs."""
        refresh_membership(self.state, "vip", "email", staged(rows_of(members), "email", now=NOW))
        session = Session(VIP, self.state, self.client, LOG)
        refresh_changes(session)
        return apply_changes(session, self.locks)

    def missing(self) -> set[str]:
        """Members that are recorded as not in Intercom."""
        with self.state.reading() as connection:
            rows = connection.execute("SELECT identifier FROM dinmo.missing_members").fetchall()
        return {row[0] for row in rows}


@pytest.fixture(scope="module")
def strange(
    server: EmulatorServer, clock: Clock, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StrangeIntercom]:
    """`begin` empties it, since a property test has many examples."""
    locks = tmp_path_factory.mktemp("locks")
    with (
        Workspace(server, clock) as workspace,
        scripted() as script,
        clock.client(script.base_url) as client,
    ):
        yield StrangeIntercom(workspace, script, client, KeptState(), locks)


@pytest.mark.parametrize("call", ["GET /tags", "POST /contacts/search", "POST /tags", "DELETE /contacts/"])
@settings(max_examples=4, deadline=None)
@given(body=JSON)
def test_a_strange_answer_harms_nobody(strange: StrangeIntercom, call: str, body: Any) -> None:
    """One member leaves and one enters while it happens; the next sync puts everything right."""
    ids = [*strange.begin(), *strange.workspace.create([NewContact(email=EMAILS[4])])]
    strange.answer(call, body)
    event(f"{call}: {strange.sync(EMAILS[1:5]).status}")
    assert set(ids[1:4]) <= strange.workspace.tagged("VIP") <= set(ids)
    strange.answer()
    assert strange.sync(EMAILS[1:5]).status == "ok"
    # An empty list is a valid answer, so members who were not found are looked up again later.
    absent = {ids[EMAILS.index(email)] for email in strange.missing()}
    assert strange.workspace.tagged("VIP") == set(ids[1:5]) - absent


@pytest.mark.parametrize("body", [{}, {"id": "2", "name": "Other"}, {"type": "list", "data": []}])
def test_only_the_tag_itself_confirms_untagging(strange: StrangeIntercom, body: Any) -> None:
    """The change stays pending until Intercom answers properly."""
    ids = strange.begin()
    strange.answer("DELETE /contacts/", body)
    result = strange.sync(EMAILS[:3])
    assert (result.status, result.numbers.pending) == ("failed", 1)
    strange.answer()
    assert strange.sync(EMAILS[:3]).numbers.untagged == 1
    assert strange.workspace.tagged("VIP") == set(ids[:3])


@settings(max_examples=10, deadline=None)
@given(body=JSON)
def test_a_strange_answer_about_the_workspace_is_an_error_or_a_name(
    strange: StrangeIntercom, body: Any
) -> None:
    """`dinmo check --online` reads it."""
    strange.answer("GET /me", body)
    try:
        workspace = strange.client.workspace()
    except IntercomError:
        return
    assert isinstance(workspace.name, str)
