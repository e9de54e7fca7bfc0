"""Intercom's rules for contacts: what can be created, changed, merged and restored."""

from collections.abc import Mapping
from typing import Any, Final

from dinmo_pipeline.emulator.endpoints.views import WRITABLE
from dinmo_pipeline.emulator.errors import ApiError, user_not_found
from dinmo_pipeline.emulator.workspace.index import Index
from dinmo_pipeline.emulator.workspace.records import Contact, NewContact, email_key

_TYPES: Final[Mapping[str, tuple[type, str]]] = {
    **dict.fromkeys(("email", "external_id", "name", "phone", "owner_id", "avatar"), (str, "a string")),
    **dict.fromkeys(("created_at", "signed_up_at", "last_seen_at"), (int, "Unix seconds")),
    "unsubscribed_from_emails": (bool, "true or false"),
    "custom_attributes": (dict, "an object"),
}


def live(contact: Contact | None) -> Contact:
    """The contact, if it is live.

    Raises:
        ApiError: 404 "User Not Found". Recorded right after archiving and deleting.
    """
    if contact is None or contact.state != "live":
        raise user_not_found()
    return contact


def check_types(body: Mapping[str, Any]) -> None:
    """Refuse contact attributes of the wrong type; null is allowed everywhere.

    Raises:
        ApiError: 400 `parameter_invalid`; the message names the attribute.
    """
    for name, (expected, described) in _TYPES.items():
        if not isinstance(body.get(name), expected | None):
            raise ApiError(400, "parameter_invalid", f"{name} must be {described}")
    if body.get("role") not in (None, "user", "lead"):
        raise ApiError(400, "parameter_invalid", "role must be user or lead")


def new_contact(body: Mapping[str, Any]) -> NewContact:
    """Read the body of `POST /contacts`.

    Raises:
        ApiError: 400: email, external_id and role are all missing, or a value has the wrong type.
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
    """Refuse a user that already exists.

    Recorded: an archived or permanently deleted user conflicts too; a lead never does. Assumed: an email
    conflicts only if the new user has no external id, since users with different external ids may share
    an email.

    Raises:
        ApiError: 409 `conflict`.
    """
    if new.role == "lead":
        return
    if new.external_id is not None:
        holder = contacts.with_external_id(new.external_id)
        matches = [] if holder is None else [holder]
    else:
        sharing = contacts.with_email(new.email) if new.email else []
        matches = [other for other in sharing if other.role == "user"]
    if matches:
        match = min(matches, key=lambda other: other.state != "live")
        raise _conflict(match, "A" if match.state == "live" else "An archived")


def changes(contact: Contact, body: Mapping[str, Any], contacts: Index) -> dict[str, Any]:
    """The new values that `PUT /contacts/{id}` gives a contact, by field name of `Contact`.

    Recorded: a lead can become a user, and then gets the external id in the body. An external id for a
    lead is ignored, and so is null. Two users may share an email. An email set to null becomes "".

    Raises:
        ApiError: 400 `client_error`: a user cannot become a lead. 409 `conflict`: the external id is
            taken. 400 `parameter_invalid`: a value has the wrong type.
    """
    check_types(body)
    role = body.get("role") or contact.role
    if contact.role == "user" and role == "lead":
        raise ApiError(400, "client_error", "Contact with user role can't be converted to a lead")
    values: dict[str, Any] = {"role": role}
    values |= {name: body[name] for name in ("name", "signed_up_at") if name in body}
    if "email" in body:
        values["email"] = body["email"] or ("" if contact.email else contact.email)
    if body.get("external_id") and role == "user":
        values["external_id"] = _free(body["external_id"], contact, contacts)
    written = {name: body[name] for name in WRITABLE if name in body}
    if "custom_attributes" in written:
        before = contact.attributes.get("custom_attributes", {})
        written["custom_attributes"] = {**before, **(written["custom_attributes"] or {})}
    values["attributes"] = {**contact.attributes, **written}
    return {name: value for name, value in values.items() if getattr(contact, name) != value}


def merged_fields(source: Contact, target: Contact, *, needs_duplicate: bool) -> dict[str, Any]:
    """The user's values after a lead is merged into it; the lead fills in what the user lacks.

    Args:
        source: The lead to merge.
        target: The user to merge it into.
        needs_duplicate: Refuse contacts that share neither email nor phone, as from 2.16 on.

    Raises:
        ApiError: 400: these are not a lead and a user, or not duplicates.
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
    """The contact, if it can be unarchived.

    Raises:
        ApiError: 404: it is unknown. 400 `bad_request`: it is deleted or merged. Recorded for a deleted
            one, after a 500 in the first moments.
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
        raise _conflict(holder, "A")
    return external_id


def _conflict(holder: Contact, article: str) -> ApiError:
    return ApiError(
        409,
        "conflict",
        f"{article} contact matching those details already exists with id={holder.id}",
    )


def _duplicates(one: Contact, other: Contact) -> bool:
    if one.email and other.email and email_key(one.email) == email_key(other.email):
        return True
    phone = one.attributes.get("phone")
    return phone is not None and phone == other.attributes.get("phone")
