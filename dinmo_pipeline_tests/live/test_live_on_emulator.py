"""The live test, run on the emulator: it finds what differs, and leaves nothing behind."""

import pytest
import requests

from dinmo_pipeline.emulator import EmulatorSettings, running
from dinmo_pipeline_tests.intercom.workspace import Clock
from dinmo_pipeline_tests.live import __main__ as live

TEST_TOKEN = "token-of-a-test-workspace"
WORKSPACE = "emul8tor"


class Workspace:
    """An emulated test workspace, and what a run on it printed."""

    def __init__(self, server, clock):
        self.server = server
        self.clock = clock
        self.printed = []

    def reset(self, **settings):
        self.server.emulator.reset(EmulatorSettings(token=TEST_TOKEN, **settings))

    def run(self, *words, **environment):
        given = {live.TOKEN: TEST_TOKEN, live.BASE_URL: self.server.base_url, **environment}
        return live.main(words, given, sleep=self.clock.sleep, say=self.printed.append)

    def confirmed_run(self):
        return self.run("--workspace", WORKSPACE)

    @property
    def differing(self):
        """The questions whose answer differs from what we assume."""
        return [line[12:] for line in self.printed if line.startswith("DIFFERS")]

    def answer_to(self, question):
        """What was found."""
        line = next(n for n, line in enumerate(self.printed) if line.endswith(f"  {question}"))
        return self.printed[line + 1].removeprefix("            found:   ")

    @property
    def is_empty(self):
        """Whether every tag and contact is deleted; a merged contact may remain, an archived one not."""
        index = self.server.store.live
        states = {index.at(seq).state for seq in index.created(None, None)}
        return states <= {"deleted", "merged"} and not self.server.store.tags()

    @property
    def calls(self):
        return self.server.emulator.stats.calls

    def fail(self, method, route, **rule):
        rule = {"kind": "status", "match": {"method": method, "route": route}, **rule}
        requests.post(f"{self.server.base_url}/_emulator/faults", json=[rule], timeout=10)


@pytest.fixture(scope="module")
def server_and_clock():
    clock = Clock()
    with running(clock=clock) as server:
        yield server, clock


@pytest.fixture
def workspace(server_and_clock):
    """A workspace whose search lags by three minutes; waiting moves the clock."""
    workspace = Workspace(*server_and_clock)
    workspace.reset(index_lag_s=180.0)
    return workspace


@pytest.mark.parametrize(
    ("index_lag_s", "calls", "found"),
    [
        (0.0, 43, "at most about 30 s"),
        (5.0, 43, "at most about 30 s"),
        (180.0, 44, "at most about 360 s"),
    ],
)
def test_the_emulator_is_as_assumed(workspace, index_lag_s, calls, found):
    """Every question but the 429, which is not provoked; an index that lags costs one more call."""
    workspace.reset(index_lag_s=index_lag_s)
    assert workspace.confirmed_run() == live.AS_ASSUMED, workspace.differing
    assert workspace.printed[-2] == "As assumed: 34. Different: 0. Unsettled: 1."
    assert workspace.printed[-1] == f"{calls} calls."
    assert workspace.calls.total() == calls
    assert workspace.answer_to("How long until search shows a new contact?") == found
    assert workspace.is_empty


def test_a_search_that_never_finds_anybody_settles_nothing(workspace):
    """Two looks and `=`; case, signs and pages stay unsettled."""
    workspace.reset(index_lag_s=1e6)
    assert workspace.confirmed_run() == live.AS_ASSUMED, workspace.differing
    assert workspace.calls["POST /contacts/search"] == 3
    assert workspace.answer_to("How long until search shows a new contact?") == "3 of 3 never appeared"
    assert workspace.printed[-2] == "As assumed: 26. Different: 0. Unsettled: 9."
    assert workspace.is_empty


@pytest.mark.parametrize(
    ("settings", "differing"),
    [
        ({"in_cap": 15}, ["How many values does IN allow?"]),
        (
            {"untag_missing": "not_found"},
            ["What happens when a tag is taken off a contact that does not have it?"],
        ),
        ({"untag_true": "honour"}, ['What does "untag": true do to a user in POST /tags?']),
        ({"untag_true": "reject"}, ['What does "untag": true do to a user in POST /tags?']),
    ],
)
def test_a_difference_is_reported(workspace, settings, differing):
    """One question each; everything is deleted as usual."""
    workspace.reset(**settings)
    assert workspace.confirmed_run() == live.DIFFERS
    assert workspace.differing == differing
    assert workspace.is_empty


@pytest.mark.parametrize(
    ("route", "after", "status", "differing"),
    [
        (
            "/contacts",
            1,
            409,
            ["May two users with different external ids share an email?"],
        ),
        ("/contacts", 2, 400, ["May an email have letters beyond ASCII?"]),
        ("/contacts/merge", 0, 400, []),
        ("/contacts/{id}/archive", 0, 400, []),
        ("/contacts/search", 0, 400, []),
    ],
)
def test_a_refusal_does_not_stop_the_run(workspace, route, after, status, differing):
    """It uses another email or a shorter list, or leaves the question unsettled."""
    workspace.fail("POST", route, status=status, after=after, times=1)
    workspace.confirmed_run()
    assert workspace.differing == differing
    assert workspace.is_empty


def test_a_user_whom_a_bulk_call_does_not_confirm_is_tagged_alone(workspace):
    """As the client does, with one more call."""
    workspace.reset()
    workspace.fail("POST", "/tags", status=400, after=1, times=1)
    assert workspace.confirmed_run() == live.DIFFERS
    assert workspace.differing == ["Is a tag name in another case the same tag?"]
    assert workspace.answer_to("… and in a call of its own?") == "200"
    assert workspace.calls.total() == 44
    assert workspace.is_empty


def test_an_archived_contact_that_cannot_be_deleted_is_restored_first(workspace):
    """Nobody has recorded whether it can."""
    workspace.fail("DELETE", "/contacts/{id}", status=404, after=1, times=1)
    assert workspace.confirmed_run() == live.AS_ASSUMED, workspace.differing
    assert workspace.calls["POST /contacts/{id}/unarchive"] == 1
    assert workspace.is_empty


@pytest.mark.parametrize("after", [1, 4, 12, 20, 28])
def test_everything_is_deleted_when_a_run_stops_early(workspace, after):
    """One call loses its connection; the next one has it again."""
    rule = {"kind": "drop_before", "after": after, "times": 1}
    requests.post(f"{workspace.server.base_url}/_emulator/faults", json=[rule], timeout=10)
    assert workspace.confirmed_run() == live.DIFFERS
    assert "Stopped: " in workspace.printed[-1]
    assert workspace.is_empty


def test_what_could_not_be_deleted_is_reported(workspace):
    """By its path, so that a person can delete it."""
    workspace.fail("DELETE", "/tags/{id}", status=503)
    workspace.confirmed_run()
    left = [line for line in workspace.printed if line.startswith("Not deleted: DELETE /tags/")]
    assert len(left) == len(workspace.server.store.tags()) == 11


def test_a_429_is_waited_out_and_reported(workspace):
    """Another app has spent the budget."""
    workspace.reset(rate_limit=5)
    assert workspace.confirmed_run() == live.AS_ASSUMED, workspace.differing
    assert any("429 rate_limit_exceeded" in line for line in workspace.printed)


@pytest.mark.parametrize(
    ("words", "environment", "said"),
    [
        ((), {live.TOKEN: ""}, "INTERCOM_TEST_ACCESS_TOKEN is not set"),
        ((), {}, "Name the workspace by its id"),
        ((), {live.WORKSPACE: "other"}, "belongs to workspace 'emul8tor', not 'other'"),
        (("--workspace", "prod1234"), {}, "not 'prod1234'. Nothing was written."),
        (("--workspace", WORKSPACE), {live.REGION: "mars"}, "Choose from us, eu, au."),
        (("--workspace", WORKSPACE), {live.TOKEN: "wrong"}, "401 unauthorized"),
    ],
)
def test_nothing_is_written_without_a_confirmed_workspace(workspace, words, environment, said):
    """The only call is the one that asks which workspace it is."""
    assert workspace.run(*words, **environment) == live.REFUSED
    assert said in workspace.printed[-1]
    assert dict(workspace.server.emulator.stats.calls) in ({}, {"GET /me": 1})


def test_the_token_is_never_printed(workspace):
    """Not even when there is no response."""
    workspace.confirmed_run()
    workspace.run("--workspace", WORKSPACE, **{live.BASE_URL: "http://127.0.0.1:1"})
    assert "no answer (ConnectionError)" in workspace.printed[-1]
    assert not any(TEST_TOKEN in line for line in workspace.printed)
