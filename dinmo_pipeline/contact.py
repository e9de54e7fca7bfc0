"""The one shape of a contact: `intercom` reads it, `sync` hands it on, `state` stores it."""

from typing import NamedTuple


class Contact(NamedTuple):
    """A person in Intercom, as its answers show them.

    A tuple, because a sync holds many thousands of them at a time.

    Attributes:
        id: Intercom's id of the contact.
        email: as stored in Intercom; None when absent or empty.
        external_id: as stored in Intercom; None when absent or empty.
        is_user: a user, not a lead. Leads share email addresses with users and are never matched.
        created_at: Unix seconds; None when unknown.
    """

    id: str
    email: str | None
    external_id: str | None
    is_user: bool = True
    created_at: int | None = None
