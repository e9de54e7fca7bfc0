"""Tags, and tagging in bulk."""

from typing import Any

import pytest

from dinmo_pipeline_tests.emulator.api import Api, error_of, message_of


def test_g1_the_list_has_all_tags_sorted_by_name(api: Api):
    """G1: ignoring case, without paging keys, even if a page is asked for."""
    ids = {name: api.tag(name) for name in ("beta", "Alpha", "gamma", "Delta")}
    body = api.get("/tags", params={"per_page": 2}).json()
    assert body == {
        "type": "list",
        "data": [
            {"type": "tag", "id": ids[name], "name": name} for name in ("Alpha", "beta", "Delta", "gamma")
        ],
    }


def test_g2_creating_a_tag_returns_it(api: Api):
    """G2, I8: type, id and name; the id is a string of digits."""
    body = api.post("/tags", {"name": "X"}).json()
    assert set(body) == {"type", "id", "name"}
    assert body["id"].isdecimal()


def test_g3_names_are_case_insensitive(api: Api):
    """G3: an existing name returns the existing tag, which keeps its spelling."""
    first = api.post("/tags", {"name": "VIP"}).json()
    assert api.post("/tags", {"name": "vip"}).json() == first
    assert len(api.get("/tags").json()["data"]) == 1


@pytest.mark.parametrize("version", ["2.15", "2.16"])
def test_g4_tagging_in_bulk_returns_the_tag_and_from_2_16_on_the_users(api: Api, version: str):
    """G4, G6: an existing tag is found regardless of case."""
    ids = api.seed({"email": "a@x.com"}, {"email": "b@x.com", "tags": ["vip"]})
    api = api.speaking(version)
    body = api.post("/tags", {"name": "VIP", "users": [{"id": key} for key in ids]}).json()
    users = {"users": [{"id": key, "tagged": True} for key in ids], "companies": []}
    tag = {"type": "tag", "id": api.tag("VIP"), "name": "vip"}
    assert body == tag | (users if version == "2.16" else {})
    assert [api.tag_names(key) for key in ids] == [["vip"], ["vip"]]


@pytest.mark.parametrize(
    ("untag_true", "status", "names", "tagged"),
    [
        ("ignore", 200, ["VIP"], {"tagged": True}),
        ("honour", 200, [], {"tagged": False}),
        ("reject", 400, ["VIP"], None),
    ],
)
def test_g5_the_effect_of_untag_on_users_is_a_setting(
    api: Api, untag_true: str, status: int, names: list[str], tagged: dict[str, bool] | None
):
    """G5: undocumented; by default the key is ignored, so the user is tagged."""
    api.reset(untag_true=untag_true)
    contact = api.user(email="a@x.com", tags=["VIP"])
    answer = api.post("/tags", {"name": "VIP", "users": [{"id": contact, "untag": True}]})
    assert answer.status_code == status
    assert api.tag_names(contact) == names
    if tagged is not None:
        assert answer.json()["users"] == [{"id": contact, **tagged}]


def test_g5_an_ignored_untag_tags_the_user(api: Api):
    """G5: the worst case: a user who should lose the tag gets it."""
    contact = api.user(email="a@x.com")
    api.post("/tags", {"name": "VIP", "users": [{"id": contact, "untag": True}]})
    assert api.tag_names(contact) == ["VIP"]


def test_g6_up_to_2_15_one_unknown_id_refuses_the_whole_call(api: Api):
    """G6: 404 "User Not Found", but the tag exists by then."""
    contact = api.user(email="a@x.com")
    answer = api.speaking("2.15").post("/tags", {"name": "VIP", "users": [{"id": contact}, {"id": "0" * 24}]})
    assert error_of(answer) == (404, "not_found")
    assert message_of(answer) == "User Not Found"
    assert api.tag_names(contact) == []
    assert [tag["name"] for tag in api.get("/tags").json()["data"]] == ["VIP"]


def test_g6_from_2_16_on_unknown_ids_are_skipped(api: Api):
    """G6: so are archived contacts; the response does not list them."""
    contact, archived = api.seed({"email": "a@x.com"}, {"email": "b@x.com"})
    api.post(f"/contacts/{archived}/archive")
    users = [{"id": key} for key in ("0" * 24, contact, archived, contact)]
    body = api.post("/tags", {"name": "VIP", "users": users}).json()
    assert body["users"] == [{"id": contact, "tagged": True}]
    assert api.tag_names(contact) == ["VIP"]


@pytest.mark.parametrize(
    "body",
    [
        {"test": "invalid"},
        {"name": ""},
        {"name": "  "},
        {"name": 5},
        {"name": "VIP", "users": {}},
        {"name": "VIP", "users": [{}]},
        {"name": "VIP", "users": [{"id": 5}]},
        {"name": "VIP", "users": [], "companies": []},
    ],
)
def test_g7_an_invalid_body_is_refused(api: Api, body: dict[str, Any]):
    """G7: 400 `parameter_invalid`, and no tag is created."""
    answer = api.post("/tags", body)
    assert error_of(answer) == (400, "parameter_invalid")
    assert message_of(answer) == "invalid tag parameters"
    assert api.get("/tags").json()["data"] == []


def test_g8_deleting_a_tag_takes_it_off_all_contacts(api: Api):
    """G8: 200; a second time 404 "Resource Not Found"."""
    contact = api.user(email="a@x.com", tags=["VIP", "Other"])
    path = f"/tags/{api.tag('VIP')}"
    assert api.delete(path).status_code == 200
    assert api.tag_names(contact) == ["Other"]
    again = api.delete(path)
    assert error_of(again) == (404, "not_found")
    assert message_of(again) == "Resource Not Found"


def test_g8_a_tag_in_use_by_a_segment_cannot_be_deleted(api: Api):
    """G8: the emulator has no segments, so a fault stands in for one."""
    tag_id = api.tag("VIP")
    rule = {
        "match": {"method": "DELETE", "route": "/tags/{id}"},
        "kind": "status",
        "status": 400,
        "code": "tag_has_dependent_objects",
    }
    api.post("/_emulator/faults", [rule])
    assert error_of(api.delete(f"/tags/{tag_id}")) == (400, "tag_has_dependent_objects")
    assert api.get(f"/tags/{tag_id}").status_code == 200


def test_g9_one_tag_is_found_by_id(api: Api):
    """G9: or 404 "Resource Not Found"."""
    tag_id = api.tag("VIP")
    assert api.get(f"/tags/{tag_id}").json() == {"type": "tag", "id": tag_id, "name": "VIP"}
    assert message_of(api.get("/tags/1")) == "Resource Not Found"


def test_renaming_a_tag_keeps_its_id_and_its_contacts(api: Api):
    """A new name may differ only in case."""
    contact = api.user(email="a@x.com", tags=["VIP"])
    tag_id = api.tag("VIP")
    for name in ("Vip", "Best customers"):
        assert api.post("/tags", {"id": tag_id, "name": name}).json()["name"] == name
    assert api.tag_names(contact) == ["Best customers"]
    assert api.tag("VIP") != tag_id


def test_renaming_an_unknown_tag_or_to_a_taken_name_is_refused(api: Api):
    """404, and 400 (assumed)."""
    tag_id, _ = api.tag("VIP"), api.tag("Other")
    assert error_of(api.post("/tags", {"id": "1", "name": "X"})) == (404, "not_found")
    answer = api.post("/tags", {"id": tag_id, "name": "OTHER"})
    assert error_of(answer) == (400, "parameter_invalid")


def test_companies_are_unknown(api: Api):
    """The emulated workspace has none."""
    body = {"name": "VIP", "companies": [{"company_id": "1"}]}
    assert error_of(api.speaking("2.15").post("/tags", body)) == (404, "company_not_found")
    assert api.post("/tags", body).json()["companies"] == []
