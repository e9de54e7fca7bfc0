"""Pages of contacts, read from Intercom's JSON one after another; odd values read as absent."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from itertools import count
from math import ceil
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dinmo_pipeline.contact import Contact
from dinmo_pipeline.intercom.answers import Answer
from dinmo_pipeline.intercom.errors import UnreadableError
from dinmo_pipeline.intercom.json_values import read_id, read_text
from dinmo_pipeline.text.wording import counted

# 30 million contacts. People sign up while pages are read, but not as many again as there are.
_MAX_PAGES = 200_000
_SPARE_PAGES = 10


@dataclass(frozen=True, slots=True)
class ContactPage:
    """A page of contacts, users and leads.

    Attributes:
        contacts: each once; items without an id are left out.
        total: the number of contacts on all pages; None when the answer does not say.
        next_cursor: the cursor of the next page; None on the last one.
    """

    contacts: list[Contact]
    total: int | None
    next_cursor: str | None


def walk(call: str, ask: Callable[[str | None], Answer]) -> Generator[ContactPage, None, None]:
    """Read pages until there is no next one; `ask` gets the cursor of a page, None for the first.

    Raises:
        UnreadableError: a page cannot be read, or the walk would never end: a cursor comes again, or there
            are far more pages than the first one announced.
    """
    cursor: str | None = None
    seen: set[str] = set()
    most = _MAX_PAGES
    for number in count(1):
        page = read_page(call, ask(cursor))
        if number == 1 and page.total is not None and page.contacts:
            announced = ceil(page.total / len(page.contacts))
            most = min(most, 2 * announced + _SPARE_PAGES)
        yield page
        cursor = page.next_cursor
        if cursor is None:
            return
        if cursor in seen:
            raise UnreadableError(f"{call}: Intercom repeated a page cursor.")
        if number >= most:
            raise UnreadableError(f"{call}: Intercom announces more pages after {counted(number, 'page')}.")
        seen.add(cursor)


def read_page(call: str, answer: Answer) -> ContactPage:
    """Read a page from an answer; `call` names it in errors.

    Raises:
        UnreadableError: the answer has no list, or announces a next page without a cursor.
    """
    items = answer.body.get("data")
    if not isinstance(items, list):
        raise UnreadableError(f"{call}: Intercom's answer has no list.", request_id=answer.request_id)
    contacts = {contact.id: contact for item in items if (contact := read_contact(item))}
    next_cursor = _next_cursor(call, answer)
    if next_cursor is not None and not items:
        raise UnreadableError(
            f"{call}: Intercom returned an empty page that is not the last one.",
            request_id=answer.request_id,
        )
    total = answer.body.get("total_count")
    return ContactPage(
        list(contacts.values()), total if type(total) is int and total >= 0 else None, next_cursor
    )


def read_contact(item: Any) -> Contact | None:
    """Read a contact from its JSON object; None without an id."""
    if not isinstance(item, dict) or not (contact_id := read_id(item.get("id"))):
        return None
    created_at = item.get("created_at")
    return Contact(
        id=contact_id,
        email=read_text(item.get("email")),
        # Documented as a string, also when it looks like a number.
        external_id=read_id(item.get("external_id")),
        is_user=item.get("role") == "user",
        created_at=created_at if type(created_at) is int else None,
    )


def _next_cursor(call: str, answer: Answer) -> str | None:
    """The cursor of the next page: absent on the last one, a whole URL in old versions."""
    pages = answer.body.get("pages")
    next_page = pages.get("next") if isinstance(pages, dict) else None
    if not next_page:
        return None
    cursor = None
    if isinstance(next_page, Mapping):
        cursor = read_id(next_page.get("starting_after"))
    elif isinstance(next_page, str):
        cursor = _cursor_in_url(next_page)
    if cursor is None:
        raise UnreadableError(
            f"{call}: Intercom announced a next page without a cursor.",
            request_id=answer.request_id,
        )
    return cursor


def _cursor_in_url(url: str) -> str | None:
    try:
        return parse_qs(urlsplit(url).query).get("starting_after", [None])[0]
    except ValueError:
        return None
