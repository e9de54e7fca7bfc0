"""The endpoints of single contacts."""

from collections.abc import Callable
from typing import Any

from dinmo_pipeline.emulator.call import Call, Response, json_response
from dinmo_pipeline.emulator.emulator import Emulator
from dinmo_pipeline.emulator.endpoints import contact_rules as rules
from dinmo_pipeline.emulator.endpoints.views import contact_json
from dinmo_pipeline.emulator.errors import contact_merged, user_not_found
from dinmo_pipeline.emulator.workspace.records import Contact


def create(emulator: Emulator, call: Call) -> Response:
    """`POST /contacts`."""
    new = rules.new_contact(call.json_object())
    rules.check_no_conflict(new, emulator.store.live)
    contact = emulator.store.create(new)
    emulator.stats.contacts_created += 1
    return _response(emulator, call, contact)


def show(emulator: Emulator, call: Call) -> Response:
    """`GET /contacts/{id}`."""
    contact = emulator.store.live.get(call.path["id"])
    return _response(emulator, call, _present(emulator, call, contact))


def find_by_external_id(emulator: Emulator, call: Call) -> Response:
    """`GET /contacts/find_by_external_id/{external_id}`; it finds users, and leads merged into them."""
    contact = emulator.store.live.with_external_id(call.path["external_id"])
    contact = _present(emulator, call, contact)
    if contact.role == "lead":
        raise user_not_found()
    return _response(emulator, call, contact)


def update(emulator: Emulator, call: Call) -> Response:
    """`PUT /contacts/{id}`. Recorded: if nothing changes, `updated_at` stays."""
    contact = rules.live(emulator.store.live.get(call.path["id"]))
    changed = rules.changes(contact, call.json_object(), emulator.store.live)
    if changed:
        contact = emulator.store.replace(contact, **changed)
    return _response(emulator, call, contact)


def delete(emulator: Emulator, call: Call) -> Response:
    """`DELETE /contacts/{id}`: delete permanently; an archived contact can be deleted too."""
    contact = emulator.store.live.get(call.path["id"])
    if contact is None or contact.state in ("deleted", "merged"):
        raise user_not_found()
    emulator.store.replace(contact, state="deleted")
    return json_response(_reference(contact) | {"deleted": True})


def archive(emulator: Emulator, call: Call) -> Response:
    """`POST /contacts/{id}/archive`. Recorded: a second time is 200 again."""
    contact = emulator.store.live.get(call.path["id"])
    if contact is not None and contact.state == "archived":
        return json_response(_reference(contact) | {"archived": True})
    archived = emulator.store.replace(rules.live(contact), state="archived")
    return json_response(_reference(archived) | {"archived": True})


def unarchive(emulator: Emulator, call: Call) -> Response:
    """`POST /contacts/{id}/unarchive`."""
    contact = rules.check_restorable(emulator.store.live.get(call.path["id"]))
    if contact.state == "archived":
        emulator.store.replace(contact, state="live")
    return json_response(_reference(contact) | {"archived": False})


def merge(emulator: Emulator, call: Call) -> Response:
    """`POST /contacts/merge`: merge a lead into a user, which also gets the lead's tags."""
    body = call.json_object()
    source, target = (rules.live(emulator.store.live.get(str(body.get(name)))) for name in ("from", "into"))
    needs_duplicate = call.at_least("2.16") and body.get("skip_duplicate_validation") is not True
    filled = rules.merged_fields(source, target, needs_duplicate=needs_duplicate)
    return _response(emulator, call, emulator.store.merge(source, target, **filled))


def encoder(
    emulator: Emulator, call: Call, encode: Callable[..., str] = contact_json
) -> Callable[[Contact], str]:
    """The encoder that a call asks for: from 2.16 on, `include_merge_history` adds merges to users."""
    workspace_id = emulator.settings.workspace_id
    with_history = call.at_least("2.16") and call.query.get("include_merge_history") == "true"

    def encoded(contact: Contact) -> str:
        history = with_history and contact.role == "user"
        merges = emulator.store.merges_into(contact.id) if history else None
        return encode(contact, workspace_id, merges)

    return encoded


def _response(emulator: Emulator, call: Call, contact: Contact) -> Response:
    return Response(encoder(emulator, call)(contact).encode())


def _present(emulator: Emulator, call: Call, contact: Contact | None) -> Contact:
    if contact is not None and contact.state == "merged" and call.at_least("2.16"):
        raise contact_merged(emulator.store.canonical_id(contact))
    return rules.live(contact)


def _reference(contact: Contact) -> dict[str, Any]:
    return {"type": "contact", "id": contact.id, "external_id": contact.external_id}
