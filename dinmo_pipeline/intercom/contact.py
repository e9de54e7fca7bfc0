"""A contact, and a page of contacts, as read from Intercom's JSON; nothing odd in it does any harm."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dinmo_pipeline.intercom.answers import Answer
from dinmo_pipeline.intercom.errors import UnreadableError


@dataclass(frozen=True, slots=True)
class Contact:
    """A person in Intercom. `email` and `external_id` are as stored there; None when absent or empty.

    `created_at` is in Unix seconds; `tag_ids` are the tags shown with the contact, at most 10.
    """

    id: str
    role: str
    email: str | None
    external_id: str | None
    created_at: int | None
    tag_ids: frozenset[str]

    @property
    def is_user(self) -> bool:
        """A user, not a lead: leads share email addresses with users and are never matched."""
        return self.role == "user"


@dataclass(frozen=True, slots=True)
class ContactPage:
    """A page of contacts, users and leads.

    Attributes:
        contacts: each once; what has no id is left out.
        total: contacts on all pages; None where the answer does not tell.
        following: the cursor of the next page; None on the last one.
    """

    contacts: list[Contact]
    total: int | None
    following: str | None


def read_contact(item: Any) -> Contact | None:
    """A contact from its JSON object; None for what has no id."""
    if not isinstance(item, dict) or not (contact_id := read_id(item.get("id"))):
        return None
    created_at = item.get("created_at")
    return Contact(
        id=contact_id,
        role=_text(item.get("role")) or "",
        email=_text(item.get("email")),
        # A string also when it looks like a number, says the documentation.
        external_id=read_id(item.get("external_id")),
        created_at=created_at if type(created_at) is int else None,
        tag_ids=_tag_ids(item.get("tags")),
    )


def read_page(call: str, answer: Answer) -> ContactPage:
    """A page from an answer; `call` names it in errors.

    Raises:
        UnreadableError: the list is missing, or says that it goes on without saying where.
    """
    items = answer.body.get("data")
    if not isinstance(items, list):
        raise UnreadableError(
            f"{call}: Intercom's answer holds no list.", request_id=answer.request_id
        )
    contacts = {contact.id: contact for item in items if (contact := read_contact(item))}
    following = _following(call, answer)
    if following is not None and not items:
        raise UnreadableError(
            f"{call}: Intercom gave an empty page that is not the last one.",
            request_id=answer.request_id,
        )
    total = answer.body.get("total_count")
    return ContactPage(
        list(contacts.values()), total if type(total) is int and total >= 0 else None, following
    )


def read_id(value: Any) -> str | None:
    """An id as text; older answers hold some as numbers."""
    return str(value) if type(value) is int else _text(value)


def _following(call: str, answer: Answer) -> str | None:
    """The next page's cursor: absent on the last page; a whole URL in old versions."""
    pages = answer.body.get("pages")
    following = pages.get("next") if isinstance(pages, dict) else None
    if not following:
        return None
    cursor = None
    if isinstance(following, Mapping):
        cursor = read_id(following.get("starting_after"))
    elif isinstance(following, str):
        cursor = _cursor_of_url(following)
    if cursor is None:
        raise UnreadableError(
            f"{call}: Intercom names a next page, but no cursor.", request_id=answer.request_id
        )
    return cursor


def _cursor_of_url(url: str) -> str | None:
    try:
        return parse_qs(urlsplit(url).query).get("starting_after", [None])[0]
    except ValueError:
        return None


def _tag_ids(tags: Any) -> frozenset[str]:
    shown = tags.get("data") if isinstance(tags, dict) else None
    if not isinstance(shown, list):
        return frozenset()
    ids = (read_id(tag.get("id")) for tag in shown if isinstance(tag, dict))
    return frozenset(tag_id for tag_id in ids if tag_id)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
