"""Reads by id are up to date; search and list lag behind."""

import pytest

from dinmo_pipeline_tests.emulator.api import Api, where

LAG = 30


@pytest.fixture
def lagging(api: Api) -> Api:
    """A workspace whose index lags by 30 s."""
    api.reset(index_lag_s=LAG)
    return api


def test_c1_reads_by_id_show_a_write_at_once(lagging: Api):
    """C1: the contact and its tags."""
    contact = lagging.post("/contacts", {"email": "a@x.com"}).json()["id"]
    lagging.put(f"/contacts/{contact}", {"name": "Ann"})
    lagging.post(f"/contacts/{contact}/tags", {"id": lagging.tag("VIP")})
    assert lagging.get(f"/contacts/{contact}").json()["name"] == "Ann"
    assert lagging.tag_names(contact) == ["VIP"]


def test_c2_c5_search_shows_the_old_contact_until_the_lag_is_over(lagging: Api):
    """C2, C5."""
    contact = lagging.user(email="a@x.com", name="Old", created_at=0)
    lagging.put(f"/contacts/{contact}", {"name": "New"})
    query = {"query": where("id", "=", contact)}
    for seconds, name in ((0, "Old"), (LAG - 1, "Old"), (LAG, "New")):
        lagging.clock.now = 1_800_000_000 + seconds
        assert lagging.post("/contacts/search", query).json()["data"][0]["name"] == name


def test_c3_search_shows_tags_late(lagging: Api):
    """C3: neither found by the new tag, nor shown with it."""
    contact = lagging.user(email="a@x.com", created_at=0)
    tag_id = lagging.tag("VIP")
    lagging.post("/tags", {"name": "VIP", "users": [{"id": contact}]})
    assert lagging.found(where("tag_id", "=", tag_id)) == []
    lagging.clock.now += LAG
    assert lagging.found(where("tag_id", "=", tag_id)) == [contact]
    lagging.delete(f"/tags/{tag_id}")
    assert lagging.found(where("tag_id", "=", tag_id)) == [contact]
    lagging.clock.now += LAG
    assert lagging.found(where("tag_id", "=", tag_id)) == []


def test_c4_the_list_lags_as_well(lagging: Api):
    """C4: an archived contact is still listed."""
    contact = lagging.user(email="a@x.com", created_at=0)
    lagging.post(f"/contacts/{contact}/archive")
    assert lagging.get("/contacts").json()["total_count"] == 1
    lagging.clock.now += LAG
    assert lagging.get("/contacts").json()["total_count"] == 0


def test_c6_search_finds_by_the_old_email_not_by_the_new_one(lagging: Api):
    """C6: until the lag is over."""
    contact = lagging.user(email="old@x.com", created_at=0)
    lagging.put(f"/contacts/{contact}", {"email": "new@x.com"})
    assert lagging.found(where("email", "=", "new@x.com")) == []
    assert lagging.found(where("email", "=", "old@x.com")) == [contact]
    lagging.clock.now += LAG
    assert lagging.found(where("email", "=", "new@x.com")) == [contact]


def test_a_new_contact_is_found_late_and_an_old_one_at_once(lagging: Api):
    """A contact seeded with an earlier `created_at` is searchable at once."""
    new = lagging.post("/contacts", {"email": "a@x.com"}).json()["id"]
    old = lagging.user(email="b@x.com", created_at=0)
    assert lagging.found(where("role", "=", "user")) == [old]
    lagging.clock.now += LAG
    assert lagging.found(where("role", "=", "user")) == [new, old]
