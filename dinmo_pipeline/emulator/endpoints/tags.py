"""The endpoints of tags, and of tags on contacts."""

from collections.abc import Callable
from typing import Any, NamedTuple

from dinmo_pipeline.emulator.call import Call, Response, json_response
from dinmo_pipeline.emulator.choices import UntagTrue
from dinmo_pipeline.emulator.emulator import Emulator
from dinmo_pipeline.emulator.endpoints import contact_rules as rules
from dinmo_pipeline.emulator.endpoints.views import applied_tag_view, tag_list_view, tag_view
from dinmo_pipeline.emulator.errors import (
    ApiError,
    invalid_tag,
    resource_not_found,
    user_not_found,
)
from dinmo_pipeline.emulator.workspace.records import Contact, Tag


class UserEntry(NamedTuple):
    """A user in a bulk call."""

    id: str
    untag: bool


def list_tags(emulator: Emulator, _call: Call) -> Response:
    """`GET /tags`: all tags in one response."""
    return json_response(tag_list_view(map(tag_view, emulator.store.tags())))


def show(emulator: Emulator, call: Call) -> Response:
    """`GET /tags/{id}`."""
    return json_response(tag_view(_tag(emulator, call.path["id"])))


def delete(emulator: Emulator, call: Call) -> Response:
    """`DELETE /tags/{id}`; the response has no documented body."""
    emulator.store.delete_tag(_tag(emulator, call.path["id"]))
    return Response(b"")


def write(emulator: Emulator, call: Call) -> Response:
    """`POST /tags`: create, rename, or tag in bulk."""
    body = call.json_object()
    name = body.get("name")
    if not isinstance(name, str) or not name.strip():
        raise invalid_tag()
    if "users" in body and "companies" in body:
        raise invalid_tag()
    if "users" in body:
        entries = user_entries(body["users"], emulator.settings.untag_true)
        return _tag_users(emulator, call, name, entries)
    if "companies" in body:
        return _tag_companies(emulator, call, name)
    if body.get("id") is not None:
        # Some official examples send the id as a number.
        return _rename(emulator, _tag(emulator, str(body["id"])), name)
    return json_response(tag_view(emulator.store.ensure_tag(name)))


def list_of_contact(emulator: Emulator, call: Call) -> Response:
    """`GET /contacts/{id}/tags`: a contact's tags, in the order they were applied."""
    contact = rules.live(emulator.store.live.get(call.path["id"]))
    tags = ((emulator.store.get_tag(key), at) for key, at in contact.tags.items())
    return json_response(tag_list_view(applied_tag_view(tag, at) for tag, at in tags if tag))


def add(emulator: Emulator, call: Call) -> Response:
    """`POST /contacts/{id}/tags`. Assumed: a second time changes nothing."""
    contact = rules.live(emulator.store.live.get(call.path["id"]))
    tag_id = call.json_object().get("id")
    if not isinstance(tag_id, str | int):
        raise ApiError(400, "parameter_missing", "id is required")
    tag = _tag(emulator, str(tag_id))
    contact = emulator.store.tag(contact, tag)
    return json_response(applied_tag_view(tag, contact.tags[tag.id]))


def remove(emulator: Emulator, call: Call) -> Response:
    """`DELETE /contacts/{id}/tags/{tag_id}`.

    Documented: if the tag is not applied, the response is 200 with a null `applied_at`. The setting
    `untag_missing` turns that into a 404, which nobody has recorded.
    """
    contact = rules.live(emulator.store.live.get(call.path["id"]))
    tag = _tag(emulator, call.path["tag_id"])
    applied_at = contact.tags.get(tag.id)
    if applied_at is None and emulator.settings.untag_missing == "not_found":
        raise resource_not_found()
    emulator.store.untag(contact, tag)
    return json_response(applied_tag_view(tag, applied_at))


def user_entries(raw: Any, untag_true: UntagTrue) -> list[UserEntry]:
    """Read the `users` of `POST /tags`, without duplicates.

    Args:
        raw: A list of `{"id": …}`.
        untag_true: What `"untag": true` in an entry does.

    Raises:
        ApiError: 400 `parameter_invalid`: the list is malformed, or `untag` is refused.
    """
    if not isinstance(raw, list):
        raise invalid_tag()
    entries: dict[str, UserEntry] = {}
    for item in raw:
        if not isinstance(item, dict) or not isinstance(item.get("id"), str):
            raise invalid_tag()
        untag = item.get("untag") is True
        if untag and untag_true == "reject":
            raise invalid_tag()
        entries[item["id"]] = UserEntry(item["id"], untag=untag and untag_true == "honour")
    return list(entries.values())


def _tag_users(emulator: Emulator, call: Call, name: str, entries: list[UserEntry]) -> Response:
    """Tag users in bulk.

    Documented up to 2.15: one unknown id makes the call a 404; nobody is tagged, but the tag exists by
    then. From 2.16 on, unknown ids are skipped and the response lists the others.
    """
    tag = emulator.store.ensure_tag(name)
    found = [(entry, emulator.store.live.get(entry.id)) for entry in entries]
    present = [(entry, user) for entry, user in found if user and user.state == "live"]
    skips = call.at_least("2.16")
    if len(present) < len(found) and not skips:
        raise user_not_found()
    for entry, user in present:
        apply: Callable[[Contact, Tag], Contact] = emulator.store.untag if entry.untag else emulator.store.tag
        apply(user, tag)
    if not skips:
        return json_response(tag_view(tag))
    users = [{"id": entry.id, "tagged": not entry.untag} for entry, _ in present]
    return json_response(tag_view(tag) | {"users": users, "companies": []})


def _tag_companies(emulator: Emulator, call: Call, name: str) -> Response:
    """Tag companies; the emulated workspace has none, so each is unknown."""
    tag = emulator.store.ensure_tag(name)
    if not call.at_least("2.16"):
        raise ApiError(404, "company_not_found", "Company Not Found")
    return json_response(tag_view(tag) | {"users": [], "companies": []})


def _rename(emulator: Emulator, tag: Tag, name: str) -> Response:
    """Rename a tag. Assumed: the name of another tag is refused."""
    holder = emulator.store.tag_named(name)
    if holder is not None and holder.id != tag.id:
        raise invalid_tag()
    return json_response(tag_view(emulator.store.rename_tag(tag, name)))


def _tag(emulator: Emulator, tag_id: str) -> Tag:
    tag = emulator.store.get_tag(tag_id)
    if tag is None:
        raise resource_not_found()
    return tag
