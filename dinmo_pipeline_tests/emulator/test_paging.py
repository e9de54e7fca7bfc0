"""Pages, cursors and sorting."""

from itertools import chain
from typing import Any

import pytest

from dinmo_pipeline_tests.emulator.api import Api, error_of, where


def _walk(api: Api, body: dict[str, Any], per_page: int) -> list[list[str]]:
    pages: list[list[str]] = []
    pagination: dict[str, Any] = {"per_page": per_page}
    while True:
        answer = api.post("/contacts/search", {**body, "pagination": pagination}).json()
        pages.append([contact["id"] for contact in answer["data"]])
        assert answer["pages"]["page"] == len(pages)
        if "next" not in answer["pages"]:
            return pages
        pagination["starting_after"] = answer["pages"]["next"]["starting_after"]


@pytest.fixture
def ids(api: Api) -> list[str]:
    return api.seed(*({"email": f"{n}@x.com", "created_at": 1000 + n % 3} for n in range(7)))


def test_s6_per_page_is_honoured(api: Api, ids: list[str]):
    """S6: 10 and 150."""
    for per_page in (10, 150):
        body = {"query": where("role", "=", "user"), "pagination": {"per_page": per_page}}
        answer = api.post("/contacts/search", body).json()
        assert answer["pages"]["per_page"] == per_page
        assert len(answer["data"]) == len(ids)


@pytest.mark.parametrize("per_page", [151, -1, "many", None])
def test_an_invalid_per_page_is_refused(api: Api, per_page: Any):
    """Measured: 400 `invalid_per_page`, not clamped."""
    body = {"query": where("role", "=", "user"), "pagination": {"per_page": per_page}}
    assert error_of(api.post("/contacts/search", body)) == (400, "invalid_per_page")
    answer = api.get("/contacts", params={"per_page": str(per_page)})
    assert error_of(answer) == (400, "invalid_per_page")


def test_per_page_0_is_an_empty_page(api: Api, ids: list[str]):
    """0 to 150 are allowed."""
    answer = api.get("/contacts", params={"per_page": 0}).json()
    assert (answer["data"], answer["total_count"]) == ([], len(ids))
    assert "next" not in answer["pages"]


def test_s7_search_pages_follow_the_cursor_of_the_body(api: Api, ids: list[str]):
    """S7: every contact once, and no `next` on the last page, even if it is full."""
    assert _walk(api, {"query": where("role", "=", "user")}, 3) == [ids[:3], ids[3:6], ids[6:]]
    assert _walk(api, {"query": where("role", "=", "user")}, 7) == [ids]


def test_a_cursor_in_the_query_string_is_ignored(api: Api, ids: list[str]):
    """Reported: page 1 comes back forever."""
    body = {"query": where("role", "=", "user"), "pagination": {"per_page": 3}}
    cursor = api.post("/contacts/search", body).json()["pages"]["next"]["starting_after"]
    again = api.post("/contacts/search", body, params={"starting_after": cursor}).json()
    assert [contact["id"] for contact in again["data"]] == ids[:3]


def test_s9_list_has_10_contacts_per_page_by_default_and_up_to_150(api: Api):
    """S9: 10 was recorded, against the documentation; the cursor is in the query string."""
    ids = api.seed(*({"email": f"{n}@x.com"} for n in range(12)))
    first = api.get("/contacts").json()
    assert (first["pages"]["per_page"], len(first["data"]), first["total_count"]) == (10, 10, 12)
    cursor = first["pages"]["next"]["starting_after"]
    second = api.get("/contacts", params={"starting_after": cursor}).json()
    assert [contact["id"] for contact in first["data"] + second["data"]] == ids
    assert "next" not in second["pages"]
    assert len(api.get("/contacts", params={"per_page": 150}).json()["data"]) == 12


@pytest.mark.parametrize("cursor", ["nonsense", "e30=", 5])
def test_an_invented_cursor_is_refused(api: Api, cursor: Any):
    """400."""
    body = {"query": where("role", "=", "user"), "pagination": {"starting_after": cursor}}
    assert error_of(api.post("/contacts/search", body)) == (400, "parameter_invalid")
    answer = api.get("/contacts", params={"starting_after": cursor})
    assert error_of(answer) == (400, "parameter_invalid")


def test_untagging_contacts_while_paging_through_them_misses_none(api: Api):
    """The cursor is a position in the order, not a number of contacts to skip."""
    ids = api.seed(*({"email": f"{n}@x.com", "tags": ["VIP"]} for n in range(6)))
    tag_id, seen, cursor = api.tag("VIP"), [], None
    for _ in range(3):
        pagination = {"per_page": 2, "starting_after": cursor}
        body = {"query": where("tag_id", "=", tag_id), "pagination": pagination}
        answer = api.post("/contacts/search", body).json()
        for contact in answer["data"]:
            seen.append(contact["id"])
            api.delete(f"/contacts/{contact['id']}/tags/{tag_id}")
        cursor = answer["pages"].get("next", {}).get("starting_after")
    assert seen == ids


@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_sorting_is_stable_over_pages(api: Api, ids: list[str], order: str):
    """From 2.16 on."""
    query = {"query": where("role", "=", "user"), "sort": {"field": "created_at", "order": order}}
    expected = [ids[n] for n in (0, 3, 6, 1, 4, 2, 5)]
    if order == "descending":
        expected.reverse()
    assert list(chain.from_iterable(_walk(api, query, 2))) == expected


def test_contacts_without_the_field_sort_last(api: Api):
    """In descending order, the default; ascending is the reverse."""
    ids = api.seed({"name": "B"}, {"email": "a@x.com"}, {"name": "A"})
    body = {"query": where("role", "=", "user"), "sort": {"field": "name"}}
    assert list(chain.from_iterable(_walk(api, body, 1))) == [ids[0], ids[2], ids[1]]


def test_an_invalid_sort_is_refused_from_2_16_on(api: Api):
    """400 `invalid_sort_order`; 2.15 ignores `sort`."""
    body = {"query": where("role", "=", "user"), "sort": {"field": "name", "order": "desc"}}
    answer = api.post("/contacts/search", body)
    assert error_of(answer) == (400, "invalid_sort_order")
    assert api.speaking("2.15").post("/contacts/search", body).status_code == 200
    body["sort"] = {"field": "tag_id"}
    assert error_of(api.post("/contacts/search", body)) == (400, "invalid_field")


def test_a_cursor_of_another_sort_is_refused(api: Api):
    """It has no position in this order."""
    api.seed(*({"email": f"{n}@x.com", "name": f"N{n}"} for n in range(3)))
    body: dict[str, Any] = {
        "query": where("role", "=", "user"),
        "pagination": {"per_page": 1},
        "sort": {"field": "name"},
    }
    cursor = api.post("/contacts/search", body).json()["pages"]["next"]["starting_after"]
    body |= {"sort": {"field": "created_at"}, "pagination": {"starting_after": cursor}}
    assert error_of(api.post("/contacts/search", body)) == (400, "parameter_invalid")
