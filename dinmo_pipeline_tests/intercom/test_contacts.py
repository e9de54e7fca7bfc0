"""Finding contacts: the number of calls, what Intercom refuses, and pages of every kind."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dinmo_pipeline.contact import Contact
from dinmo_pipeline.emulator import NewContact
from dinmo_pipeline.intercom.contacts import LOOKUP_SIZE, OR_SIZE
from dinmo_pipeline.intercom.errors import (
    IntercomError,
    MergedError,
    NotFoundError,
    UnavailableError,
    UnreadableError,
)
from dinmo_pipeline.intercom.listing import UserListing
from dinmo_pipeline.intercom.retry import RetryPolicy
from dinmo_pipeline_tests.intercom.scripted import Reply, error_body

SEARCH = "POST /contacts/search"


def emails(count: int) -> list[str]:
    return [f"u{n}@example.com" for n in range(count)]


def found(workspace, *identifiers: str, by: str = "email") -> list[str | None]:
    return sorted(c.external_id or "" for c in workspace.client.contacts.find_users(by, identifiers))


def test_fifty_identifiers_take_one_call(workspace):
    """A hundred take two."""
    workspace.users(100)
    assert len(workspace.client.contacts.find_users("email", emails(50))) == 50
    assert workspace.calls == {SEARCH: 1}
    assert len(workspace.client.contacts.find_users("external_id", [str(n) for n in range(100)])) == 100
    assert workspace.calls == {SEARCH: 3}


def test_nothing_to_find_takes_no_call(workspace):
    """Intercom refuses an empty list."""
    assert workspace.client.contacts.find_users("email", []) == []
    assert workspace.client.calls == 0


def test_leads_are_never_found(workspace):
    """Not even when they share a user's email address."""
    workspace.create([NewContact("a@example.com", role="lead"), NewContact("a@example.com", "7")])
    assert found(workspace, "a@example.com") == ["7"]


def test_all_users_of_one_address_are_found_across_pages(workspace):
    """Two hundred of them take two pages."""
    workspace.create(NewContact("a@example.com", str(n)) for n in range(200))
    assert len(found(workspace, "a@example.com")) == 200
    assert workspace.calls == {SEARCH: 2}


@pytest.mark.parametrize(("cap", "size"), [(15, 13), (25, 25), (49, 25), (2, 2)])
def test_a_limit_on_list_length_is_learned_once(workspace, cap, size):
    """By halving. From then on, every list is short enough."""
    workspace.reset(in_cap=cap)
    workspace.users(60)
    contacts = workspace.client.contacts
    assert len(contacts.find_users("email", emails(50))) == 50
    assert contacts.lookup_size == size
    before = workspace.calls[SEARCH]
    assert len(contacts.find_users("email", emails(60))) == 60
    assert workspace.calls[SEARCH] - before == -(-60 // size)
    assert contacts.refused == []


def test_alternatives_replace_lists_that_are_always_refused(workspace):
    """Fifteen `=` within an OR, as documented, are much better than one per call."""
    workspace.reset(in_cap=1)
    workspace.users(60)
    contacts = workspace.client.contacts
    assert len(contacts.find_users("email", emails(50))) == 50
    assert (contacts.accepts_lists, contacts.lookup_size) == (False, OR_SIZE)
    before = workspace.calls[SEARCH]
    assert len(contacts.find_users("email", emails(60))) == 60
    assert workspace.calls[SEARCH] - before == 4


def at_fault(bad: str, status: int, users: dict[str, str]) -> Any:
    """A server that refuses every search for one identifier, and otherwise finds the users."""

    def answer(request: Any) -> Reply:
        body = request.body.decode()
        if f'"{bad}"' in body:
            return Reply(status, error_body("data_invalid" if status < 500 else "server_error"))
        data = [
            {"id": key, "role": "user", "email": email}
            for key, email in users.items()
            if f'"{email}"' in body
        ]
        return Reply(body={"type": "list", "data": data, "total_count": len(data)})

    return answer


@pytest.mark.parametrize("status", [400, 422])
def test_one_identifier_at_fault_costs_a_few_calls_and_no_other_answer(script, client_of, status):
    """Halving finds it, and later lists stay long."""
    users = {str(n): email for n, email in enumerate(emails(50))}
    script.answer = at_fault("bad@", status, users)
    contacts = client_of(script.base_url).contacts
    asked = [*emails(49), "bad@"]
    assert len(contacts.find_users("email", asked)) == 49
    assert contacts.refused == ["bad@"]
    assert contacts.lookup_size == LOOKUP_SIZE
    assert contacts.transport.calls <= 14


def test_an_identifier_that_makes_intercom_fail_is_found_too(script, client_of):
    """A malformed query was seen to return 500. If Intercom answers the other half, it is the query."""
    users = {str(n): email for n, email in enumerate(emails(50))}
    script.answer = at_fault("bad@", 500, users)
    retry = RetryPolicy(attempts=2, random=lambda: 0.0)
    contacts = client_of(script.base_url, retry=retry).contacts
    assert len(contacts.find_users("email", [*emails(49), "bad@"])) == 49
    assert contacts.refused == ["bad@"]


def test_a_refused_half_of_a_failing_list_is_halved_too(script, client_of):
    """One identifier makes Intercom fail, and it refuses another one in the other half."""
    users = {str(n): email for n, email in enumerate(emails(50))}
    failing, refusing = at_fault("bad@", 500, users), at_fault("odd@", 400, users)
    script.answer = lambda request: (failing if b"bad@" in request.body else refusing)(request)
    contacts = client_of(script.base_url, retry=RetryPolicy(attempts=1)).contacts
    asked = ["odd@", *emails(48), "bad@"]
    assert len(contacts.find_users("email", asked)) == 48
    assert sorted(contacts.refused) == ["bad@", "odd@"]


@pytest.mark.parametrize("status", [500, 503])
def test_an_outage_does_not_cause_a_call_per_half(script, client_of, status):
    """At most both halves of a list fail: 3 times 5 attempts."""
    script.reply(Reply(status, error_body("server_error")))
    contacts = client_of(script.base_url).contacts
    with pytest.raises(UnavailableError):
        contacts.find_users("email", emails(50))
    assert contacts.transport.calls == (15 if status == 500 else 5)
    assert contacts.refused == []


def page(*ids: str, next_page: Any = None, **more: Any) -> Reply:
    data = [{"id": one, "role": "user"} for one in ids]
    pages = {"type": "pages", **({"next": next_page} if next_page is not None else {})}
    return Reply(body={"type": "list", "data": data, "pages": pages, **more})


def after(cursor: str) -> dict[str, str]:
    return {"starting_after": cursor}


def walked(client: Any) -> list[str]:
    return [contact.id for page in client.contacts.everyone() for contact in page.contacts]


def test_pages_are_followed_to_the_last(script, client_of):
    """The cursor goes into the list's query string, encoded, and into a search's body."""
    script.reply(page("a", "b", next_page=after("x+/= \n")), page("c"))
    client = client_of(script.base_url)
    assert walked(client) == ["a", "b", "c"]
    assert script.requests[0].path == "/contacts?per_page=150"
    assert script.requests[1].path == "/contacts?per_page=150&starting_after=x%2B%2F%3D+%0A"
    script.reply(page("a", next_page=after("x+/=")), page("b"))
    assert len(client.contacts.find_users("email", ["a@example.com"])) == 2
    assert b'"starting_after": "x+/="' in script.requests[1].body


@pytest.mark.parametrize(
    "next_page",
    [
        "https://api.intercom.io/contacts?per_page=150&starting_after=next",
        {"page": 2, "starting_after": "next"},
    ],
)
def test_the_next_page_is_also_read_from_old_forms(script, client_of, next_page):
    """As a whole URL, or with a number beside the cursor."""
    script.reply(page("a", next_page=next_page), page("b"))
    assert walked(client_of(script.base_url)) == ["a", "b"]
    assert script.requests[1].path.endswith("starting_after=next")


@pytest.mark.parametrize("next_page", [{}, "", 0, False])
def test_an_empty_next_page_is_none(script, client_of, next_page):
    """Recorded: it is absent on the last page. Null and empty values read the same."""
    script.reply(page("a", next_page=next_page))
    assert walked(client_of(script.base_url)) == ["a"]


@pytest.mark.parametrize(
    "replies",
    [
        [page("a", next_page=after("1")), page("b", next_page=after("1"))],
        [page("a", next_page=after("1")), page(next_page=after("2"))],
        [page("a", next_page={"page": 2})],
        [page("a", next_page="https://[bad")],
        [page("a", next_page="https://api.intercom.io/contacts?page=2")],
        [page("a", next_page=["1"])],
        [Reply(body={"type": "list"})],
        [Reply(body={"type": "list", "data": {"a": 1}})],
        [Reply(body={"type": "list", "data": None})],
    ],
)
def test_pages_that_never_end_or_break_off_are_an_error(script, client_of, replies):
    """Repeated cursors, empty pages in between, a next page without a cursor, no list."""
    script.reply(*replies)
    with pytest.raises(UnreadableError):
        walked(client_of(script.base_url))
    assert len(script.requests) == len(replies)


def test_odd_items_in_a_page_are_left_out_or_read_as_absent(script, client_of):
    """An item without an id is left out; the same id twice is one contact."""
    odd = {
        "id": "b",
        "role": 5,
        "email": ["x"],
        "external_id": 12,
        "created_at": "1",
        "tags": {"data": 4},
    }
    items = [None, "x", {}, {"id": None}, {"id": ""}, {"id": "a", "tags": None}, {"id": "a"}, odd]
    script.reply(Reply(body={"type": "list", "data": items, "pages": None, "total_count": "8"}))
    (only,) = client_of(script.base_url).contacts.everyone()
    assert [contact.id for contact in only.contacts] == ["a", "b"]
    b = only.contacts[1]
    assert b == Contact("b", email=None, external_id="12", is_user=False, created_at=None)
    assert only.total is None


def test_the_list_reports_the_number_of_contacts(workspace):
    """On its first page, with 150 contacts of both roles per page."""
    workspace.users(200)
    workspace.create([NewContact(role="lead", email="l@example.com")])
    pages = list(workspace.client.contacts.everyone())
    assert [len(page.contacts) for page in pages] == [150, 51]
    assert pages[0].total == 201
    assert workspace.calls == {"GET /contacts": 2}


def signups(workspace, since: float) -> list[str | None]:
    moment = datetime.fromtimestamp(since, UTC)
    pages = workspace.client.contacts.users_created_since(moment)
    return [contact.external_id for page in pages for contact in page]


@pytest.mark.parametrize("version", ["2.13", "2.15", "2.16", "2.17"])
def test_new_users_are_found_without_reading_the_days_before(workspace, clock, version):
    """One page per 150, although Intercom compares whole days. Every version finds all of them."""
    workspace.speak(version)
    now = int(clock.now)
    workspace.create(NewContact(external_id=f"old{n}", created_at=now - 90_000) for n in range(400))
    workspace.create(NewContact(external_id=f"new{n}", created_at=now - 60) for n in range(3))
    workspace.create([NewContact(email="x@example.com", role="lead", created_at=now - 50)])
    assert sorted(signups(workspace, now - 3_600)) == ["new0", "new1", "new2"]
    if version >= "2.16":
        assert workspace.calls == {SEARCH: 1}


def test_no_new_users_take_one_call(workspace, clock):
    """However many signed up in the two days before."""
    now = int(clock.now)
    workspace.create(NewContact(external_id=str(n), created_at=now - 90_000 + n) for n in range(400))
    assert signups(workspace, clock.now - 3_600) == []
    assert workspace.calls == {SEARCH: 1}


def test_a_user_whom_the_index_did_not_show_is_found_whoever_signed_up_after(workspace, clock):
    """The overlap is read to its end, even if one page is full of later users."""
    now = int(clock.now)
    workspace.create([NewContact(external_id="late", created_at=now - 660)])
    workspace.create(NewContact(external_id=f"seen{n}", created_at=now - 650 + n) for n in range(149))
    workspace.create([NewContact(external_id="new", created_at=now - 10)])
    since = datetime.fromtimestamp(now - 300, UTC)
    pages = workspace.client.contacts.users_created_since(since, overlap=timedelta(minutes=15))
    found = {contact.external_id for page in pages for contact in page}
    assert {"late", "new"} <= found
    assert len(found) == 151


def test_new_users_are_found_unsorted_if_sorting_is_refused(script, client_of):
    """Sorting is documented from 2.16 on."""
    script.reply(Reply(400, error_body("parameter_invalid")), page("a"))
    pages = client_of(script.base_url).contacts.users_created_since(datetime.now(UTC))
    assert [contact.id for page in pages for contact in page] == ["a"]
    assert b"sort" not in script.requests[1].body


def test_one_contact_is_read_as_it_is_now(workspace):
    """Unknown, archived, and merged contacts are distinguished as far as Intercom does."""
    a, b, c = workspace.users(3)
    assert workspace.client.contacts.get(a).external_id == "0"
    workspace.merge(b, a)
    workspace.change(c, state="archived")
    with pytest.raises(MergedError) as merged:
        workspace.client.contacts.get(b)
    assert merged.value.canonical_id == a
    for contact in (c, "f" * 24):
        with pytest.raises(NotFoundError):
            workspace.client.contacts.get(contact)
    with pytest.raises(NotFoundError) as unnamed:
        workspace.speak("2.15").contacts.get(b)
    assert not isinstance(unnamed.value, MergedError)


def test_a_contact_without_an_id_is_unreadable(script, client_of):
    """It does not crash."""
    script.reply(Reply(body={"type": "contact"}))
    with pytest.raises(UnreadableError):
        client_of(script.base_url).contacts.get("a")


def listed(workspace) -> Iterator[list[Any]]:
    pages = workspace.client.contacts.everyone()
    with UserListing(workspace.server.store.live.live_count) as listing:
        listing.read(pages, lambda _come: None)
        yield from listing.batches()


def test_a_listing_keeps_all_users_of_an_address_together(workspace):
    """So after any batch, all users of each address in it are known."""
    workspace.create(
        NewContact(f" U{n % 300}@Example.com " if n % 2 else f"u{n % 300}@example.com", str(n))
        for n in range(11_000)
    )
    workspace.create(NewContact(f"u{n}@example.com", role="lead") for n in range(50))
    where: dict[str, set[int]] = {}
    seen = set()
    for number, batch in enumerate(listed(workspace)):
        for user in batch:
            seen.add(user.external_id)
            where.setdefault(user.email.strip().lower(), set()).add(number)
    assert seen == {str(n) for n in range(11_000)}
    assert all(len(numbers) == 1 for numbers in where.values())
    assert len({number for numbers in where.values() for number in numbers}) == 3


def test_a_list_much_shorter_than_announced_is_an_error(script, client_of):
    """One in a hundred may be missing: contacts archived while the list was read."""
    script.reply(page("a", "b", next_page=after("1"), total_count=100), page("c"))
    client = client_of(script.base_url)
    with UserListing(100) as listing, pytest.raises(UnreadableError, match="announced 100"):
        listing.read(client.contacts.everyone(), lambda _come: None)


def test_every_error_while_reading_pages_is_typed(script, client_of):
    """Also in the middle."""
    script.reply(page("a", next_page=after("1")), Reply(401, error_body("unauthorized")))
    with pytest.raises(IntercomError):
        walked(client_of(script.base_url))
