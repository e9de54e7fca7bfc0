"""Tags on one contact."""

import pytest

from dinmo_pipeline_tests.emulator.api import Api, error_of, message_of, where


def test_t1_adding_a_tag_returns_it_with_time_and_admin(api: Api):
    """T1: 200 and the tag."""
    contact, tag_id = api.user(email="a@x.com"), api.tag("VIP")
    answer = api.post(f"/contacts/{contact}/tags", {"id": tag_id})
    assert answer.json() == {
        "type": "tag",
        "id": tag_id,
        "name": "VIP",
        "applied_at": int(api.clock.now),
        "applied_by": {"type": "admin", "id": "991267459"},
    }


def test_t2_removing_a_tag_returns_200_and_the_tag(api: Api):
    """T2: the same object, not 204."""
    contact = api.user(email="a@x.com", tags=["VIP"])
    tag_id = api.tag("VIP")
    answer = api.delete(f"/contacts/{contact}/tags/{tag_id}")
    assert answer.status_code == 200
    assert (answer.json()["id"], answer.json()["applied_at"]) == (tag_id, int(api.clock.now))
    assert api.tag_names(contact) == []


def test_t3_the_tags_of_a_contact_are_in_the_order_they_were_applied(api: Api):
    """T3: without paging keys."""
    contact = api.user(email="a@x.com")
    for name in ("Zebra", "Ant", "Moth"):
        api.post(f"/contacts/{contact}/tags", {"id": api.tag(name)})
    assert set(api.get(f"/contacts/{contact}/tags").json()) == {"type", "data"}
    assert api.tag_names(contact) == ["Zebra", "Ant", "Moth"]


def test_t4_without_tags_the_list_is_empty(api: Api):
    """T4."""
    contact = api.user(email="a@x.com")
    assert api.get(f"/contacts/{contact}/tags").json() == {"type": "list", "data": []}


def test_t5_a_contact_lists_its_tags_without_names(api: Api):
    """T5: only id, type and url, and the total."""
    contact = api.user(email="a@x.com", tags=["VIP"])
    tag_id = api.tag("VIP")
    assert api.get(f"/contacts/{contact}").json()["tags"] == {
        "type": "list",
        "data": [{"id": tag_id, "type": "tag", "url": f"/tags/{tag_id}"}],
        "url": f"/contacts/{contact}/tags",
        "total_count": 1,
        "has_more": False,
    }


def test_t6_a_contact_shows_at_most_ten_tags(api: Api):
    """T6: the eleventh sets `has_more`; the contact's tag list has all."""
    ten, eleven = api.seed(*({"email": f"{n}@x.com", "tags": [f"T{i}" for i in range(n)]} for n in (10, 11)))
    shown = {key: api.get(f"/contacts/{key}").json()["tags"] for key in (ten, eleven)}
    assert (len(shown[ten]["data"]), shown[ten]["has_more"]) == (10, False)
    assert (len(shown[eleven]["data"]), shown[eleven]["has_more"]) == (10, True)
    assert shown[eleven]["total_count"] == 11
    assert len(api.tag_names(eleven)) == 11


def test_t7_a_tag_changes_updated_at_and_an_empty_update_does_not(api: Api):
    """T7."""
    contact = api.user(email="a@x.com", name="Ann")
    created = int(api.clock.now)
    api.clock.now += 5
    api.put(f"/contacts/{contact}", {"email": "a@x.com", "name": "Ann"})
    assert api.get(f"/contacts/{contact}").json()["updated_at"] == created
    api.post(f"/contacts/{contact}/tags", {"id": api.tag("VIP")})
    assert api.get(f"/contacts/{contact}").json()["updated_at"] == created + 5


@pytest.mark.parametrize("gone", ["unknown", "archived", "deleted", "merged"])
def test_t8_a_missing_contact_is_user_not_found(api: Api, gone: str):
    """T8: 404 "User Not Found" from all three calls, even if the tag is unknown too."""
    contact, user = api.seed({"email": "a@x.com", "role": "lead"}, {"email": "a@x.com"})
    if gone == "archived":
        api.post(f"/contacts/{contact}/archive")
    elif gone == "deleted":
        api.delete(f"/contacts/{contact}")
    elif gone == "merged":
        api.post("/contacts/merge", {"from": contact, "into": user})
    else:
        contact = "0" * 24
    tags = f"/contacts/{contact}/tags"
    for answer in (api.get(tags), api.post(tags, {"id": "1"}), api.delete(f"{tags}/1")):
        assert error_of(answer) == (404, "not_found")
        assert message_of(answer) == "User Not Found"


def test_t8_an_unknown_tag_is_resource_not_found(api: Api):
    """T8: 404 with the same code and another message."""
    tags = f"/contacts/{api.user(email='a@x.com')}/tags"
    for answer in (api.post(tags, {"id": "1"}), api.delete(f"{tags}/1")):
        assert error_of(answer) == (404, "not_found")
        assert message_of(answer) == "Resource Not Found"
    assert error_of(api.post(tags, {})) == (400, "parameter_missing")


def test_t10_tagging_twice_is_harmless(api: Api):
    """T10: 200, and the first time of application stays."""
    contact, tag_id = api.user(email="a@x.com"), api.tag("VIP")
    first = api.post(f"/contacts/{contact}/tags", {"id": tag_id})
    api.clock.now += 5
    second = api.post(f"/contacts/{contact}/tags", {"id": tag_id})
    assert second.json() == first.json()
    assert api.tag_names(contact) == ["VIP"]


def test_t10_removing_a_tag_that_is_not_applied_answers_200(api: Api):
    """T10: documented, with null for when and who."""
    contact, tag_id = api.user(email="a@x.com"), api.tag("VIP")
    answer = api.delete(f"/contacts/{contact}/tags/{tag_id}")
    assert answer.status_code == 200
    assert (answer.json()["applied_at"], answer.json()["applied_by"]) == (None, None)


def test_t10_removing_a_tag_that_is_not_applied_can_be_404(api: Api):
    """T10: the other behaviour that nobody recorded, by a switch."""
    api.reset(untag_missing="not_found")
    contact = api.user(email="a@x.com", tags=["VIP"])
    path = f"/contacts/{contact}/tags/{api.tag('VIP')}"
    assert api.delete(path).status_code == 200
    assert error_of(api.delete(path)) == (404, "not_found")


def test_i7_leads_are_tagged_like_users(api: Api):
    """I7."""
    lead, tag_id = api.user(email="a@x.com", role="lead"), api.tag("VIP")
    assert api.post(f"/contacts/{lead}/tags", {"id": tag_id}).status_code == 200
    assert api.found(where("tag_id", "=", tag_id)) == [lead]


def test_the_id_of_a_tag_may_be_a_number(api: Api):
    """Some of the official examples send one."""
    contact, tag_id = api.user(email="a@x.com"), api.tag("VIP")
    assert api.post(f"/contacts/{contact}/tags", {"id": int(tag_id)}).json()["id"] == tag_id
