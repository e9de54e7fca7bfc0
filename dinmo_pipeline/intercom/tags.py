"""Tags: found, named, put on many users in one call, and taken off one by one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from dinmo_pipeline.intercom.errors import NotFoundError
from dinmo_pipeline.intercom.transport import Transport

BULK_SIZE = 50  # users in one tagging call; documented for 1.x, silent since


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag; `id` is decimal digits as text. Names are unique regardless of case."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class BulkTagging:
    """The answer to a bulk tagging: the tag it went to, and the contacts it confirmed.

    `confirmed` is None up to API 2.15, whose 200 means all of them.
    """

    tag: Tag
    confirmed: frozenset[str] | None
    request_id: str | None


@dataclass
class Tags:
    """The tag calls that a sync needs."""

    transport: Transport

    def get(self, tag_id: str) -> Tag | None:
        """The tag, or None when it was deleted."""
        try:
            return _read_tag(self.transport.call("GET", f"/tags/{quote(tag_id, safe='')}").body)
        except NotFoundError:
            return None

    def list(self) -> list[Tag]:
        """All tags of the workspace; Intercom gives them in one answer."""
        return [_read_tag(item) for item in self.transport.call("GET", "/tags").body["data"]]

    def find(self, name: str) -> Tag | None:
        """The tag of that name, compared without case as Intercom does."""
        wanted = name.strip().casefold()
        return next((tag for tag in self.list() if tag.name.strip().casefold() == wanted), None)

    def create(self, name: str) -> Tag:
        """Make a tag; an existing one of that name is returned as it is."""
        return _read_tag(self.transport.call("POST", "/tags", json={"name": name}).body)

    def rename(self, tag_id: str, name: str) -> Tag:
        """Give a tag another name. What happens on another tag's name is undocumented: look first."""
        body = {"id": tag_id, "name": name}
        return _read_tag(self.transport.call("POST", "/tags", json=body).body)

    def tag_users(self, name: str, contact_ids: Sequence[str]) -> BulkTagging:
        """Put the tag of that name on up to 50 users; tagging twice is harmless.

        Raises:
            NotFoundError: up to API 2.15, one of the ids is unknown, and nobody was tagged.
        """
        body = {"name": name, "users": [{"id": contact_id} for contact_id in contact_ids]}
        answer = self.transport.call("POST", "/tags", json=body)
        users = answer.body.get("users")
        confirmed = (
            frozenset(str(user["id"]) for user in users if user.get("tagged"))
            if isinstance(users, list)
            else None
        )
        return BulkTagging(_read_tag(answer.body), confirmed, answer.request_id)

    def tag_contact(self, contact_id: str, tag_id: str) -> str | None:
        """Put a tag on one contact; the request's id.

        Raises:
            NotFoundError: the contact or the tag is unknown; MergedError: it lives on elsewhere.
        """
        path = f"/contacts/{quote(contact_id, safe='')}/tags"
        return self.transport.call("POST", path, json={"id": tag_id}).request_id

    def untag_contact(self, contact_id: str, tag_id: str) -> str | None:
        """Take a tag off one contact, also when it does not carry it; the request's id.

        Raises:
            NotFoundError: the contact or the tag is unknown; MergedError: it lives on elsewhere.
        """
        path = f"/contacts/{quote(contact_id, safe='')}/tags/{quote(tag_id, safe='')}"
        return self.transport.call("DELETE", path).request_id


def _read_tag(body: Any) -> Tag:
    return Tag(str(body["id"]), str(body["name"]))
