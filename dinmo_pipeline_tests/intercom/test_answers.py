"""Every answer becomes an answer or a typed error; none crashes the reader, none reveals a secret."""

import json
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dinmo_pipeline.intercom import errors
from dinmo_pipeline.intercom.answers import Answer, read_answer
from dinmo_pipeline.intercom.errors import (
    AccessError,
    ConfigurationError,
    IntercomError,
    MergedError,
    NotFoundError,
    RefusedError,
    UnavailableError,
    UnreadableError,
)
from dinmo_pipeline.intercom.pages import read_contact, read_page
from dinmo_pipeline.intercom.permissions import (
    READ_CONTACTS,
    READ_TAGS,
    WRITE_TAGS,
    needed_permission,
)
from dinmo_pipeline.intercom.tags import answered_tag, confirmed_contacts
from dinmo_pipeline_tests.intercom.scripted import error_body

HTML = {"Content-Type": "text/html"}


def response(status: int, body: Any = None, headers: dict[str, str] | None = None) -> Any:
    made = requests.Response()
    made.status_code = status
    made._content = body if isinstance(body, bytes) else json.dumps(body).encode()
    made.headers.update(headers or {})
    return made


def read(status, body=None, headers=None, call="POST /tags", **options):
    method, _, path = call.partition(" ")
    made = response(status, body, headers)
    return read_answer(method, path, made, made.content, **options)


# Status, code, call -> the error that stands for it. Codes and statuses as documented or recorded.
MEANINGS = [
    (400, "parameter_invalid", "POST /tags", RefusedError),
    (400, "bad_request", "POST /contacts/search", RefusedError),
    (400, "intercom_version_invalid", "GET /me", ConfigurationError),
    (401, "unauthorized", "GET /me", AccessError),
    (401, "token_unauthorized", "POST /tags", AccessError),
    (403, "api_plan_restricted", "POST /tags", AccessError),
    (404, "not_found", "POST /tags", NotFoundError),
    (404, "not_found", "DELETE /contacts/a/tags/1", NotFoundError),
    (404, "not_found", "GET /me", ConfigurationError),
    (404, "not_found", "POST /contacts/search", ConfigurationError),
    (404, None, "DELETE /contacts/a/tags/1", ConfigurationError),
    (405, None, "POST /tags", ConfigurationError),
    (406, "media_type_not_acceptable", "GET /tags", ConfigurationError),
    (408, "request_timeout", "GET /tags", UnavailableError),
    (409, "conflict", "POST /tags", RefusedError),
    (410, "contact_merged", "GET /contacts/a", MergedError),
    (422, "unprocessable_entity", "POST /tags", RefusedError),
    (429, "rate_limit_exceeded", "GET /tags", UnavailableError),
    (500, "server_error", "GET /tags", UnavailableError),
    (501, None, "GET /tags", UnavailableError),
    (502, None, "GET /tags", UnavailableError),
    (503, "service_unavailable", "GET /tags", UnavailableError),
    (504, "server_timeout", "GET /tags", UnavailableError),
    (302, None, "GET /tags", ConfigurationError),
    (418, "teapot", "GET /tags", RefusedError),
]


@pytest.mark.parametrize(("status", "code", "call", "kind"), MEANINGS)
def test_each_status_has_its_error(status, code, call, kind):
    """The error has the status, the code, and the request's id. The message is never read."""
    body = error_body(code, "anything") if code else None
    error = read(status, body, {"X-Request-Id": "req-1"}, call)
    assert type(error) is kind
    assert (error.status, error.code, error.request_id) == (status, code, "req-1")
    assert str(error).startswith(f"{call}: Intercom answered {status}")


def test_every_error_class_comes_from_some_answer():
    """No class is dead. Unreadable answers have tests of their own below."""
    kinds = {kind for *_, kind in MEANINGS} | {UnreadableError}
    declared = {
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, IntercomError)
    }
    assert kinds == declared - {IntercomError}


def test_every_error_and_permission_is_in_the_documentation():
    """The reference page lists each, with advice."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "intercom.md").read_text()
    told = [kind.__name__ for *_, kind in MEANINGS] + [READ_TAGS, WRITE_TAGS, READ_CONTACTS]
    assert [word for word in told if word not in page] == []


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("unauthorized", AccessError),
        ("token_revoked", AccessError),
        ("not_found", NotFoundError),
        ("rate_limit_exceeded", UnavailableError),
        ("server_error", UnavailableError),
        ("parameter_invalid", RefusedError),
        ("never_heard_of", RefusedError),
    ],
)
def test_errors_under_status_200_are_errors(code, kind):
    """The code stands for the status."""
    assert type(read(200, error_body(code))) is kind
    without_type = {"errors": [{"code": code}]}
    assert type(read(200, without_type)) is kind


@pytest.mark.parametrize("body", [b"null", b"[]", b'"text"', b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_success_that_is_not_a_json_object_is_unreadable(body):
    """It is retried, since the answer may have been cut off."""
    assert type(read(200, body)) is UnreadableError


def test_a_web_page_instead_of_an_answer_is_a_wrong_setting():
    """A network's sign-in page, or a website as base_url, is reported at once with advice."""
    error = read(200, b"<html>Sign in</html>", HTML)
    assert type(error) is ConfigurationError
    assert "`base_url`" in str(error)


def test_a_success_without_a_body_is_a_success():
    """DELETE is not documented to do that, but it is harmless."""
    assert read(204, b"", call="DELETE /contacts/a/tags/1") == Answer({}, None)


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_gateways_page_is_not_taken_for_intercoms_answer(status):
    """A load balancer's 404 must not make a contact count as gone, and is not retried."""
    error = read(status, b"<html></html>", HTML, "DELETE /contacts/a/tags/1")
    assert isinstance(error, AccessError if status == 403 else ConfigurationError)
    assert "`region` and `base_url`" in str(error)


@pytest.mark.parametrize(
    ("link", "canonical"),
    [
        ('</contacts/abc>; rel="canonical"', "abc"),
        ("</contacts/abc>; rel=canonical", "abc"),
        ('<https://api.intercom.io/contacts/abc>; rel="canonical"', "abc"),
        ('</contacts/x>; rel="prev", </contacts/abc>; rel="canonical"', "abc"),
        ("</contacts/abc>", None),
        ("nonsense", None),
        ("", None),
    ],
)
def test_a_merged_contact_names_its_survivor(link, canonical):
    """The Link header does, as documented from 2.16 on. Without it the survivor is unknown."""
    error = read(410, error_body("contact_merged"), {"Link": link}, "GET /contacts/old")
    assert isinstance(error, MergedError)
    assert error.canonical_id == canonical


@pytest.mark.parametrize(
    ("served", "accepted"),
    [
        ("2.16", True),
        ("2.13", True),
        ("2.17", True),
        ("2.120", True),
        ("Preview", True),
        ("", True),
        ("2.12", False),
        ("1.4", False),
        ("3.0", False),
    ],
)
def test_an_unsupported_version_is_an_error(served, accepted):
    """Any version from 2.13 on will do, since the client goes by what the answers contain."""
    result = read(200, {"type": "tag"}, {"Intercom-Version": served})
    assert isinstance(result, Answer if accepted else ConfigurationError)


@pytest.mark.parametrize(
    ("call", "permission"),
    [
        ("GET /me", None),
        ("GET /tags", "Read tags"),
        ("GET /tags/1", "Read tags"),
        ("POST /tags", "Write tags"),
        ("POST /contacts/a/tags", "Write tags"),
        ("DELETE /contacts/a/tags/1", "Write tags"),
        ("POST /contacts/search", "Read and list users and companies"),
        ("GET /contacts", "Read and list users and companies"),
        ("GET /contacts/tags", "Read and list users and companies"),
    ],
)
def test_an_access_error_names_the_permission(call, permission):
    """It uses the words of the Developer Hub."""
    method, _, path = call.partition(" ")
    assert needed_permission(method, path) == permission
    message = str(read(401, error_body("token_unauthorized"), call=call))
    assert permission is None or permission in message


SECRET = "dG9rOnRoaXMtaXMtYS1zZWNyZXQ="


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 410, 429, 500])
def test_a_token_or_address_in_an_answer_never_appears_in_the_error(status):
    """Wherever in the answer it is."""
    words = f"bad {SECRET} of ana.lee+x@example.com"
    body = {**error_body(f"code {words}", words), "request_id": words}
    error = read(status, body, {"X-Request-Id": words}, token=SECRET)
    told = " ".join(map(str, (error, repr(error), vars(error))))
    assert SECRET not in told
    assert "example.com" not in told


KEYS = """type errors data code message request_id pages next starting_after total_count id name users
tagged role email external_id created_at tags"""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS.split()),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=400, deadline=None)
@given(
    status=st.integers(100, 599),
    body=JSON | st.binary(max_size=30),
    headers=st.dictionaries(
        st.sampled_from(["X-Request-Id", "Link", "Content-Type", "Intercom-Version"]),
        st.text(max_size=20),
    ),
    call=st.sampled_from(["GET /me", "POST /tags", "GET /contacts", "DELETE /contacts/a/tags/1"]),
)
@example(status=200, body={"errors": 5}, headers={}, call="GET /me")
@example(status=200, body={"type": "error.list"}, headers={}, call="GET /me")
@example(status=410, body={"errors": [{"code": "x"}]}, headers={"Link": "<"}, call="POST /tags")
def test_no_answer_crashes_the_reader(status, body, headers, call):
    """Any status, body, and headers give an answer or an IntercomError."""
    result = read(status, body, headers, call)
    if isinstance(result, IntercomError):
        return
    for reader in (lambda: read_page(call, result), lambda: answered_tag(call, result)):
        try:
            reader()
        except IntercomError:
            continue
    confirmed_contacts(result.body.get("users"))


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_no_item_crashes_the_reader_of_contacts(item):
    """An item without an id is not a contact; all other odd values read as absent."""
    contact = read_contact(item)
    if contact is not None:
        assert contact.id
        assert isinstance(contact.is_user, bool)
        assert contact.email is None or isinstance(contact.email, str)
        assert contact.created_at is None or type(contact.created_at) is int
