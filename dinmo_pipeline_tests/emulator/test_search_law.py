"""Property tests: search finds what a plain filter finds, with any index."""

import datetime as dt
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dinmo_pipeline.emulator import NewContact
from dinmo_pipeline.emulator.workspace.paging import Order, Results
from dinmo_pipeline.emulator.workspace.query import field_named, parse_query
from dinmo_pipeline.emulator.workspace.records import Contact
from dinmo_pipeline.emulator.workspace.store import Store
from dinmo_pipeline_tests.emulator.api import where

NAMES = ("Ann Lee", "ann", "Ben", "lee-ann", None)
EMAILS = ("a@x.com", "A@X.com", "b@x.com", None)
TAGS = ("1", "2")
TIMES = st.integers(0, 4).map(lambda half: half * 43_200)

contacts = st.lists(
    st.builds(
        NewContact,
        email=st.sampled_from(EMAILS),
        external_id=st.none(),
        role=st.sampled_from(("user", "lead")),
        name=st.sampled_from(NAMES),
        created_at=TIMES,
        signed_up_at=st.none(),
        attributes=st.just({}),
        tags=st.lists(st.sampled_from(TAGS), unique=True).map(tuple),
    ),
    max_size=12,
)
texts = st.sampled_from(("a@x.com", "B@x.com", "Ann", "ann", "Lee", "user"))
filters = st.one_of(
    st.builds(where, st.just("role"), st.sampled_from(("=", "!=")), st.just("user")),
    st.builds(
        where,
        st.sampled_from(("email", "name")),
        st.sampled_from(("=", "!=", "~", "!~", "^", "$")),
        texts,
    ),
    st.builds(
        where,
        st.sampled_from(("email", "name")),
        st.sampled_from(("IN", "NIN")),
        st.lists(texts, min_size=1, max_size=3),
    ),
    st.builds(where, st.just("created_at"), st.sampled_from(("=", "<", ">")), TIMES),
    st.builds(where, st.just("tag_id"), st.sampled_from(("=", "!=")), st.sampled_from(TAGS)),
)


def _groups(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {
            "operator": st.sampled_from(("AND", "OR")),
            "value": st.lists(parts, min_size=1, max_size=4),
        }
    )


queries = st.one_of(filters, _groups(filters), _groups(_groups(filters)))


def _holds(query: dict[str, Any], contact: Contact, tag_names: dict[str, str]) -> bool:
    if "field" not in query:
        together = all if query["operator"] == "AND" else any
        return together(_holds(part, contact, tag_names) for part in query["value"])
    operator, value = query["operator"], query["value"]
    if query["field"] == "tag_id":
        return (value in [tag_names[key] for key in contact.tags]) == (operator == "=")
    actual = getattr(contact, query["field"])
    if query["field"] == "created_at":
        days = [dt.datetime.fromtimestamp(at, dt.UTC).date() for at in (actual, value)]
        return {"=": days[0] == days[1], "<": days[0] < days[1], ">": days[0] > days[1]}[operator]
    if operator in ("=", "!=", "IN", "NIN"):
        values = value if isinstance(value, list) else [value]
        if query["field"] == "email":
            actual, values = actual and actual.lower(), [each.lower() for each in values]
        return (actual in values) == (operator in ("=", "IN"))
    text, part = (actual or "").lower(), value.lower()
    if operator in ("~", "!~"):
        words = [set(re.split(r"\W+", each)) - {""} for each in (part, text)]
        return (words[0] <= words[1]) == (operator == "~")
    return bool(text.startswith(part) if operator == "^" else text.endswith(part))


def _with_tag_ids(query: dict[str, Any], tag_ids: dict[str, str]) -> dict[str, Any]:
    if query.get("field") == "tag_id":
        return query | {"value": tag_ids[query["value"]]}
    if "field" in query:
        return query
    return query | {"value": [_with_tag_ids(part, tag_ids) for part in query["value"]]}


@given(seeds=contacts, raw=queries, archived=st.sets(st.integers(0, 11)), per_page=st.integers(1, 5))
def test_search_equals_a_plain_filter(
    seeds: list[NewContact], raw: dict[str, Any], archived: set[int], per_page: int
):
    """Over all pages, in order of creation."""
    store = Store(lambda: 0.0)
    tag_ids = {name: store.ensure_tag(name).id for name in TAGS}
    store.create_many(seeds)
    live = list(store.live.live_from(0))
    for contact in [live[seq] for seq in archived if seq < len(live)]:
        store.replace(contact, state="archived")
    names = {tag_id: name for name, tag_id in tag_ids.items()}
    expected = [each.id for each in store.live.live_from(0) if _holds(raw, each, names)]
    query, results, found, cursor = parse_query(_with_tag_ids(raw, tag_ids)), Results(), [], None
    while True:
        page = results.page(query, Order(), store.searchable(), cursor, per_page)
        found += [contact.id for contact in page.contacts]
        assert page.total == len(expected)
        cursor = page.after
        if cursor is None:
            break
    assert found == expected


@given(
    seeds=contacts,
    field=st.sampled_from(("name", "email", "created_at")),
    direction=st.sampled_from(("up", "down")),
)
def test_sorting_equals_a_plain_sort(seeds: list[NewContact], field: str, direction: str):
    """With one contact per page; contacts without the field are at the low end."""
    store = Store(lambda: 0.0)
    store.create_many(seeds)
    query, order = (
        parse_query(where("id", "!=", "none")),
        Order(field_named(field), direction == "down"),
    )
    results, found, cursor = Results(), [], None
    while True:
        page = results.page(query, order, store.searchable(), cursor, 1)
        found += page.contacts
        cursor = page.after
        if cursor is None:
            break
    present = [each for each in store.live.live_from(0) if getattr(each, field) is not None]
    absent = [each for each in store.live.live_from(0) if getattr(each, field) is None]
    plain = absent + sorted(present, key=lambda each: getattr(each, field))
    assert found == (plain[::-1] if direction == "down" else plain)
