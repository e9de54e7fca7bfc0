"""Contacts: creation, change, merging, archiving, deletion, and their ids."""

import re
from itertools import pairwise
from typing import Any

import pytest

from dinmo_pipeline.emulator import EmulatorServer
from dinmo_pipeline_tests.emulator.api import Api, error_of, message_of, where

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def test_l1_archiving_twice_is_200_twice(api: Api):
    """L1: with the id and `archived`."""
    contact = api.user(external_id="x")
    expected = {"type": "contact", "id": contact, "external_id": "x", "archived": True}
    for _ in range(2):
        assert api.post(f"/contacts/{contact}/archive").json() == expected


def test_l2_l3_an_archived_contact_disappears_from_get_search_and_list(api: Api):
    """L2, L3: 404 "User Not Found" at once."""
    contact = api.user(email="a@x.com", external_id="x", tags=["VIP"])
    api.post(f"/contacts/{contact}/archive")
    for path in (f"/contacts/{contact}", "/contacts/find_by_external_id/x"):
        assert message_of(api.get(path)) == "User Not Found"
    for query in (
        where("id", "=", contact),
        where("email", "=", "a@x.com"),
        where("external_id", "=", "x"),
        where("tag_id", "=", api.tag("VIP")),
        where("role", "=", "user"),
    ):
        assert api.found(query) == []
    assert api.get("/contacts").json()["total_count"] == 0


@pytest.mark.parametrize("verb", ["archive", "delete"])
def test_l4_an_archived_or_deleted_user_conflicts(api: Api, verb: str):
    """L4: 409 with the message for archived contacts, even after permanent deletion."""
    contact = api.user(email="a@x.com", external_id="x")
    if verb == "archive":
        api.post(f"/contacts/{contact}/archive")
    else:
        api.delete(f"/contacts/{contact}")
    for body in ({"external_id": "x"}, {"email": "A@x.com"}):
        answer = api.post("/contacts", body)
        assert error_of(answer) == (409, "conflict")
        expected = f"An archived contact matching those details already exists with id={contact}"
        assert message_of(answer) == expected


def test_l5_unarchiving_restores_the_contact_with_its_tags(api: Api):
    """L5: `archived: false`. Assumed: the tags stay."""
    contact = api.user(email="a@x.com", tags=["VIP"])
    api.post(f"/contacts/{contact}/archive")
    for _ in range(2):
        assert api.post(f"/contacts/{contact}/unarchive").json()["archived"] is False
    assert api.tag_names(contact) == ["VIP"]
    assert api.found(where("tag_id", "=", api.tag("VIP"))) == [contact]


def test_l6_deleting_returns_a_reference(api: Api):
    """L6: the keys of 2.15."""
    contact = api.user(external_id="x")
    expected = {"type": "contact", "id": contact, "external_id": "x", "deleted": True}
    assert api.delete(f"/contacts/{contact}").json() == expected
    assert error_of(api.delete(f"/contacts/{contact}")) == (404, "not_found")


def test_l7_a_deleted_contact_cannot_be_restored(api: Api):
    """L7: get is 404, unarchive is 400."""
    contact = api.user(email="a@x.com")
    api.delete(f"/contacts/{contact}")
    assert error_of(api.get(f"/contacts/{contact}")) == (404, "not_found")
    assert error_of(api.post(f"/contacts/{contact}/archive")) == (404, "not_found")
    answer = api.post(f"/contacts/{contact}/unarchive")
    assert error_of(answer) == (400, "bad_request")
    assert "marked for permanent deletion and is not restorable" in message_of(answer)
    assert error_of(api.post("/contacts/unknown/unarchive")) == (404, "not_found")


def _merged(api: Api) -> tuple[str, str]:
    lead, user = api.seed(
        {"email": "a@x.com", "role": "lead", "name": "Ann", "tags": ["Old"]},
        {"email": "A@x.com", "tags": ["VIP"]},
    )
    answer = api.post("/contacts/merge", {"from": lead, "into": user})
    assert (answer.json()["id"], answer.json()["name"]) == (user, "Ann")
    return lead, user


def test_l8_merging_returns_the_survivor_which_gets_the_tags(api: Api):
    """L8: the lead disappears from search."""
    lead, user = _merged(api)
    assert sorted(api.tag_names(user)) == ["Old", "VIP"]
    assert api.found(where("email", "=", "a@x.com")) == [user]
    assert api.found(where("tag_id", "=", api.tag("Old"))) == [user]
    assert error_of(api.post(f"/contacts/{lead}/unarchive")) == (400, "bad_request")


def test_l8_a_merged_contact_is_404_or_410_with_a_link(api: Api):
    """L8: 404 up to 2.15; from 2.16 on, 410 `contact_merged` with a link to the survivor."""
    lead, user = _merged(api)
    external_id = api.get(f"/_emulator/contacts/{lead}").json()["external_id"]
    for path in (f"/contacts/{lead}", f"/contacts/find_by_external_id/{external_id}"):
        assert error_of(api.speaking("2.15").get(path)) == (404, "not_found")
        answer = api.get(path)
        assert error_of(answer) == (410, "contact_merged")
        assert answer.headers["Link"] == f'</contacts/{user}>; rel="canonical"'


def test_l8_the_link_follows_up_to_three_merges(api: Api, server: EmulatorServer):
    """L8: the API itself cannot create a chain of merges."""
    ids = api.seed(*({"email": f"{n}@x.com"} for n in range(5)))
    store = server.store
    for source, target in pairwise(ids):
        contacts = store.live.get(source), store.live.get(target)
        assert contacts[0] is not None
        assert contacts[1] is not None
        store.merge(contacts[0], contacts[1])
    links = [api.get(f"/contacts/{key}").headers["Link"] for key in ids[:2]]
    assert links == [f'</contacts/{key}>; rel="canonical"' for key in ids[3:]]


def test_merging_contacts_that_are_not_duplicates_needs_an_override_from_2_16_on(api: Api):
    """400 `invalid_merge`, unless the email or phone matches."""
    lead, user = api.seed({"email": "a@x.com", "role": "lead"}, {"email": "b@x.com"})
    body: dict[str, Any] = {"from": lead, "into": user}
    assert error_of(api.post("/contacts/merge", body)) == (400, "invalid_merge")
    body["skip_duplicate_validation"] = True
    assert api.post("/contacts/merge", body).status_code == 200


def test_merging_is_unchecked_up_to_2_15_and_allowed_by_phone(api: Api):
    """2.16 introduced the check."""
    one, two, user = api.seed(
        {"email": "a@x.com", "role": "lead"},
        {"phone": "+33", "role": "lead"},
        {"email": "b@x.com", "phone": "+33"},
    )
    for client, lead in ((api.speaking("2.15"), one), (api, two)):
        answer = client.post("/contacts/merge", {"from": lead, "into": user})
        assert answer.status_code == 200


def test_only_a_lead_merges_into_a_user(api: Api):
    """400 the other way round, 404 for an unknown contact."""
    lead, user = api.seed({"email": "a@x.com", "role": "lead"}, {"email": "a@x.com"})
    answer = api.post("/contacts/merge", {"from": user, "into": lead})
    assert error_of(answer) == (400, "parameter_invalid")
    assert error_of(api.post("/contacts/merge", {"from": lead})) == (404, "not_found")


def test_merge_history_is_shown_when_asked_for(api: Api):
    """From 2.16 on, only for users."""
    lead, user = _merged(api)
    params = {"include_merge_history": "true"}
    history = api.get(f"/contacts/{user}", params=params).json()["merge_history"]
    assert [(item["source_contact_id"], item["source_contact_role"]) for item in history] == [(lead, "lead")]
    assert "merge_history" not in api.get(f"/contacts/{user}").json()


def test_l9_an_update_may_make_two_users_share_an_email(api: Api):
    """L9: PUT with another user's email is 200, and search finds both."""
    one, other = api.seed({"email": "a@x.com"}, {"email": "b@x.com"})
    assert api.put(f"/contacts/{other}", {"email": "a@x.com"}).status_code == 200
    assert api.found(where("email", "=", "a@x.com")) == [one, other]


def test_l10_creating_the_same_user_again_conflicts(api: Api):
    """L10: by external id; by email if there is no external id."""
    first = api.post("/contacts", {"email": "a@x.com", "external_id": "1"}).json()["id"]
    for body in ({"email": "A@x.com"}, {"email": "other@x.com", "external_id": "1"}):
        answer = api.post("/contacts", body)
        assert error_of(answer) == (409, "conflict")
        expected = f"A contact matching those details already exists with id={first}"
        assert message_of(answer) == expected
    assert api.post("/contacts", {"email": "a@x.com", "external_id": "2"}).status_code == 200


def test_i1_i2_a_lead_gets_a_uuid_whatever_external_id_is_sent(api: Api):
    """I1, I2: on creation and on update."""
    lead = api.post("/contacts", {"role": "lead", "external_id": "mine"}).json()
    assert UUID.fullmatch(lead["external_id"])
    changed = api.put(f"/contacts/{lead['id']}", {"external_id": "mine"}).json()
    assert changed["external_id"] == lead["external_id"]


def test_i3_a_lead_becomes_a_user_with_the_same_id(api: Api):
    """I3: and with the external id that was sent."""
    lead = api.user(email="a@x.com", role="lead")
    body = api.put(f"/contacts/{lead}", {"role": "user", "external_id": "mine"}).json()
    assert (body["id"], body["role"], body["external_id"]) == (lead, "user", "mine")
    assert api.get("/contacts/find_by_external_id/mine").json()["id"] == lead


def test_i4_a_user_never_becomes_a_lead(api: Api):
    """I4: 400 `client_error`."""
    answer = api.put(f"/contacts/{api.user(email='a@x.com')}", {"role": "lead"})
    assert error_of(answer) == (400, "client_error")
    assert message_of(answer) == "Contact with user role can't be converted to a lead"


def test_i5_an_external_id_is_null_until_it_is_set_and_cannot_be_removed(api: Api):
    """I5."""
    contact = api.post("/contacts", {"email": "a@x.com"}).json()
    assert contact["external_id"] is None
    path = f"/contacts/{contact['id']}"
    assert api.put(path, {"external_id": "x"}).json()["external_id"] == "x"
    assert api.put(path, {"external_id": None}).json()["external_id"] == "x"


def test_an_external_id_of_another_contact_conflicts(api: Api):
    """409 on update; after an update, the old external id is free."""
    one, other = api.seed({"external_id": "1"}, {"external_id": "2"})
    answer = api.put(f"/contacts/{other}", {"external_id": "1"})
    assert error_of(answer) == (409, "conflict")
    api.put(f"/contacts/{one}", {"external_id": "3"})
    assert api.put(f"/contacts/{other}", {"external_id": "1"}).status_code == 200
    assert api.get("/contacts/find_by_external_id/1").json()["id"] == other


def test_i6_a_lead_may_have_any_email(api: Api):
    """I6: also that of another lead or user, live or archived."""
    lead, user = api.seed({"email": "a@x.com", "role": "lead"}, {"email": "b@x.com"})
    for contact, email in ((lead, "a@x.com"), (user, "b@x.com")):
        body = {"email": email, "role": "lead"}
        assert api.post("/contacts", body).status_code == 200
        api.post(f"/contacts/{contact}/archive")
        assert api.post("/contacts", body).json()["id"] != contact


def test_i8_contact_ids_are_24_hexadecimal_characters(api: Api):
    """I8: and are the same after a reset with the same seed."""
    contact = api.user(email="a@x.com")
    assert re.fullmatch(r"[0-9a-f]{24}", contact)
    api.reset()
    assert api.user(email="b@x.com") == contact
    api.reset(seed=1)
    assert api.user(email="b@x.com") != contact


def test_i9_find_by_external_id_finds_users_only(api: Api):
    """I9: never leads; an encoded slash is part of the id."""
    lead, user = api.seed({"email": "a@x.com", "role": "lead"}, {"external_id": "a/b c"})
    assert api.get("/contacts/find_by_external_id/a%2Fb%20c").json()["id"] == user
    external_id = api.get(f"/contacts/{lead}").json()["external_id"]
    answer = api.get(f"/contacts/find_by_external_id/{external_id}")
    assert error_of(answer) == (404, "not_found")


def test_s10_an_email_set_to_null_is_empty_in_get_and_null_in_search(api: Api):
    """S10."""
    contact = api.user(email="a@x.com", external_id="x")
    assert api.put(f"/contacts/{contact}", {"email": None}).json()["email"] == ""
    assert api.get(f"/contacts/{contact}").json()["email"] == ""
    query = {"query": where("external_id", "=", "x")}
    assert api.post("/contacts/search", query).json()["data"][0]["email"] is None
    assert api.get("/contacts").json()["data"][0]["email"] is None
    assert api.found(where("email", "=", None)) == [contact]


def test_s11_names_are_html_escaped(api: Api):
    """S11: in every response."""
    contact = api.user(name="Phone & SMS")
    assert api.get(f"/contacts/{contact}").json()["name"] == "Phone &amp; SMS"
    assert api.get("/contacts").json()["data"][0]["name"] == "Phone &amp; SMS"


@pytest.mark.parametrize(
    "body",
    [{}, {"name": "Ann"}, {"email": 5}, {"role": "admin"}, {"email": "a", "signed_up_at": "now"}],
)
def test_an_invalid_contact_is_refused(api: Api, body: dict[str, Any]):
    """400: a contact needs an email, external id or role, and values of the right types."""
    assert api.post("/contacts", body).status_code == 400


def test_an_update_keeps_other_custom_attributes(api: Api):
    """Only those in the body change."""
    contact = api.user(email="a@x.com", custom_attributes={"plan": "pro"})
    changed = api.put(f"/contacts/{contact}", {"custom_attributes": {"seats": 3}})
    assert changed.json()["custom_attributes"] == {"plan": "pro", "seats": 3}
