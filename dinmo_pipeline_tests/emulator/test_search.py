"""The search language."""

from typing import Any

import pytest

from dinmo_pipeline_tests.emulator.api import Api, error_of, where

DAY = 86_400


def test_s1_a_search_without_matches_is_an_empty_list(api: Api):
    """S1: zero pages, no data, 50 per page by default."""
    body = api.post("/contacts/search", {"query": where("external_id", "=", "x")}).json()
    assert body == {
        "type": "list",
        "data": [],
        "total_count": 0,
        "pages": {"type": "pages", "page": 1, "per_page": 50, "total_pages": 0},
    }


def test_s2_a_match_is_a_full_contact_without_a_next_page(api: Api):
    """S2: more than 40 keys, and `pages.next` is absent, not null."""
    api.user(external_id="x")
    body = api.post("/contacts/search", {"query": where("external_id", "=", "x")}).json()
    assert (body["total_count"], body["pages"]["total_pages"]) == (1, 1)
    assert "next" not in body["pages"]
    assert len(body["data"][0]) >= 43


@pytest.mark.parametrize("size", [1, 2, 15])
def test_s3_or_takes_one_to_fifteen_filters(api: Api, size: int):
    """S3, S8: a group may have a single filter."""
    ids = api.seed(*({"external_id": str(number)} for number in range(size)))
    query = {"operator": "OR", "value": [where("external_id", "=", str(n)) for n in range(size)]}
    assert api.found(query) == ids


def test_s4_or_of_two_identifiers_finds_two_contacts(api: Api):
    """S4: external id of one, email of another."""
    ids = api.seed({"external_id": "a"}, {"email": "b@x.com"}, {"email": "c@x.com"})
    filters = [where("external_id", "=", "a"), where("email", "=", "b@x.com")]
    assert api.found({"operator": "OR", "value": filters}) == ids[:2]


def test_s5_search_finds_leads_and_users(api: Api):
    """S5: both roles, and several contacts with one email."""
    ids = api.seed(
        {"email": "a@x.com", "external_id": "1"},
        {"email": "a@x.com", "external_id": "2"},
        {"email": "a@x.com", "role": "lead"},
    )
    assert api.found(where("email", "=", "a@x.com")) == ids


def test_s8_more_than_fifteen_filters_are_refused(api: Api):
    """S8: 400."""
    filters = [where("email", "=", f"{number}@x.com") for number in range(16)]
    answer = api.post("/contacts/search", {"query": {"operator": "OR", "value": filters}})
    assert error_of(answer) == (400, "data_invalid")


def test_s8_groups_have_at_most_two_levels(api: Api):
    """S8: (1 OR 2) AND (3 OR 4) is allowed, a third level is not."""
    part = where("email", "=", "a@x.com")
    either = {"operator": "OR", "value": [part, part]}
    both = {"operator": "AND", "value": [either, either]}
    too_deep = {"operator": "AND", "value": [both, both]}
    assert api.found(both) == []
    answer = api.post("/contacts/search", {"query": too_deep})
    assert error_of(answer) == (400, "data_invalid")


def test_a_group_holds_filters_or_groups_but_never_both(api: Api):
    """From 2.13 on, according to the official schema."""
    part = where("email", "=", "a@x.com")
    mixed = {"operator": "AND", "value": [part, {"operator": "OR", "value": [part]}]}
    answer = api.post("/contacts/search", {"query": mixed})
    assert error_of(answer) == (400, "data_invalid")


def test_s8_tag_id_takes_only_equal_and_not_equal(api: Api):
    """S8: any other operator is refused."""
    with_tag, without = api.seed({"email": "a@x.com", "tags": ["VIP"]}, {"email": "b@x.com"})
    tag_id = api.tag("VIP")
    assert api.found(where("tag_id", "=", tag_id)) == [with_tag]
    assert api.found(where("tag_id", "!=", tag_id)) == [without]
    answer = api.post("/contacts/search", {"query": where("tag_id", "IN", [tag_id])})
    assert error_of(answer) == (400, "data_invalid")


def test_s8_dates_compare_by_whole_days(api: Api):
    """S8: `=` is the day, `>` begins at the next day, `<` ends before the day."""
    noon = 20_000 * DAY + DAY // 2
    before, same, after = api.seed(
        *({"email": f"{n}@x.com", "created_at": noon + n * DAY} for n in (-1, 0, 1))
    )
    assert api.found(where("created_at", "=", noon + 60)) == [same]
    assert api.found(where("created_at", ">", noon - 60)) == [after]
    assert api.found(where("created_at", "<", str(noon + 60))) == [before]


@pytest.mark.parametrize("operator", [">=", "<=", "!=", "IN", "NIN"])
def test_dates_take_no_other_operators(api: Api, operator: str):
    """Documented: they return an error."""
    value = [0] if operator in ("IN", "NIN") else 0
    answer = api.post("/contacts/search", {"query": where("created_at", operator, value)})
    assert error_of(answer) == (400, "data_invalid")


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("=", "Ada Lovelace", [0]),
        ("!=", "Ada Lovelace", [1, 2]),
        ("IN", ["Ada Lovelace", "Adam Smith"], [0, 1]),
        ("NIN", ["Ada Lovelace", "Adam Smith"], [2]),
        ("~", "ada", [0]),
        ("!~", "ada", [1, 2]),
        ("^", "ada", [0, 1]),
        ("$", "smith", [1]),
        ("=", None, [2]),
        ("!=", None, [0, 1]),
    ],
)
def test_text_operators(api: Api, operator: str, value: Any, expected: list[int]):
    """Measured: `~` compares whole words."""
    ids = api.seed({"name": "Ada Lovelace"}, {"name": "Adam Smith"}, {"email": "c@x.com"})
    assert api.found(where("name", operator, value)) == [ids[position] for position in expected]


def test_emails_match_regardless_of_case(api: Api):
    """Assumed. Other fields match exactly."""
    contact = api.user(email="Ada@X.com", external_id="Key")
    assert api.found(where("email", "=", "ada@x.COM")) == [contact]
    assert api.found(where("email", "IN", ["ADA@x.com", "other@x.com"])) == [contact]
    assert api.found(where("external_id", "=", "key")) == []


def test_plus_signs_and_unicode_survive_in_values(api: Api):
    """Values travel as JSON."""
    ids = api.seed({"email": "ana+test@x.com"}, {"email": "josé@x.com"})
    assert api.found(where("email", "IN", ["ana+test@x.com", "josé@x.com"])) == ids


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (where("shoe_size", "=", "44"), "invalid_field"),
        (where("email", "IN", "a@x.com"), "data_invalid"),
        (where("email", "IN", []), "data_invalid"),
        (where("email", "=", ""), "data_invalid"),
        (where("email", ">", "a"), "data_invalid"),
        (where("email", "has", "a"), "data_invalid"),
        (where("external_id", "=", 1), "data_invalid"),
        (where("role", "=", "admin"), "data_invalid"),
        (where("created_at", ">", "yesterday"), "data_invalid"),
        (where("unsubscribed_from_emails", "=", "no"), "data_invalid"),
        ({"operator": "OR", "value": []}, "data_invalid"),
        ({"operator": "XOR", "value": [where("email", "=", "a")]}, "data_invalid"),
        (None, "data_invalid"),
    ],
)
def test_an_invalid_query_is_refused(api: Api, query: Any, code: str):
    """400, with a code that is measured or assumed."""
    assert error_of(api.post("/contacts/search", {"query": query})) == (400, code)


@pytest.mark.parametrize(("cap", "status"), [(0, 200), (15, 400), (16, 200)])
def test_the_cap_of_in_is_a_setting(api: Api, cap: int, status: int):
    """No cap is documented, so a client must handle one."""
    api.reset(in_cap=cap)
    query = where("email", "IN", [f"{number}@x.com" for number in range(16)])
    assert api.post("/contacts/search", {"query": query}).status_code == status


def test_flags_and_custom_attributes_are_searchable(api: Api):
    """Booleans are false until they are written."""
    muted, other = api.seed(
        {"email": "a@x.com", "unsubscribed_from_emails": True},
        {"email": "b@x.com", "custom_attributes": {"plan": "pro"}},
    )
    assert api.found(where("unsubscribed_from_emails", "=", value=True)) == [muted]
    assert api.found(where("unsubscribed_from_emails", "IN", [False])) == [other]
    assert api.found(where("custom_attributes.plan", "=", "pro")) == [other]
    assert api.found(where("email_domain", "=", "x.com")) == [muted, other]
