"""The emulator's own endpoints: seed, inspect, break, reset."""

from typing import Any

from dinmo_pipeline.emulator.call import Call, Response, json_response
from dinmo_pipeline.emulator.emulator import Emulator, Stats
from dinmo_pipeline.emulator.endpoints.contact_rules import check_types
from dinmo_pipeline.emulator.endpoints.views import WRITABLE
from dinmo_pipeline.emulator.errors import ApiError, user_not_found
from dinmo_pipeline.emulator.faults import Faults, InvalidFaultError, read_faults
from dinmo_pipeline.emulator.settings import InvalidSettingsError, as_json, changed
from dinmo_pipeline.emulator.workspace.records import Contact, NewContact


def create_contacts(emulator: Emulator, call: Call) -> Response:
    """`POST /_emulator/contacts`: a list of `{email, external_id, role, name, created_at, tags}`.

    All keys are optional; tags are names. Duplicate emails are allowed.
    """
    rows = call.json()
    if not isinstance(rows, list):
        raise _invalid("The body must be a list of contacts.")
    try:
        ids = emulator.store.create_many([_seed(row) for row in rows])
    except ValueError as error:
        raise _invalid(str(error)) from error
    return json_response({"created": len(ids), "ids": ids})


def show_contact(emulator: Emulator, call: Call) -> Response:
    """`GET /_emulator/contacts/{id}`: a contact in any state, with its tags by name."""
    contact = emulator.store.live.get(call.path["id"])
    if contact is None:
        raise user_not_found()
    tags = [
        {"id": tag.id, "name": tag.name, "applied_at": applied_at}
        for key, applied_at in contact.tags.items()
        if (tag := emulator.store.get_tag(key))
    ]
    return json_response(
        _summary(contact)
        | {
            "name": contact.name,
            "state": contact.state,
            "merged_into": contact.merged_into,
            "created_at": contact.created_at,
            "updated_at": contact.updated_at,
            "tags": tags,
        }
    )


def tagged_contacts(emulator: Emulator, call: Call) -> Response:
    """`GET /_emulator/tags/{name}/contacts`: all contacts with a tag, without index lag or pages."""
    tag = emulator.store.tag_named(call.path["name"])
    if tag is None:
        return json_response({"tag": None, "contacts": []})
    contacts = [_summary(contact) for contact in emulator.store.tagged(tag)]
    return json_response({"tag": {"id": tag.id, "name": tag.name}, "contacts": contacts})


def stats(emulator: Emulator, call: Call) -> Response:
    """`GET /_emulator/stats`; `?reset=1` sets the counters to zero afterwards."""
    counted = emulator.stats
    response = json_response(
        {
            "calls": dict(counted.calls),
            "statuses": dict(counted.statuses),
            "contacts": emulator.store.live.live_count,
            "tags": len(emulator.store.tags()),
            "contacts_created_by_api": counted.contacts_created,
            "rate": {
                "limit": emulator.settings.rate_limit,
                "windows": counted.max_in_window,
                "refused": counted.refused,
            },
        }
    )
    if call.query.get("reset") == "1":
        emulator.stats = Stats()
    return response


def set_faults(emulator: Emulator, call: Call) -> Response:
    """`POST /_emulator/faults`: replace the fault rules; `[]` clears them."""
    try:
        faults = read_faults(call.json())
    except InvalidFaultError as error:
        raise _invalid(str(error)) from error
    emulator.faults = Faults(faults)
    return json_response({"faults": len(faults)})


def reset(emulator: Emulator, call: Call) -> Response:
    """`POST /_emulator/reset`: empty the workspace; the body changes settings."""
    try:
        settings = changed(emulator.settings, call.json_object())
    except InvalidSettingsError as error:
        raise _invalid(str(error)) from error
    emulator.reset(settings)
    # The token is a secret here too.
    return json_response({"settings": as_json(settings) | {"token": settings.token is not None}})


def _seed(row: Any) -> NewContact:
    if not isinstance(row, dict):
        raise _invalid(f"A contact must be an object, not {row!r}.")
    check_types(row)
    fields = {name: value for name, value in row.items() if name in NewContact._fields}
    attributes = {name: value for name, value in row.items() if name in WRITABLE}
    if unknown := row.keys() - fields.keys() - attributes.keys():
        raise _invalid(f"{', '.join(sorted(unknown))} cannot be set on a contact.")
    names = fields.get("tags", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _invalid(f"tags must be a list of names, not {names!r}.")
    fields |= {"tags": tuple(names), "role": fields.get("role") or "user"}
    return NewContact(**fields | {"attributes": attributes})


def _summary(contact: Contact) -> dict[str, Any]:
    return {
        "id": contact.id,
        "email": contact.email,
        "external_id": contact.external_id,
        "role": contact.role,
    }


def _invalid(message: str) -> ApiError:
    return ApiError(400, "parameter_invalid", message)
