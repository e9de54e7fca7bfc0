"""What Intercom lets a person do to contacts: create, change, merge, restore."""

from collections.abc import Mapping
from typing import Any, Final

from dinmo_pipeline.emulator.endpoints.views import WRITABLE
from dinmo_pipeline.emulator.errors import ApiError, user_not_found
from dinmo_pipeline.emulator.workspace.index import Index
from dinmo_pipeline.emulator.workspace.records import Contact, NewContact, email_key

_TYPES: Final[Mapping[str, tuple[type, str]]] = {
    **dict.fromkeys(
        ("email", "external_id", "name", "phone", "owner_id", "avatar"), (str, "a string")
    ),
    **dict.fromkeys(("created_at", "signed_up_at", "last_seen_at"), (int, "Unix seconds")),
    "unsubscribed_from_emails": (bool, "true or false"),
    "custom_attributes": (dict, "an object"),
}


def live(contact: Contact | None) -> Contact:
    """A contact that can be used.

    Raises:
        ApiError: 404 "User Not Found"; recorded at once after archiving and deleting.
    """
    if contact is None or contact.state != "live":
        raise user_not_found()
    return contact


def check_types(body: Mapping[str, Any]) -> None:
    """Refuse attributes of a contact that have a wrong type; null is of any type.

    Raises:
        ApiError: 400 `parameter_invalid`, which names the attribute.
    """
    for name, (expected, described) in _TYPES.items():
        if not isinstance(body.get(name), expected | None):
            raise ApiError(400, "parameter_invalid", f"{name} must be {described}")
    if body.get("role") not in (None, "user", "lead"):
        raise ApiError(400, "parameter_invalid", "role must be user or lead")


def new_contact(body: Mapping[str, Any]) -> NewContact:
    """Read the body of `POST /contacts`.

    Raises:
        ApiError: 400: it has none of email, external_id and role, or a value of a wrong type.
    """
    check_types(body)
    if not any(body.get(name) for name in ("email", "external_id", "role")):
        raise ApiError(400, "parameter_missing", "email, external_id or role is required")
    return NewContact(
        email=body.get("email"),
        external_id=body.get("external_id"),
        role=body.get("role") or "user",
        name=body.get("name"),
        signed_up_at=body.get("signed_up_at"),
        attributes={name: body[name] for name in WRITABLE if name in body},
    )


def check_no_conflict(new: NewContact, contacts: Index) -> None:
    """Refuse a user that exists already.

    Recorded: also an archived or a permanently deleted user conflicts; a lead never does. That an
    email conflicts only when the new user has no external id is an assumption: users with
    different external ids may share an email.

    Raises:
        ApiError: 409 `conflict`.
    """
    if new.role == "lead":
        return
    if new.external_id is not None:
        same = contacts.with_external_id(new.external_id)
        matches = [] if same is None else [same]
    else:
        sharing = contacts.with_email(new.email) if new.email else []
        matches = [other for other in sharing if other.role == "user"]
    for match in sorted(matches, key=lambda other: other.state != "live"):
        kind = "A" if match.state == "live" else "An archived"
        raise ApiError(
            409,
            "conflict",
            f"{kind} contact matching those details already exists with id={match.id}",
        )


def changes(contact: Contact, body: Mapping[str, Any], contacts: Index) -> dict[str, Any]:
    """What `PUT /contacts/{id}` changes, by field name of `Contact`; empty when nothing.

    Recorded: a lead becomes a user and gets the external id that is given; the external id of a
    lead that stays one is ignored, and so is null; an email may be another user's; an email set
    to null becomes "".

    Raises:
        ApiError: 400 `client_error` for a user that should become a lead; 409 `conflict` for an
            external id that is taken; 400 `parameter_invalid` for a value of a wrong type.
    """
    check_types(body)
    role = body.get("role") or contact.role
    if contact.role == "user" and role == "lead":
        raise ApiError(400, "client_error", "Contact with user role can't be converted to a lead")
    wanted: dict[str, Any] = {"role": role}
    wanted |= {name: body[name] for name in ("name", "signed_up_at") if name in body}
    if "email" in body:
        wanted["email"] = body["email"] or ("" if contact.email else contact.email)
    if body.get("external_id") and role == "user":
        wanted["external_id"] = _free(body["external_id"], contact, contacts)
    written = {name: body[name] for name in WRITABLE if name in body}
    if "custom_attributes" in written:
        before = contact.attributes.get("custom_attributes", {})
        written["custom_attributes"] = {**before, **(written["custom_attributes"] or {})}
    wanted["attributes"] = {**contact.attributes, **written}
    return {name: value for name, value in wanted.items() if getattr(contact, name) != value}


def merged_fields(source: Contact, target: Contact, *, needs_duplicate: bool) -> dict[str, Any]:
    """What the user takes over from the lead that is merged into it: what it lacks itself.

    Args:
        source: The contact to merge.
        target: The contact to merge it into.
        needs_duplicate: Refuse contacts that share neither email nor phone, as from 2.16 on.

    Raises:
        ApiError: 400: it is not a lead into a user, or they are no duplicates.
    """
    if source.role != "lead" or target.role != "user":
        raise ApiError(400, "parameter_invalid", "A lead can only be merged into a user")
    if needs_duplicate and not _duplicates(source, target):
        raise ApiError(
            400,
            "invalid_merge",
            "Contacts can only be merged when they are duplicates (matching email or phone). "
            "Pass skip_duplicate_validation=true to override this check.",
        )
    return {
        "email": target.email or source.email,
        "name": target.name or source.name,
        "attributes": {**source.attributes, **target.attributes},
    }


def check_restorable(contact: Contact | None) -> Contact:
    """A contact that can be unarchived.

    Raises:
        ApiError: 404 for an unknown one; 400 `bad_request` for a deleted or merged one. Recorded
            for a deleted one, after a 500 in the first moments.
    """
    if contact is None:
        raise user_not_found()
    if contact.state == "deleted":
        raise ApiError(
            400,
            "bad_request",
            "User has been marked for permanent deletion and is not restorable.",
        )
    if contact.state == "merged":
        raise ApiError(400, "bad_request", "User has been merged and is not restorable.")
    return contact


def _free(external_id: str, contact: Contact, contacts: Index) -> str:
    holder = contacts.with_external_id(external_id)
    if holder is not None and holder.id != contact.id:
        raise ApiError(
            409,
            "conflict",
            f"A contact matching those details already exists with id={holder.id}",
        )
    return external_id


def _duplicates(one: Contact, other: Contact) -> bool:
    if one.email and other.email and email_key(one.email) == email_key(other.email):
        return True
    phone = one.attributes.get("phone")
    return phone is not None and phone == other.attributes.get("phone")
