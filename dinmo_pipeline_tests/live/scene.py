"""The contacts and tags of one run: made here, named so that a person recognises them, deleted at the end."""

import html
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dinmo_pipeline_tests.live.api import Answer, Api, WorkspaceError

PREFIX = "dinmo-live"
# 24 hexadecimal digits like a contact's id, but nobody's: an id begins with the time of creation.
NOBODY = "{:024x}"


@dataclass(frozen=True, slots=True)
class Person:
    """A contact of this run, and the email it was created with."""

    id: str
    email: str
    stored_email: str | None


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of this run, and the name it was made with."""

    id: str
    name: str


@dataclass
class Scene:
    """What a run has made. Every call that makes something goes through here, so that it is deleted.

    Attributes:
        contact_ids: contacts to delete at the end; not the one that was merged, which is gone.
        gone_ids: contacts that were merged or archived.
        tag_ids: tags to delete at the end, with the names they were answered with.
    """

    api: Api
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    contact_ids: list[str] = field(default_factory=list)
    gone_ids: list[str] = field(default_factory=list)
    tag_ids: dict[str, str] = field(default_factory=dict)

    def email(self, label: str) -> str:
        """An address that is nobody's: the domain is reserved for examples."""
        return f"{PREFIX}-{self.run}-{label}@example.com"

    def tag_name(self, label: str) -> str:
        """A tag's name."""
        return f"{PREFIX}-{self.run} {label}"

    def create(self, **attributes: Any) -> tuple[Answer, Person | None]:
        """Create a contact; None when Intercom refuses."""
        answer = self.api.post("/contacts", attributes)
        if not answer.ok:
            return answer, None
        contact_id = str(answer.body["id"])
        self.contact_ids.append(contact_id)
        return answer, Person(contact_id, attributes["email"], answer.body.get("email"))

    def person(self, **attributes: Any) -> Person:
        """Create a contact that the run cannot do without.

        Raises:
            WorkspaceError: Intercom refuses.
        """
        answer, person = self.create(**attributes)
        if person is None:
            raise WorkspaceError(f"POST /contacts: {answer.words}")
        return person

    def merge(self, lead: Person, into: Person) -> Answer:
        """Merge a lead into a user of another email; then there is one contact less to delete."""
        body = {"from": lead.id, "into": into.id, "skip_duplicate_validation": True}
        answer = self.api.post("/contacts/merge", body)
        if answer.ok:
            self.contact_ids.remove(lead.id)
            self.gone_ids.append(lead.id)
        return answer

    def archive(self, person: Person) -> Answer:
        """Archive a contact; it counts as gone also when the answer is lost on its way."""
        self.gone_ids.append(person.id)
        answer = self.api.post(f"/contacts/{person.id}/archive", {})
        if not answer.ok:
            self.gone_ids.remove(person.id)
        return answer

    def write_tag(self, body: Mapping[str, Any], **options: Any) -> Answer:
        """`POST /tags`: whatever tag it makes is deleted at the end."""
        answer = self.api.post("/tags", body, **options)
        if answer.ok and str(answer.body.get("name", "")).lower().startswith(PREFIX):
            self.tag_ids[str(answer.body["id"])] = str(answer.body["name"])
        return answer

    def try_tag(self, body: Mapping[str, Any], person: Person) -> Answer:
        """`POST /tags` that may be refused; the tag is then put on `person` alone.

        A call that is refused may have made the tag, as documented up to 2.15, and only an answer
        tells the id to delete it by.
        """
        answer = self.write_tag(body)
        if not answer.ok:
            self.write_tag(bulk(body["name"], [person.id]))
        return answer

    def tag(self, label: str, person: Person) -> Tag:
        """Make a tag that the run cannot do without, and put it on a contact.

        Raises:
            WorkspaceError: Intercom refuses.
        """
        name = self.tag_name(label)
        answer = self.write_tag(bulk(name, [person.id]))
        if not answer.ok:
            raise WorkspaceError(f"POST /tags: {answer.words}")
        return Tag(str(answer.body["id"]), name)

    def delete_tag(self, tag: Tag) -> Answer:
        """Delete a tag of this run now; at the end again, if it is still there."""
        answer = self.api.delete(f"/tags/{tag.id}")
        if answer.ok:
            self.tag_ids.pop(tag.id, None)
        return answer

    def tags_of(self, person: Person) -> dict[str, str]:
        """Names by id of the tags of a contact, read after write; some answers escape `&` as HTML.

        Raises:
            WorkspaceError: Intercom refuses; no tags would be taken for an answer.
        """
        answer = self.api.get(f"/contacts/{person.id}/tags")
        if not answer.ok:
            raise WorkspaceError(f"GET /contacts/{person.id}/tags: {answer.words}")
        return {str(tag.get("id")): str(tag.get("name")) for tag in answer.items()}

    def clean_up(self) -> list[str]:
        """Delete all contacts and tags of the run; what could not be deleted, in words."""
        left = []
        paths = [f"/contacts/{one}" for one in self.contact_ids]
        paths += [f"/tags/{one}" for one in self.tag_ids]
        for path in paths:
            try:
                answer = self._delete(path)
            except WorkspaceError as error:
                left.append(str(error))
                continue
            # One whose merge lost its answer is gone.
            if answer.status not in (200, 404, 410):
                left.append(f"DELETE {path}: {answer.words}")
        return left

    def _delete(self, path: str) -> Answer:
        """Delete; an archived contact is restored for it only if it must be, which nobody recorded."""
        answer = self.api.delete(path)
        if not answer.ok and path.removeprefix("/contacts/") in self.gone_ids:
            self.api.post(f"{path}/unarchive", {})
            answer = self.api.delete(path)
        return answer


def bulk(name: str, contact_ids: list[str]) -> dict[str, Any]:
    """The body that puts a tag on contacts, and makes it if there is none."""
    return {"name": name, "users": [{"id": one} for one in contact_ids]}


def confirmed(answer: Answer) -> set[str]:
    """The contacts that a bulk answer says were tagged, as the client reads it."""
    return {str(one.get("id")) for one in answer.items("users") if one.get("tagged")}


def is_same_name(shown: str, name: str) -> bool:
    """As the client compares: some answers of Intercom escape `&` as HTML."""
    return html.unescape(shown) == name
