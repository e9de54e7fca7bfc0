"""The emulator's own endpoints, and its page."""

from typing import Any

import pytest

from dinmo_pipeline_tests.emulator.api import Api


def test_seeding_creates_contacts_in_order(api: Api):
    """Without rules about emails; tag names ignore case."""
    body = [{"email": "a@x.com"}, {"email": "a@x.com", "role": "lead", "tags": ["VIP", "vip"]}]
    answer = api.post("/_emulator/contacts", body).json()
    assert answer["created"] == 2
    assert api.tag_names(answer["ids"][1]) == ["VIP"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        ["a@x.com"],
        [{"mail": "a@x.com"}],
        [{"role": "admin"}],
        [{"created_at": "yesterday"}],
        [{"tags": "VIP"}],
        [{"external_id": "1"}, {"external_id": "1"}],
    ],
)
def test_invalid_contacts_are_not_created(api: Api, body: Any):
    """400."""
    assert api.post("/_emulator/contacts", body).status_code == 400


def test_stats_count_calls_by_route_and_statuses(api: Api):
    """By route template; contacts created by the API are counted apart from seeded ones."""
    api.seed({"email": "a@x.com"}, {"email": "b@x.com"})
    created = api.post("/contacts", {"email": "c@x.com"}).json()["id"]
    api.get(f"/contacts/{created}")
    api.get("/contacts/unknown")
    api.get("/nothing")
    expected = {
        "calls": {"POST /contacts": 1, "GET /contacts/{id}": 2, "GET (unknown)": 1},
        "statuses": {"200": 2, "404": 2},
        "contacts": 3,
        "tags": 0,
        "contacts_created_by_api": 1,
        "rate": {"limit": 1667, "windows": 4, "refused": 0},
    }
    assert api.get("/_emulator/stats", params={"reset": 1}).json() == expected
    after = api.get("/_emulator/stats").json()
    assert (after["calls"], after["statuses"], after["contacts"]) == ({}, {}, 3)


def test_the_contacts_of_a_tag_are_listed_by_name(api: Api):
    """Whatever the case of the name; fresh, also when the index lags."""
    api.reset(index_lag_s=60)
    contact = api.user(email="a@x.com", external_id="1", tags=["Churned / EU"])
    body = api.get("/_emulator/tags/CHURNED%20%2F%20eu/contacts").json()
    assert body == {
        "tag": {"id": api.tag("Churned / EU"), "name": "Churned / EU"},
        "contacts": [{"id": contact, "email": "a@x.com", "external_id": "1", "role": "user"}],
    }
    assert api.get("/_emulator/tags/None/contacts").json() == {"tag": None, "contacts": []}


def test_a_contact_in_any_state_is_shown_with_its_tags(api: Api):
    """With tag names and times, even for an archived contact."""
    contact = api.user(email="a@x.com", name="Ann", tags=["VIP"])
    api.post(f"/contacts/{contact}/archive")
    now = int(api.clock.now)
    assert api.get(f"/_emulator/contacts/{contact}").json() == {
        "id": contact,
        "email": "a@x.com",
        "external_id": None,
        "role": "user",
        "name": "Ann",
        "state": "archived",
        "merged_into": None,
        "created_at": now,
        "updated_at": now,
        "tags": [{"id": api.tag("VIP"), "name": "VIP", "applied_at": now}],
    }
    assert api.get("/_emulator/contacts/unknown").status_code == 404


def test_reset_empties_the_workspace_and_changes_settings(api: Api):
    """Other settings stay; the response does not reveal the token."""
    api.user(email="a@x.com", tags=["VIP"])
    api.post("/_emulator/faults", [{"kind": "status"}])
    api.post("/_emulator/reset", {"rate_limit": 5, "token": "secret"})
    answer = api.post("/_emulator/reset", {"region": "AU"})
    assert answer.json()["settings"]["rate_limit"] == 5
    assert answer.json()["settings"]["token"] is True
    stats = api.get("/_emulator/stats").json()
    assert (stats["contacts"], stats["tags"], stats["calls"]) == (0, 0, {})
    headers = {"Authorization": "Bearer secret"}
    assert api.get("/me", headers=headers).json()["app"]["region"] == "AU"


@pytest.mark.parametrize(
    "change",
    [
        {"colour": "red"},
        {"region": "MARS"},
        {"rate_limit": "many"},
        {"rate_limit": True},
        {"latency_ms": -1},
        {"plan_restricted": 1},
        {"missing_scopes": ["fly"]},
    ],
)
def test_an_invalid_setting_is_refused(api: Api, change: dict[str, Any]):
    """400 that names the setting; the workspace is not emptied."""
    api.user(email="a@x.com")
    answer = api.post("/_emulator/reset", change)
    assert answer.status_code == 400
    assert next(iter(change)) in answer.text
    assert api.get("/_emulator/stats").json()["contacts"] == 1


def test_the_page_shows_contacts_with_their_tags(api: Api):
    """Escaped, and without external resources."""
    api.seed({"email": "a@x.com", "name": "<Ann>", "tags": ["VIP & more"]}, {"email": "b@x.com"})
    page = api.get("/")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "&lt;Ann&gt;" in page.text
    assert "VIP &amp; more" in page.text
    assert "b@x.com" in page.text
    assert "http" not in page.text.replace(api.base_url, "")


def test_the_page_can_be_searched_and_filtered_by_tag(api: Api):
    """By part of an email, a name or an id."""
    api.seed({"email": "ann@x.com", "tags": ["VIP"]}, {"email": "ben@x.com"})
    for params in ({"q": "ANN"}, {"tag": api.tag("VIP")}):
        text = api.get("/", params=params).text
        assert "ann@x.com" in text
        assert "ben@x.com" not in text
    assert "No contacts." in api.get("/", params={"q": "nobody"}).text


def test_the_page_shows_fifty_contacts_at_a_time(api: Api):
    """With links to the next and the previous ones."""
    api.seed(*({"email": f"{n}@x.com"} for n in range(60)))
    first, second = api.get("/").text, api.get("/", params={"page": 2}).text
    assert ("next →" in first, "previous" in first) == (True, False)
    assert ("next →" in second, "previous" in second) == (False, True)
    assert "59@x.com" in second
