"""Headers, authentication, versions and media types."""

import pytest
import requests

from dinmo_pipeline_tests.emulator.api import Api, error_of, message_of


def test_h1_every_answer_carries_the_recorded_headers(api: Api):
    """H1: JSON, rate limit, request id, and the requested version, even on errors."""
    api.reset(rate_limit=3)
    api.post("/_emulator/faults", [{"kind": "status", "after": 2}])
    answers = [api.get("/me"), api.get("/contacts/unknown"), api.get("/me"), api.get("/me")]
    assert [answer.status_code for answer in answers] == [200, 404, 500, 429]
    for answer in answers:
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        assert answer.headers["Intercom-Version"] == "2.16"
        assert answer.headers["Server"] == "nginx"
        assert answer.headers["Status"].startswith(str(answer.status_code))
        assert float(answer.headers["X-Runtime"]) >= 0
        assert len(answer.headers["X-Request-Id"]) == 20
        for name in ("Limit", "Remaining", "Reset"):
            assert answer.headers[f"X-RateLimit-{name}"].isdecimal()


def test_h2_only_successes_have_an_etag_and_only_writes_set_the_cookie(api: Api):
    """H2: errors are `no-cache`; `recent_write` lasts one second."""
    read, error, write = api.get("/tags"), api.get("/tags/1"), api.post("/tags", {"name": "VIP"})
    assert "ETag" in read.headers
    assert "Set-Cookie" not in read.headers
    assert "ETag" not in error.headers
    assert error.headers["Cache-Control"] == "no-cache"
    assert "Set-Cookie" not in error.headers
    assert write.headers["Set-Cookie"].startswith("recent_write=")
    assert "max-age=1" in write.headers["Set-Cookie"]
    search = api.post("/contacts/search", {"query": {"field": "role", "operator": "=", "value": "user"}})
    assert "Set-Cookie" not in search.headers


def test_h9_an_error_is_a_list_that_repeats_the_request_id(api: Api):
    """H9: `error.list` with the request id from the header."""
    answer = api.get("/contacts/unknown")
    assert answer.json() == {
        "type": "error.list",
        "request_id": answer.headers["X-Request-Id"],
        "errors": [{"code": "not_found", "message": "User Not Found"}],
    }


def test_the_date_follows_the_emulators_clock(api: Api):
    """A client with a wrong clock computes with reset minus date."""
    assert api.get("/me").headers["Date"] == "Fri, 15 Jan 2027 08:00:00 GMT"


@pytest.mark.parametrize("headers", [{"Authorization": ""}, {"Authorization": "Basic abc"}])
def test_a_call_without_bearer_token_is_refused_without_rate_headers(api: Api, headers: dict[str, str]):
    """T9: 401 `unauthorized`; only authenticated calls get rate headers."""
    answer = api.get("/tags", headers=headers)
    assert error_of(answer) == (401, "unauthorized")
    assert message_of(answer) == "Access Token Invalid"
    assert "X-RateLimit-Limit" not in answer.headers


def test_t9_only_the_configured_token_is_accepted(api: Api):
    """T9: any other token is 401 `unauthorized`."""
    api.reset(token="right")
    assert api.get("/me", headers={"Authorization": "Bearer right"}).status_code == 200
    assert error_of(api.get("/me")) == (401, "unauthorized")


@pytest.mark.parametrize("version", ["2.13", "2.14", "2.15", "2.16", "2.17"])
def test_each_supported_version_is_echoed(api: Api, version: str):
    """H1: in the version header."""
    assert api.speaking(version).get("/me").headers["Intercom-Version"] == version


def test_a_call_without_version_is_served_the_default(api: Api, session: requests.Session):
    """Intercom takes it from the app's settings in the Developer Hub."""
    api.reset(default_version="2.14")
    answer = session.get(
        f"{api.base_url}/me",
        headers={"Authorization": "Bearer x", "Accept": "application/json"},
        timeout=10,
    )
    assert answer.headers["Intercom-Version"] == "2.14"


def test_an_unknown_version_is_refused(api: Api):
    """400 `intercom_version_invalid`."""
    assert error_of(api.speaking("9.9").get("/me")) == (400, "intercom_version_invalid")


@pytest.mark.parametrize("accept", ["text/html", ""])
def test_a_call_that_does_not_accept_json_is_refused(api: Api, accept: str):
    """406 `media_type_not_acceptable`."""
    answer = api.get("/me", headers={"Accept": accept})
    assert error_of(answer) == (406, "media_type_not_acceptable")


@pytest.mark.parametrize("accept", ["*/*", "text/html, application/json;q=0.9"])
def test_json_among_others_is_acceptable(api: Api, accept: str):
    """A client that accepts anything gets JSON."""
    assert api.get("/me", headers={"Accept": accept}).status_code == 200


@pytest.mark.parametrize(("method", "path"), [("GET", "/nothing"), ("PATCH", "/tags")])
def test_unknown_paths_and_methods_are_not_found(api: Api, method: str, path: str):
    """404 also for an unsupported method, as documented."""
    assert error_of(api.call(method, path)) == (404, "not_found")


def test_a_body_that_is_not_json_is_refused(api: Api):
    """400 `parameter_invalid`, as documented."""
    assert error_of(api.call("POST", "/tags", data=b"{")) == (400, "parameter_invalid")
    assert error_of(api.post("/tags", [1])) == (400, "parameter_invalid")


def test_me_shows_the_workspace_and_its_region(api: Api):
    """A client compares both with its configuration."""
    api.reset(region="EU", workspace_id="abc123")
    app = api.get("/me").json()["app"]
    assert (app["id_code"], app["region"], app["timezone"]) == ("abc123", "EU", "UTC")


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        ("read_tags", "GET", "/tags"),
        ("write_tags", "POST", "/tags"),
        ("read_contacts", "POST", "/contacts/search"),
        ("write_contacts", "POST", "/contacts"),
    ],
)
def test_a_missing_scope_refuses_the_calls_that_need_it(api: Api, scope: str, method: str, path: str):
    """401 `token_unauthorized`, as reported; `/me` needs no scope."""
    api.reset(missing_scopes=[scope])
    assert error_of(api.call(method, path, {})) == (401, "token_unauthorized")
    assert api.get("/me").status_code == 200


def test_a_restricted_plan_refuses_everything(api: Api):
    """403 `api_plan_restricted`."""
    api.reset(plan_restricted=True)
    assert error_of(api.get("/tags")) == (403, "api_plan_restricted")
