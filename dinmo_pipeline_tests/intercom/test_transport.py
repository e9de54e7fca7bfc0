"""One call over real HTTP: what is sent, what is retried, and what is reported at once."""

import gc
import logging
import warnings

import pytest

from dinmo_pipeline.intercom.client import IntercomClient, Workspace
from dinmo_pipeline.intercom.errors import (
    AccessError,
    ConfigurationError,
    IntercomError,
    RefusedError,
    UnavailableError,
    UnreadableError,
)
from dinmo_pipeline.intercom.retry import RETRIED_STATUSES, RetryPolicy
from dinmo_pipeline.intercom.transport import Transport
from dinmo_pipeline.sync.parallel import in_parallel
from dinmo_pipeline_tests.intercom.scripted import Reply, error_body
from dinmo_pipeline_tests.intercom.workspace import TOKEN

TAG = Reply(body={"type": "tag", "id": "1", "name": "VIP"})


def test_each_call_names_its_client_version_and_accepted_type(script, client_of):
    """Without a version a setting of the app applies; without Accept Intercom may answer 406."""
    script.reply(TAG)
    client_of(script.base_url, version="2.15").tags.create("VIP")
    (request,) = script.requests
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.headers["Intercom-Version"] == "2.15"
    assert request.headers["Accept"] == "application/json"
    assert request.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "odd", ["..", ".", "a/b", "a?b", "a#b", "a%2fb", "", "é", "a\n", "5ba6 82d2", "\u202e1"]
)
def test_an_id_that_is_not_plain_never_reaches_a_path(script, client_of, odd):
    """`DELETE /contacts/../tags/7` is `DELETE /tags/7` to many servers, which deletes the tag."""
    script.reply(TAG)
    client = client_of(script.base_url)
    for call in (
        lambda: client.contacts.get(odd),
        lambda: client.tags.get(odd),
        lambda: client.tags.of_contact(odd),
        lambda: client.tags.tag_contact(odd, "7"),
        lambda: client.tags.untag_contact(odd, "7"),
        lambda: client.tags.untag_contact("5ba682d2", odd),
    ):
        with pytest.raises(RefusedError, match="not one that Intercom gives"):
            call()
    assert script.requests == []


@pytest.mark.parametrize("status", sorted(RETRIED_STATUSES))
def test_temporary_errors_are_retried(script, client_of, status):
    """With growing waits, five attempts in all. Then it is an error."""
    script.reply(Reply(status, error_body("any")), Reply(status, error_body("any")), TAG)
    client = client_of(script.base_url)
    assert client.tags.create("VIP").id == "1"
    assert (len(script.requests), client.calls) == (3, 3)
    script.reply(Reply(status, error_body("any")))
    with pytest.raises(UnavailableError, match="even after retries"):
        client.tags.create("VIP")
    assert len(script.requests) == 5


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 403, 404, 405, 406, 409, 410, 422])
def test_permanent_errors_are_reported_at_once(script, client_of, clock, status):
    """One request, no wait. A redirect is not followed, since the token is for this host only."""
    script.reply(Reply(status, error_body("any"), {"Location": script.base_url + "/elsewhere"}))
    client, slept = client_of(script.base_url), len(clock.slept)
    with pytest.raises(IntercomError):
        client.tags.create("VIP")
    assert len(script.requests) == 1
    assert len(clock.slept) == slept


def test_waits_between_attempts_double(script, client_of, clock):
    """The first is half a second. There is no jitter here."""
    script.reply(Reply(503, error_body("service_unavailable")))
    slept = len(clock.slept)
    with pytest.raises(UnavailableError):
        client_of(script.base_url).tags.create("VIP")
    assert [wait for wait in clock.slept[slept:] if wait >= 0.5] == [0.5, 1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("headers", "waited"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({}, 10.0),
        ({"Retry-After": "soon", "X-RateLimit-Reset": "garbage"}, 10.0),
        ({"X-RateLimit-Limit": "167", "X-RateLimit-Remaining": "0"}, 10.0),
    ],
)
def test_a_429_waits_as_long_as_it_says_or_one_window(script, client_of, clock, headers, waited):
    """Also with a null body, and missing or garbled headers."""
    script.reply(Reply(429, None, headers), TAG)
    before = clock.now
    client_of(script.base_url).tags.create("VIP")
    expected = max(waited, 10.0) if "X-RateLimit-Limit" not in headers else 10.0
    assert clock.now - before == pytest.approx(expected, abs=0.2)


def test_a_refusal_of_the_emulator_is_waited_out(workspace):
    """The reset in its headers is the end of the window, and the next call succeeds."""
    workspace.reset(rate_limit=5)
    workspace.tag("VIP")
    foreign = workspace.clock.client(workspace.server.base_url, rate_limit_share=1.0)
    with foreign:
        for _ in range(5):
            # Another app that spends the whole budget.
            workspace.server.emulator.window = workspace.server.emulator.window.__class__(
                int(workspace.clock.now) // 10 * 10, 5
            )
        before = workspace.clock.now
        assert foreign.tags.find("VIP")
    assert workspace.refused == 1
    assert 2.0 <= workspace.clock.now - before <= 12.3


def test_a_long_wait_that_a_503_requests_is_kept(script, client_of, clock):
    """Up to thirty seconds."""
    script.reply(Reply(503, error_body("x"), {"Retry-After": "20"}), TAG)
    before = clock.now
    client_of(script.base_url).tags.create("VIP")
    assert clock.now - before == pytest.approx(20.0, abs=0.2)
    assert RetryPolicy(random=lambda: 1.0).wait_seconds(1, 3_600.0) == pytest.approx(36.0)


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "html"])
def test_lost_answers_are_retried(workspace, kind):
    """Whether or not Intercom carried out the call: repeating it is harmless."""
    (contact,) = workspace.users(1)
    tag = workspace.tag("VIP")
    workspace.fail({"kind": kind, "times": 2})
    workspace.client.tags.tag_contact(contact, tag)
    assert workspace.tagged("VIP") == {contact}
    assert workspace.calls["POST /contacts/{id}/tags"] == 3


@pytest.mark.parametrize("kind", ["timeout_before", "timeout_after"])
def test_calls_without_an_answer_are_retried(workspace, kind):
    """After the timeout, a tenth of a second here."""
    (contact,) = workspace.users(1)
    tag = workspace.tag("VIP")
    workspace.client._transport.timeout = (5.0, 0.1)
    workspace.fail({"kind": kind, "times": 1})
    workspace.client.tags.tag_contact(contact, tag)
    assert workspace.tagged("VIP") == {contact}
    assert workspace.calls["POST /contacts/{id}/tags"] == 2


def test_an_unreachable_host_is_named_in_the_error(client_of):
    """After all attempts."""
    client = client_of("http://127.0.0.1:9")
    with pytest.raises(UnavailableError, match=r"no answer from 127.0.0.1:9 \(ConnectionError\)"):
        client.workspace()
    assert client.calls == 5


@pytest.mark.parametrize("base_url", ["", "api.intercom.io", "ftp://x", "http://", "http://[bad"])
def test_an_invalid_address_is_reported_at_once(client_of, base_url):
    """Before any request."""
    client = client_of(base_url)
    with pytest.raises(ConfigurationError, match="base_url"):
        client.workspace()
    assert client.calls == 1


@pytest.mark.parametrize(
    ("settings", "kind", "says"),
    [
        ({"token": "another"}, AccessError, "Check the access token"),
        ({"missing_scopes": frozenset({"read_tags"})}, AccessError, "'Read tags'"),
        ({"plan_restricted": True}, AccessError, "api_plan_restricted"),
    ],
)
def test_errors_that_a_person_must_fix_are_reported_at_once(workspace, settings, kind, says):
    """Token, scope, plan: one call, no retry."""
    workspace.reset(**settings)
    with pytest.raises(kind, match=says):
        workspace.client.tags.list()
    assert workspace.client.calls == 1


def test_an_invalid_version_is_reported_at_once(workspace):
    """The error names the setting to change."""
    client = workspace.speak("9.9")
    with pytest.raises(ConfigurationError, match="`api_version`"):
        client.workspace()
    assert client.calls == 1


@pytest.mark.parametrize("token", ["", "   ", "two words", "naïve", "line\nbreak"])
def test_an_impossible_token_is_reported_before_any_call(client_of, script, token):
    """The error has its name, not its value; the HTTP library would print the value."""
    script.reply(TAG)
    client = client_of(script.base_url, token=token, token_name="The variable T")
    with pytest.raises(ConfigurationError, match=r"^The variable T") as caught:
        client.workspace()
    assert script.requests == []
    assert not token.strip() or token not in str(caught.value)


def test_no_secret_appears_in_any_text(script, client_of, caplog):
    """Not in errors and their causes, not in repr, not in logs of any level."""
    caplog.set_level(logging.DEBUG)
    client = client_of(script.base_url)
    told = [repr(client), repr(client._transport), repr(client.contacts), repr(client.tags)]
    for reply in (
        Reply(401, error_body("unauthorized", TOKEN)),
        Reply(500, TOKEN),
        Reply(200, TOKEN),
    ):
        script.reply(reply)
        with pytest.raises(IntercomError) as caught:
            client.workspace()
        error: BaseException | None = caught.value
        while error:
            told += [str(error), repr(error), repr(vars(error))]
            error = error.__cause__ or error.__context__
    assert script.requests
    assert TOKEN not in " ".join([*told, caplog.text])


def test_the_workspace_takes_one_call(workspace):
    """It verifies token, host, and version."""
    workspace.reset(region="EU")
    assert workspace.client.workspace() == Workspace("emul8tor", "Emulated workspace", "EU")
    assert workspace.calls == {"GET /me": 1}


@pytest.mark.parametrize("body", [{}, {"app": None}, {"app": {"id_code": 5, "region": []}}])
def test_a_workspace_without_values_is_empty(script, client_of, body):
    """Intercom's description allows null."""
    script.reply(Reply(body=body))
    assert client_of(script.base_url).workspace() == Workspace("", "", None)


def test_later_threads_reuse_connections(workspace):
    """As many sessions as parallel calls, across many thread pools; none stays open."""
    workspace.tag("VIP")
    tag = workspace.client.tags.find("VIP")
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        for _ in range(5):
            results = list(in_parallel(lambda _: workspace.client.tags.get(tag.id), range(20), workers=4))
            assert results == [tag] * 20
        transport: Transport = workspace.client._transport
        assert transport.sessions.made <= 4
        workspace.client.close()
        gc.collect()


def test_a_client_may_be_closed_during_a_call(workspace):
    """The session is closed when it comes back."""
    sessions = workspace.client._transport.sessions
    with sessions.lend() as lent:
        workspace.client.close()
    assert sessions.made == 1
    with sessions.lend() as other:
        assert other is not lent


def test_a_truncated_answer_is_retried(script, client_of):
    """In the end it is an unreadable answer."""
    script.reply(Reply(200, '{"type": "ta'), TAG)
    assert client_of(script.base_url).tags.create("VIP").id == "1"
    script.reply(Reply(200, '{"type": "ta'))
    with pytest.raises(UnreadableError):
        client_of(script.base_url).tags.create("VIP")
    assert len(script.requests) == 5


def test_a_client_has_a_pacer_by_default(server):
    """It does not share its budget."""
    with IntercomClient("t", server.base_url + "/", version="2.13") as client:
        assert client.tags.list() == []
