"""Contacts: found by batches of identifiers, by creation date, or listed; never created."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from dinmo_pipeline.intercom.errors import RefusedError, UnavailableError
from dinmo_pipeline.intercom.transport import Transport

PAGE_SIZE = 150  # the most that Intercom gives; more is refused
LOOKUP_SIZE = 50  # `IN` has no documented limit; production code has used 100

LookupField = Literal["email", "external_id"]


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


@dataclass
class Contacts:
    """The contact calls that a sync needs. `lookup_size` shrinks when Intercom refuses long lists."""

    transport: Transport
    lookup_size: int = LOOKUP_SIZE
    refused: list[str] = field(default_factory=list)

    def find_users(self, by: LookupField, identifiers: Sequence[str]) -> list[Contact]:
        """The users with one of up to `lookup_size` identifiers; one call per 150 of them.

        A refused list is halved, down to one identifier asked with `=`; one refused even then is no
        user's identifier, and is put into `refused`.

        Raises:
            IntercomError: see errors.py.
        """
        if not identifiers:
            return []
        single = len(identifiers) == 1
        query = {
            "field": by,
            "operator": "=" if single else "IN",
            "value": identifiers[0] if single else list(identifiers),
        }
        try:
            found = [contact for page in self.search(query) for contact in page]
        except RefusedError:
            if single:
                self.refused.append(identifiers[0])
                return []
            half = (len(identifiers) + 1) // 2
            self.lookup_size = min(self.lookup_size, half)
            return self.find_users(by, identifiers[:half]) + self.find_users(by, identifiers[half:])
        return [contact for contact in found if contact.is_user]

    def users_created_since(self, moment: datetime) -> Iterator[list[Contact]]:
        """Pages of users, the newest first, down to those created at `moment`.

        Intercom compares dates by whole days, in a time zone that documentation and measurement
        disagree on, so the search begins two days early and stops reading at the moment itself.
        """
        earliest = int(moment.timestamp())
        query = {
            "operator": "AND",
            "value": [
                {"field": "role", "operator": "=", "value": "user"},
                {"field": "created_at", "operator": ">", "value": str(earliest - 2 * 86_400)},
            ],
        }
        newest_first = {"field": "created_at", "order": "descending"}
        for page in self.search(query, sort=newest_first):
            recent = [c for c in page if c.created_at is None or c.created_at >= earliest]
            yield [contact for contact in recent if contact.is_user]
            # Before 2.16 the order is undocumented and `sort` may be ignored: then read on.
            if not recent and _descending(page):
                return

    def search(
        self, query: dict[str, Any], *, sort: dict[str, str] | None = None
    ) -> Iterator[list[Contact]]:
        """Pages of contacts (users and leads) that match a query, 150 a page.

        Raises:
            UnavailableError: a cursor came twice, so the walk would never end.
        """
        cursor: str | None = None
        seen: set[str] = set()
        while True:
            pagination: dict[str, Any] = {"per_page": PAGE_SIZE}
            if cursor:
                pagination["starting_after"] = cursor
            body: dict[str, Any] = {"query": query, "pagination": pagination}
            if sort:
                body["sort"] = sort
            answer = self.transport.call("POST", "/contacts/search", json=body)
            yield [_read_contact(item) for item in answer.body.get("data") or []]
            cursor = _next_cursor(answer.body)
            if cursor is None:
                return
            if cursor in seen:
                raise UnavailableError("POST /contacts/search: Intercom repeated a page cursor.")
            seen.add(cursor)


def _descending(page: Sequence[Contact]) -> bool:
    dates = [contact.created_at for contact in page if contact.created_at is not None]
    return dates == sorted(dates, reverse=True)


def _next_cursor(body: Any) -> str | None:
    following = (body.get("pages") or {}).get("next")
    if isinstance(following, dict):
        cursor = following.get("starting_after")
        return cursor if isinstance(cursor, str) and cursor else None
    return None


def _read_contact(item: dict[str, Any]) -> Contact:
    shown = (item.get("tags") or {}).get("data") or []
    return Contact(
        id=str(item["id"]),
        role=str(item.get("role")),
        email=item.get("email") or None,
        external_id=item.get("external_id") or None,
        created_at=item.get("created_at"),
        tag_ids=frozenset(str(tag["id"]) for tag in shown),
    )
