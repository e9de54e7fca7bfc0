"""Injected faults."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from dinmo_pipeline_tests.emulator.api import Api, error_of


def _break(api: Api, *rules: dict[str, object]) -> None:
    assert api.post("/_emulator/faults", list(rules)).json() == {"faults": len(rules)}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, (500, "server_error")),
        ({"status": 503}, (503, "service_unavailable")),
        ({"status": 429}, (429, "rate_limit_exceeded")),
        ({"status": 401, "code": "token_revoked"}, (401, "token_revoked")),
    ],
)
def test_a_status_fault_is_an_error_with_its_usual_code(
    api: Api, rule: dict[str, object], expected: tuple[int, str]
):
    """With rate headers, and nothing is written."""
    _break(api, {"kind": "status", **rule})
    answer = api.post("/tags", {"name": "VIP"})
    assert error_of(answer) == expected
    assert "X-RateLimit-Limit" in answer.headers
    _break(api)
    assert api.get("/tags").json()["data"] == []


def test_an_html_fault_is_a_gateways_page_without_the_usual_headers(api: Api):
    """Reported: load balancers respond with 502 and 403 without JSON."""
    for status in (502, 403):
        _break(api, {"kind": "html", "status": status})
        answer = api.get("/me")
        assert answer.status_code == status
        assert answer.headers["Content-Type"].startswith("text/html")
        assert {"x-request-id", "x-ratelimit-limit"}.isdisjoint(answer.headers)


@pytest.mark.parametrize(("kind", "written"), [("drop_before", 0), ("drop_after", 1)])
def test_a_dropped_connection_may_have_written(api: Api, kind: str, written: int):
    """After the call, only the response is lost."""
    _break(api, {"kind": kind, "match": {"method": "POST", "route": "/tags"}})
    with pytest.raises(requests.ConnectionError):
        api.post("/tags", {"name": "VIP"})
    assert len(api.get("/tags").json()["data"]) == written


@pytest.mark.parametrize(("kind", "written"), [("timeout_before", 0), ("timeout_after", 1)])
def test_a_timeout_may_have_written(api: Api, kind: str, written: int):
    """The client gives up, and what was written stays."""
    _break(api, {"kind": kind, "match": {"route": "/tags"}, "times": 1})
    with pytest.raises(requests.ReadTimeout):
        requests.post(
            f"{api.base_url}/tags",
            json={"name": "VIP"},
            headers={"Authorization": "Bearer x"},
            timeout=0.05,
        )
    assert len(api.get("/tags").json()["data"]) == written
    assert api.get("/_emulator/stats").json()["statuses"] == {"lost": 1, "200": 1}


def test_a_timeout_ends_with_a_dropped_connection(api: Api):
    """If the client waits longer than the fault."""
    _break(api, {"kind": "timeout_before", "seconds": 0.02})
    with pytest.raises(requests.ConnectionError):
        api.get("/me")


def test_latency_adds_to_another_fault(api: Api):
    """The call is delayed, and then fails."""
    _break(api, {"kind": "latency", "seconds": 0.02}, {"kind": "status", "status": 500})
    answer = api.get("/me")
    assert answer.status_code == 500
    assert float(answer.headers["X-Runtime"]) >= 0.02


def test_a_call_delayed_until_after_a_reset_changes_nothing(api: Api):
    """The new workspace has the same contact and tag ids as the old one."""
    _break(api, {"kind": "latency", "seconds": 1.0, "match": {"method": "POST"}})
    with ThreadPoolExecutor(1) as thread, requests.Session() as session:
        late = Api(api.base_url, session, api.clock)
        call = thread.submit(late.post, "/tags", {"name": "VIP"})
        while "POST /tags" not in api.get("/_emulator/stats").json()["calls"]:
            pass
        api.reset()
        with pytest.raises(requests.ConnectionError):
            call.result()
    assert api.get("/tags").json()["data"] == []
    assert api.get("/_emulator/stats").json()["statuses"] == {"200": 1}


def test_latency_is_also_a_setting(api: Api):
    """In milliseconds."""
    api.reset(latency_ms=20)
    assert float(api.get("/me").headers["X-Runtime"]) >= 0.02


def test_times_and_after_choose_the_calls(api: Api):
    """Two succeed, then two fail."""
    _break(api, {"kind": "status", "after": 2, "times": 2, "match": {"method": "GET"}})
    assert [api.get("/me").status_code for _ in range(5)] == [200, 200, 500, 500, 200]


def test_a_route_is_matched_by_its_template(api: Api):
    """Other routes succeed."""
    _break(api, {"kind": "status", "match": {"route": "/contacts/{id}"}})
    assert api.get("/contacts/unknown").status_code == 500
    assert api.get("/contacts").status_code == 200


def test_a_rate_is_a_probability_with_a_seed(api: Api):
    """With the same seed, the same calls fail."""
    outcomes = []
    for _ in range(2):
        _break(api, {"kind": "status", "rate": 0.5, "seed": 7})
        outcomes.append([api.get("/me").status_code for _ in range(40)])
    assert outcomes[0] == outcomes[1]
    assert 8 < outcomes[0].count(500) < 32


@pytest.mark.parametrize(
    "rules", [{}, [{}], [{"kind": "unknown"}], [{"kind": "status", "colour": "red"}], ["status"]]
)
def test_an_invalid_rule_is_refused(api: Api, rules: object):
    """400, and the present rules stay in force."""
    _break(api, {"kind": "status"})
    assert api.post("/_emulator/faults", rules).status_code == 400
    assert api.get("/me").status_code == 500
