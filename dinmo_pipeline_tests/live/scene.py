"""The contacts and tags of one run: created with names that people recognise, and deleted at the end."""

import html
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dinmo_pipeline_tests.live.api import Answer, Api, WorkspaceError

PREFIX = "dinmo-live"
# Looks like a contact's id, but cannot be one: an id begins with the time of creation.
UNKNOWN_ID = "{:024x}"


@dataclass(frozen=True, slots=True)
class Person:
    """A contact of this run, with the email that was sent and the one that Intercom stored."""

    id: str
    email: str
    stored_email: str | None


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of this run, with the name that was sent."""

    id: str
    name: str


@dataclass
class Scene:
    """What a run has created. Every call that creates something goes through here, so that it is deleted.

    Attributes:
        contact_ids: Contacts to delete at the end; a merged one no longer exists.
        gone_ids: Contacts that were merged or archived.
        tag_ids: Tags to delete at the end; their names in Intercom, by id.
    """

    api: Api
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    contact_ids: list[str] = field(default_factory=list)
    gone_ids: list[str] = field(default_factory=list)
    tag_ids: dict[str, str] = field(default_factory=dict)

    def email(self, label: str) -> str:
        """An address that belongs to nobody: the domain is reserved for examples."""
        return f"{PREFIX}-{self.run}-{label}@example.com"

    def tag_name(self, label: str) -> str:
        """The name of a tag."""
        return f"{PREFIX}-{self.run} {label}"

    def create(self, **attributes: Any) -> tuple[Answer, Person | None]:
        """Create a contact; None if Intercom refuses."""
        answer = self.api.post("/contacts", attributes)
        if not answer.ok:
            return answer, None
        contact_id = str(answer.body["id"])
        self.contact_ids.append(contact_id)
        return answer, Person(contact_id, attributes["email"], answer.body.get("email"))

    def person(self, **attributes: Any) -> Person:
        """Create a contact that the run needs.

        Raises:
            WorkspaceError: Intercom refuses.
        """
        answer, person = self.create(**attributes)
        if person is None:
            raise WorkspaceError(f"POST /contacts: {answer.words}")
        return person

    def merge(self, lead: Person, into: Person) -> Answer:
        """Merge a lead into a user with another email; the lead then need not be deleted."""
        body = {"from": lead.id, "into": into.id, "skip_duplicate_validation": True}
        answer = self.api.post("/contacts/merge", body)
        if answer.ok:
            self.contact_ids.remove(lead.id)
            self.gone_ids.append(lead.id)
        return answer

    def archive(self, person: Person) -> Answer:
        """Archive a contact; if the answer is lost, it counts as archived."""
        self.gone_ids.append(person.id)
        answer = self.api.post(f"/contacts/{person.id}/archive", {})
        if not answer.ok:
            self.gone_ids.remove(person.id)
        return answer

    def write_tag(self, body: Mapping[str, Any], **options: Any) -> Answer:
        """`POST /tags`; the tag is deleted at the end."""
        answer = self.api.post("/tags", body, **options)
        if answer.ok and str(answer.body.get("name", "")).lower().startswith(PREFIX):
            self.tag_ids[str(answer.body["id"])] = str(answer.body["name"])
        return answer

    def try_tag(self, body: Mapping[str, Any], person: Person) -> Answer:
        """`POST /tags` that may be refused; the tag is then put only on `person`.

        Documented up to 2.15: a refused call may have created the tag. Only a successful answer has the
        id, which is needed to delete it.
        """
        answer = self.write_tag(body)
        if not answer.ok:
            self.write_tag(bulk(body["name"], [person.id]))
        return answer

    def tag(self, label: str, person: Person) -> Tag:
        """Create a tag that the run needs, and put it on a contact.

        Raises:
            WorkspaceError: Intercom refuses.
        """
        name = self.tag_name(label)
        answer = self.write_tag(bulk(name, [person.id]))
        if not answer.ok:
            raise WorkspaceError(f"POST /tags: {answer.words}")
        return Tag(str(answer.body["id"]), name)

    def delete_tag(self, tag: Tag) -> Answer:
        """Delete a tag now; if that fails, it is tried again at the end."""
        answer = self.api.delete(f"/tags/{tag.id}")
        if answer.ok:
            self.tag_ids.pop(tag.id, None)
        return answer

    def tags_of(self, person: Person) -> dict[str, str]:
        """The names of a contact's tags by id, without index lag; some answers escape `&` as HTML.

        Raises:
            WorkspaceError: Intercom refuses; an empty result would look like no tags.
        """
        answer = self.api.get(f"/contacts/{person.id}/tags")
        if not answer.ok:
            raise WorkspaceError(f"GET /contacts/{person.id}/tags: {answer.words}")
        return {str(tag.get("id")): str(tag.get("name")) for tag in answer.items()}

    def clean_up(self) -> list[str]:
        """Delete all contacts and tags of the run; what could not be deleted, in words."""
        problems = []
        paths = [f"/contacts/{one}" for one in self.contact_ids]
        paths += [f"/tags/{one}" for one in self.tag_ids]
        for path in paths:
            try:
                answer = self._delete(path)
            except WorkspaceError as error:
                problems.append(str(error))
                continue
            # 404 and 410: a contact that was merged, though the answer was lost.
            if answer.status not in (200, 404, 410):
                problems.append(f"DELETE {path}: {answer.words}")
        return problems

    def _delete(self, path: str) -> Answer:
        """Delete; restore an archived contact only if necessary, which nobody has recorded."""
        answer = self.api.delete(path)
        if not answer.ok and path.removeprefix("/contacts/") in self.gone_ids:
            self.api.post(f"{path}/unarchive", {})
            answer = self.api.delete(path)
        return answer


def bulk(name: str, contact_ids: list[str]) -> dict[str, Any]:
    """The body that puts a tag on contacts, and creates the tag if it is missing."""
    return {"name": name, "users": [{"id": one} for one in contact_ids]}


def confirmed(answer: Answer) -> set[str]:
    """The ids that a bulk answer lists as tagged, read as the client reads them."""
    return {str(one.get("id")) for one in answer.items("users") if one.get("tagged")}


def is_same_name(shown: str, name: str) -> bool:
    """Whether two names are the same; some answers of Intercom escape `&` as HTML."""
    return html.unescape(shown) == name
