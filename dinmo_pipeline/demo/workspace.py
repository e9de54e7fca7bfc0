"""The shop's Intercom workspace: most customers are in it, some of them twice, and a few strangers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final, Literal, NotRequired, TypeAlias, TypedDict

import duckdb

_SHARE_USERS: Final = 0.85
_SHARE_LEADS: Final = 0.04  # the rest is not in Intercom at all
_SHARE_OF_USERS_TWICE: Final = 0.012
_SHARE_OF_USERS_ALSO_LEADS: Final = 0.01
_STRANGE_USERS: Final = 180
_STRANGE_LEADS: Final = 60

_SHARE_OF_MISSING_WHO_SIGN_UP: Final = 0.3
_SHARE_OF_NEWCOMERS: Final = 0.8
_SHARE_OF_MOVED_WHO_SIGN_UP: Final = 0.5

Role: TypeAlias = Literal["user", "lead"]


class Contact(TypedDict):
    """A contact to create, as the emulator takes it.

    `created_at` is in Unix seconds, by default now. Leads have no `external_id` here, since Intercom
    generates one for them.
    """

    role: Role
    email: NotRequired[str]
    external_id: NotRequired[str]
    name: NotRequired[str]
    created_at: NotRequired[int]


@dataclass(frozen=True, slots=True)
class _Account:
    """What the shop's app knows of a customer when it creates a user in Intercom."""

    customer_id: str
    email: str  # as Intercom stores it: trimmed, in lower case; empty if unknown
    name: str
    signed_up_at: datetime


def intercom_contacts(warehouse: Path) -> list[Contact]:
    """The workspace on day one.

    Most customers are users, with their customer id as `external_id`. Some are only leads, some are
    missing. A few are two users: they have two accounts, or the app created a second user when they came
    back (`app-C00042`). A few users left a lead behind. Some contacts are not customers at all.
    """
    contacts: list[Contact] = []
    accounts = _accounts(warehouse)
    for account in accounts:
        contacts += _contacts_of(account)
    shop_opened = min(account.signed_up_at for account in accounts)
    return [*contacts, *_strangers(shop_opened)]


def new_contacts_day2(warehouse: Path, existing: Sequence[Contact]) -> list[Contact]:
    """The users who sign up in Intercom between day one and day two.

    They are most of the shop's new customers, some of those who were missing or only leads, and some of
    those who came back with a new email. None has a `created_at`: they sign up now, so a sync that asks
    for contacts newer than its last look must find them.

    Args:
        warehouse: The warehouse of day two.
        existing: The workspace of day one, from `intercom_contacts`.
    """
    known_ids = {contact.get("external_id") for contact in existing}
    known_emails = {contact.get("email") for contact in existing}
    accounts = _accounts(warehouse)
    last_day = max(account.signed_up_at for account in accounts).date()
    contacts = []
    for account in accounts:
        dice = _dice(f"day two of {account.customer_id}")
        if account.customer_id not in known_ids:
            is_newcomer = account.signed_up_at.date() == last_day
            share = _SHARE_OF_NEWCOMERS if is_newcomer else _SHARE_OF_MISSING_WHO_SIGN_UP
            external_id = account.customer_id
        else:
            has_moved = account.email != "" and account.email not in known_emails
            share = _SHARE_OF_MOVED_WHO_SIGN_UP if has_moved else 0
            external_id = f"app-{account.customer_id}"
        if dice.random() < share:
            contacts.append(_contact(account, "user", external_id=external_id))
    return contacts


def _accounts(warehouse: Path) -> list[_Account]:
    """All customers, ordered by id."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        rows = connection.execute(
            """
            select
                customer_id,
                lower(trim(coalesce(email, ''))),
                concat_ws(' ', first_name, last_name),
                signed_up_at
            from customers
            order by customer_id
            """
        ).fetchall()
    return [_Account(*row) for row in rows]


def _dice(topic: str) -> Random:
    """Dice of its own for each topic, so that one more customer does not change the others."""
    return Random(topic)  # noqa: S311 - a story that repeats, not a secret


def _contacts_of(account: _Account) -> Iterator[Contact]:
    """The contacts of one customer on day one: none, one, or two."""
    dice = _dice(f"day one of {account.customer_id}")
    opened = account.signed_up_at
    fate = dice.random()
    if fate < _SHARE_USERS:
        yield _contact(account, "user", external_id=account.customer_id, created_at=opened)
        if not account.email:
            return
        if dice.random() < _SHARE_OF_USERS_TWICE:
            # On the same day: yesterday's sign-ups must not lie in the future.
            again = opened + timedelta(hours=dice.randrange(1, 3))
            external_id = f"app-{account.customer_id}"
            yield _contact(account, "user", external_id=external_id, created_at=again)
        elif dice.random() < _SHARE_OF_USERS_ALSO_LEADS:
            before = opened - timedelta(days=dice.randrange(1, 30))
            yield _contact(account, "lead", created_at=before)
    elif fate < _SHARE_USERS + _SHARE_LEADS and account.email:
        yield _contact(account, "lead", created_at=opened)


def _strangers(shop_opened: datetime) -> Iterator[Contact]:
    """Contacts who are not customers: members of an old forum, and visitors who left an email."""
    for number in range(1, _STRANGE_USERS + _STRANGE_LEADS + 1):
        is_user = number <= _STRANGE_USERS
        person = "member" if is_user else "visitor"
        stranger = _Account(
            customer_id=f"forum-{number:04d}",
            email=f"{person}{number}@forum.example",
            name=f"Forum {person} {number}",
            signed_up_at=shop_opened + timedelta(days=number),
        )
        yield _contact(
            stranger,
            "user" if is_user else "lead",
            external_id=stranger.customer_id if is_user else None,
            created_at=stranger.signed_up_at,
        )


def _contact(
    account: _Account,
    role: Role,
    *,
    external_id: str | None = None,
    created_at: datetime | None = None,
) -> Contact:
    """A contact with the name and email of a customer; without an email, a contact without one."""
    contact = Contact(role=role, name=account.name)
    if account.email:
        contact["email"] = account.email
    if external_id:
        contact["external_id"] = external_id
    if created_at:
        contact["created_at"] = int(created_at.replace(tzinfo=UTC).timestamp())
    return contact
