"""Intercom's JSON of contacts and tags.

A contact has more than forty keys, most of them always empty here. Those are encoded only once, so a page
of 150 contacts takes a fraction of the time that `json.dumps` would need.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from html import escape
from itertools import islice
from typing import Any, Final

from dinmo_pipeline.emulator.workspace.paging import Page
from dinmo_pipeline.emulator.workspace.records import Contact, Merge, Tag

ADMIN_ID: Final = "991267459"
_MAX_TAGS_SHOWN: Final = 10

_ALWAYS_NULL: Final = (
    *(f"last_{event}_at" for event in ("replied", "contacted", "email_opened", "email_clicked")),
    *("language_override", "browser", "browser_version", "browser_language", "os"),
    *(
        f"{system}_{fact}"
        for system in ("android", "ios")
        for fact in ("app_name", "app_version", "device", "os_version", "sdk_version")
    ),
    *("android_last_seen_at", "ios_last_seen_at"),
    *(f"utm_{part}" for part in ("campaign", "content", "medium", "source", "term")),
    *("referrer", "enabled_push_messaging"),
)

_LOCATION: Final = dict.fromkeys(("country", "region", "city", "country_code", "continent_code"))

_DEFAULTS: Final[Mapping[str, Any]] = {
    "phone": None,
    "avatar": None,
    "owner_id": None,
    "unsubscribed_from_emails": False,
    "last_seen_at": None,
    "custom_attributes": {},
}
"""The writable attributes, with their values until they are written."""

WRITABLE: Final = frozenset(_DEFAULTS)

_CONSTANT: Final = json.dumps(
    {
        "social_profiles": {"type": "list", "data": []},
        "has_hard_bounced": False,
        "marked_email_as_spam": False,
        "location": {"type": "location", **_LOCATION},
        **dict.fromkeys(_ALWAYS_NULL),
    }
)[1:-1]

_DEFAULTS_JSON: Final = json.dumps(_DEFAULTS)[1:-1]


def contact_json(contact: Contact, workspace_id: str, merges: Iterable[Merge] | None = None) -> str:
    """A contact in the response to `GET` and `PUT`.

    Recorded: the name is HTML-escaped, and an email that was set to null is "".

    Args:
        contact: A live contact.
        workspace_id: The workspace's `id_code`.
        merges: The contact's `merge_history`; None leaves it out.
    """
    head = json.dumps(
        {
            "type": "contact",
            "id": contact.id,
            "workspace_id": workspace_id,
            "external_id": contact.external_id,
            "role": contact.role,
            "email": contact.email,
            "name": None if contact.name is None else escape(contact.name, quote=False),
            "created_at": contact.created_at,
            "updated_at": contact.updated_at,
            "signed_up_at": contact.signed_up_at,
        }
    )[:-1]
    written = json.dumps({**_DEFAULTS, **contact.attributes})[1:-1] if contact.attributes else _DEFAULTS_JSON
    history = "" if merges is None else f', "merge_history": {json.dumps(_history(merges))}'
    return f"{head}, {written}, {_CONSTANT}, {_linked(contact)}{history}}}"


def listed_contact_json(contact: Contact, workspace_id: str, merges: Iterable[Merge] | None = None) -> str:
    """A contact in the response to search and list, where an email that was set to null is null."""
    shown = contact if contact.email else contact._replace(email=None)
    return contact_json(shown, workspace_id, merges)


def contact_page_json(page: Page, per_page: int, encode: Callable[[Contact], str]) -> str:
    """A page of contacts.

    Recorded: the last page has no `pages.next`, and an empty result has zero pages.
    """
    pages: dict[str, Any] = {"type": "pages", "page": page.number, "per_page": per_page}
    if page.after is not None:
        pages["next"] = {"page": page.after.page, "starting_after": page.after.encoded()}
    pages["total_pages"] = -(-page.total // per_page) if per_page else 0
    data = ", ".join(map(encode, page.contacts))
    return f'{{"type": "list", "data": [{data}], "total_count": {page.total}, "pages": {json.dumps(pages)}}}'


def tag_view(tag: Tag) -> dict[str, Any]:
    """A tag."""
    return {"type": "tag", "id": tag.id, "name": tag.name}


def applied_tag_view(tag: Tag, applied_at: int | None) -> dict[str, Any]:
    """A tag on a contact. Documented: if it is not applied, time and admin are null."""
    by = None if applied_at is None else {"type": "admin", "id": ADMIN_ID}
    return tag_view(tag) | {"applied_at": applied_at, "applied_by": by}


def tag_list_view(tags: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """A list of tags. Recorded: it is complete, without paging keys."""
    return {"type": "list", "data": list(tags)}


def _linked(contact: Contact) -> str:
    base = f"/contacts/{contact.id}"
    shown = ", ".join(
        f'{{"id": "{tag_id}", "type": "tag", "url": "/tags/{tag_id}"}}'
        for tag_id in islice(contact.tags, _MAX_TAGS_SHOWN)
    )
    count = len(contact.tags)
    has_more = "true" if count > _MAX_TAGS_SHOWN else "false"
    none = '"total_count": 0, "has_more": false'
    return (
        f'"tags": {{"type": "list", "data": [{shown}], "url": "{base}/tags", '
        f'"total_count": {count}, "has_more": {has_more}}}, '
        f'"notes": {{"type": "list", "data": [], "url": "{base}/notes", {none}}}, '
        f'"companies": {{"type": "list", "data": [], "url": "{base}/companies", {none}}}, '
        f'"opted_out_subscription_types": {{"type": "list", "data": [], '
        f'"url": "{base}/subscriptions", {none}}}, '
        f'"opted_in_subscription_types": {{"type": "list", "data": [], '
        f'"url": "{base}/subscriptions", {none}}}'
    )


def _history(merges: Iterable[Merge]) -> list[dict[str, Any]]:
    return [
        {
            "type": "merge_history_item",
            "source_contact_id": merge.source_id,
            "source_contact_role": merge.source_role,
            "merged_at": merge.merged_at,
        }
        for merge in merges
    ]
