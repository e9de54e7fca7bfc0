"""The tag calls: find, create and rename tags, tag many users in one call, untag one by one."""

import html
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dinmo_pipeline.intercom.answers import Answer
from dinmo_pipeline.intercom.errors import NotFoundError, UnreadableError
from dinmo_pipeline.intercom.ids import path_of
from dinmo_pipeline.intercom.json_values import read_id
from dinmo_pipeline.intercom.transport import Transport

BULK_SIZE = 50  # users in one tagging call; documented for 1.x, silent since


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag; `id` is decimal digits as text. Names are unique, ignoring case."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class BulkTagging:
    """The answer to a bulk tagging: the tag, and the contacts that Intercom confirmed.

    `confirmed` is None up to API 2.15, where status 200 means all of them.
    """

    tag: Tag
    confirmed: frozenset[str] | None
    request_id: str | None


@dataclass
class Tags:
    """The tag calls that a sync needs. All raise IntercomError; see errors.py.

    With `listing_seconds`, one list of all tags answers for each of them, by id or name, as long as that: a
    call for a batch of many.
    """

    transport: Transport
    listing_seconds: float = 0.0
    _listed: Sequence[Tag] = field(default=(), init=False)
    _listed_until: float = field(default=0.0, init=False)

    def get(self, tag_id: str) -> Tag | None:
        """Read a tag; None if it was deleted, which no list is trusted to say."""
        if self.listing_seconds:
            for tag in self._all():
                if tag.id == tag_id:
                    return tag
        path = path_of("tag", tag_id)
        try:
            return answered_tag(f"GET {path}", self.transport.call("GET", path))
        except NotFoundError:
            return None

    def list(self) -> list[Tag]:
        """All tags of the workspace, which Intercom returns in one answer.

        Raises:
            UnreadableError: the answer has no list, or only a part of it.
        """
        answer = self.transport.call("GET", "/tags")
        items = answer.body.get("data")
        pages = answer.body.get("pages")
        if not isinstance(items, list) or (isinstance(pages, dict) and pages.get("next")):
            raise UnreadableError(
                "GET /tags: Intercom's answer is not the complete list of tags.",
                request_id=answer.request_id,
            )
        return [tag for item in items if (tag := _read_tag(item))]

    def find(self, name: str) -> Tag | None:
        """Find a tag by its name, ignoring case as Intercom does.

        Intercom was recorded to escape `&` in names of contacts as HTML, so tag names are compared both ways.
        """
        tags = self._all()
        wanted = _folded(name)
        for spelling in (str, html.unescape):
            for tag in tags:
                if _folded(spelling(tag.name)) == wanted:
                    return tag
        return None

    def _all(self) -> Sequence[Tag]:
        if time.monotonic() >= self._listed_until:
            self._listed = self.list()
            self._listed_until = time.monotonic() + self.listing_seconds
        return self._listed

    def create(self, name: str) -> Tag:
        """Create a tag; if one has that name, Intercom returns it unchanged."""
        tag = answered_tag("POST /tags", self.transport.call("POST", "/tags", json={"name": name}))
        # A batch of many new tags lists them once, not once after each.
        self._listed = [*(each for each in self._listed if each.id != tag.id), tag]
        return tag

    def rename(self, tag_id: str, name: str) -> Tag:
        """Rename a tag. What Intercom does if another tag has the name is undocumented, so check first."""
        self._listed_until = 0.0
        body = {"id": tag_id, "name": name}
        return answered_tag("POST /tags", self.transport.call("POST", "/tags", json=body))

    def delete(self, tag_id: str) -> None:
        """Delete a tag, which takes it off every contact; a deleted one stays deleted.

        Raises:
            RefusedError: a segment of Intercom uses it (400 `tag_has_dependent_objects`).
        """
        self._listed_until = 0.0
        try:
            self.transport.call("DELETE", path_of("tag", tag_id))
        except NotFoundError:
            return

    def tag_users(self, name: str, contact_ids: Sequence[str]) -> BulkTagging:
        """Tag up to 50 users with the tag of that name; tagging again is harmless.

        Raises:
            NotFoundError: up to API 2.15: one of the ids is unknown, and no contact was tagged.
        """
        body = {"name": name, "users": [{"id": contact_id} for contact_id in contact_ids]}
        answer = self.transport.call("POST", "/tags", json=body)
        return BulkTagging(
            answered_tag("POST /tags", answer),
            confirmed_contacts(answer.body.get("users")),
            answer.request_id,
        )

    def of_contact(self, contact_id: str) -> Sequence[Tag]:
        """The tags that a contact carries now; recorded to be right immediately after a write.

        Raises:
            NotFoundError: Intercom does not have the contact.
        """
        path = path_of("contact", contact_id, "tags")
        answer = self.transport.call("GET", path)
        items = answer.body.get("data")
        if not isinstance(items, list):
            raise UnreadableError(f"GET {path}: Intercom's answer has no list.", request_id=answer.request_id)
        return [tag for item in items if (tag := _read_tag(item))]

    def tag_contact(self, contact_id: str, tag_id: str) -> str | None:
        """Tag one contact; returns the request's id.

        Raises:
            NotFoundError: the contact or the tag is unknown.
            MergedError: the contact was merged into another one.
        """
        path = path_of("contact", contact_id, "tags")
        answer = self.transport.call("POST", path, json={"id": tag_id})
        return _confirmed_for(f"POST {path}", answer, tag_id)

    def untag_contact(self, contact_id: str, tag_id: str) -> str | None:
        """Untag one contact, whether or not it carries the tag; returns the request's id.

        Raises:
            NotFoundError: the contact or the tag is unknown.
            MergedError: the contact was merged into another one.
        """
        path = path_of("contact", contact_id) + path_of("tag", tag_id)
        return _confirmed_for(f"DELETE {path}", self.transport.call("DELETE", path), tag_id)


def confirmed_contacts(users: Any) -> frozenset[str] | None:
    """The contacts that a bulk answer reports as tagged; None if it does not mention contacts."""
    if not isinstance(users, list):
        return None
    ids = (read_id(user.get("id")) for user in users if isinstance(user, dict) and user.get("tagged"))
    return frozenset(contact_id for contact_id in ids if contact_id)


def _confirmed_for(call: str, answer: Answer, tag_id: str) -> str | None:
    """The request's id, if the answer shows the right tag, as documented and recorded for both calls.

    Any other answer says nothing about the contact. Reading it as a confirmation would lose the change.
    """
    if answered_tag(call, answer).id != tag_id:
        raise UnreadableError(f"{call}: Intercom's answer shows another tag.", request_id=answer.request_id)
    return answer.request_id


def answered_tag(call: str, answer: Answer) -> Tag:
    """The tag that an answer shows; `call` names it in errors.

    Raises:
        UnreadableError: it shows none.
    """
    tag = _read_tag(answer.body)
    if tag is None:
        raise UnreadableError(f"{call}: Intercom's answer is not a tag.", request_id=answer.request_id)
    return tag


def _read_tag(item: Any) -> Tag | None:
    """Read a tag from its JSON object; None without an id or a name."""
    if not isinstance(item, dict):
        return None
    tag_id, name = read_id(item.get("id")), item.get("name")
    return Tag(tag_id, name) if tag_id and isinstance(name, str) else None


def _folded(name: str) -> str:
    return name.strip().casefold()
