"""The contacts and tags of one run: made here, named so that a person recognises them, deleted at the end."""

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


@dataclass
class Scene:
    """What a run has made. Every call that makes something goes through here, so that it is deleted."""

    api: Api
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    contact_ids: list[str] = field(default_factory=list)
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

    def write_tag(self, body: Mapping[str, Any], **options: Any) -> Answer:
        """`POST /tags`: whatever tag it makes is deleted at the end."""
        answer = self.api.post("/tags", body, **options)
        if answer.ok and str(answer.body.get("name", "")).lower().startswith(PREFIX):
            self.tag_ids[str(answer.body["id"])] = str(answer.body["name"])
        return answer

    def tag(self, label: str, *people: Person) -> str:
        """Make a tag and put it on people; its id.

        Raises:
            WorkspaceError: Intercom refuses.
        """
        answer = self.write_tag(bulk(self.tag_name(label), [person.id for person in people]))
        if not answer.ok:
            raise WorkspaceError(f"POST /tags: {answer.words}")
        return str(answer.body["id"])

    def delete_tag(self, tag_id: str) -> Answer:
        """Delete a tag of this run now; at the end again, if it is still there."""
        answer = self.api.delete(f"/tags/{tag_id}")
        if answer.ok:
            self.tag_ids.pop(tag_id, None)
        return answer

    def tags_of(self, person: Person) -> list[Mapping[str, Any]]:
        """The tags of a contact, read after write."""
        return self.api.get(f"/contacts/{person.id}/tags").items()

    def clean_up(self) -> list[str]:
        """Delete all contacts and tags of the run; what could not be deleted, in words."""
        left = []
        paths = [f"/contacts/{one}" for one in self.contact_ids]
        paths += [f"/tags/{one}" for one in self.tag_ids]
        for path in paths:
            try:
                answer = self.api.delete(path)
            except WorkspaceError as error:
                left.append(str(error))
                continue
            # A contact that was merged is gone; a tag that was renamed into another may be.
            if answer.status not in (200, 404, 410):
                left.append(f"DELETE {path}: {answer.words}")
        return left


def bulk(name: str, contact_ids: list[str]) -> dict[str, Any]:
    """The body that puts a tag on contacts, and makes it if there is none."""
    return {"name": name, "users": [{"id": one} for one in contact_ids]}
