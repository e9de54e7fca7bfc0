"""The proof at the end of each day: who should carry a tag, and who does, both read from the emulator.

It shares no code with the sync: a defect there must not hide here.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.state.file.database import StateDatabase

_TIMEOUT_SECONDS = 60
_PER_PAGE = 150


@dataclass(frozen=True, slots=True)
class Proof:
    """Contact ids of one activation: those that should carry the tag, and those that carry it."""

    expected: set[str]
    tagged: set[str]

    @property
    def holds(self) -> bool:
        """Whether both are the same."""
        return self.expected == self.tagged


def prove(emulator: str, state: str, activation: Activation) -> Proof:
    """Compare an activation's members with the contacts that carry its tag.

    Args:
        emulator: The emulator's base URL.
        state: The state file, which lists the members.
        activation: Any activation that has been synced.
    """
    with StateDatabase(state).reading() as connection:
        rows = connection.execute(
            "SELECT identifier FROM dinmo.segment_membership WHERE activation = ?", [activation.key]
        ).fetchall()
    expected = _expected_contacts(emulator, activation, {row[0] for row in rows})
    body = _get(f"{emulator}/_emulator/tags/{quote(activation.name, safe='')}/contacts")
    return Proof(expected, {contact["id"] for contact in body["contacts"]})


def contacts_created(emulator: str) -> int:
    """How many contacts the API has created; a sync must create none."""
    created: int = _get(f"{emulator}/_emulator/stats")["contacts_created_by_api"]
    return created


def _expected_contacts(emulator: str, activation: Activation, members: set[str]) -> set[str]:
    """The ids of the users that match a member."""
    users_by_member = defaultdict(set)
    for contact in _listed_contacts(emulator):
        identifier = contact["external_id"]
        if activation.match_by == "email":
            identifier = (contact["email"] or "").strip().lower()
        if contact["role"] == "user" and identifier in members:
            users_by_member[identifier].add(contact["id"])
    skip_multiple = activation.on_multiple_users == "skip"
    return {
        user for users in users_by_member.values() if len(users) == 1 or not skip_multiple for user in users
    }


def _listed_contacts(emulator: str) -> Iterator[dict[str, Any]]:
    """Every contact of the workspace, from Intercom's own list."""
    query: dict[str, str] = {"per_page": str(_PER_PAGE)}
    while True:
        body = _get(f"{emulator}/contacts", query)
        yield from body["data"]
        next_page = body["pages"].get("next")
        if not next_page:
            return
        query["starting_after"] = next_page["starting_after"]


def _get(url: str, query: dict[str, str] | None = None) -> Any:
    response = requests.get(
        url,
        params=query,
        headers={"Authorization": "Bearer demo-proof", "Accept": "application/json"},
        timeout=_TIMEOUT_SECONDS,
    )
    response.raise_for_status()
    return response.json()
