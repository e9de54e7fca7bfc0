"""Forget a person: take our tags off, then erase the person from the state and its file."""

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from dinmo_pipeline.intercom.client import IntercomClient
from dinmo_pipeline.intercom.errors import NotFoundError
from dinmo_pipeline.state.file.compacting import compact
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.file.locks import activation_lock
from dinmo_pipeline.state.forget import CarriedTag, Person, erase, find_person
from dinmo_pipeline.sync.workspace import OpenedWorkspace


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was done.

    Attributes:
        erased: rows erased, by table; in change_log they are masked.
        untagged: tags taken off in Intercom.
        kept_tags: tags left on, as requested.
        api_calls: calls to Intercom.
        seconds: how long it took.
    """

    erased: Mapping[str, int]
    untagged: int
    kept_tags: int
    api_calls: int
    seconds: float


def person_of(state: StateDatabase, identifier: str) -> Person:
    """The person that an identifier belongs to.

    Raises:
        StateError: the state cannot be read.
    """
    with state.reading() as connection:
        return find_person(connection, identifier)


def forget(
    states: Sequence[StateDatabase],
    locks: Path,
    identifier: str,
    activations: set[str],
    clients: Mapping[str, IntercomClient],
    *,
    keep_tags: bool,
    log: logging.Logger,
) -> Forgotten:
    """Erase a person from some state files, holding all the activations; `clients` are by destination.

    Tags come off first: without its ledger row, a tag would stay on forever. After any failure, it is safe
    to run this again.

    Raises:
        IntercomError: a tag could not be taken off; nothing was erased.
        StateError: the state cannot be used, or a sync does not end.
    """
    started = time.monotonic()
    with ExitStack() as held:
        # In one order, so that two of these never wait for each other.
        for key in sorted(activations):
            held.enter_context(activation_lock(locks, key, on_wait=log.info))
        people = [(state, person_of(state, identifier)) for state in states]
        untagged, erased = 0, Counter[str]()
        for state, person in people:
            workspaces = {key: OpenedWorkspace(state, key, clients[key]) for key in clients}
            if not keep_tags:
                untagged += sum(_untag(workspaces[tag.destination], tag) for tag in person.tags)
            with state.transaction() as connection:
                erased.update(erase(connection, person))
            compact(state)
    return Forgotten(
        erased=dict(erased),
        untagged=untagged,
        kept_tags=sum(len(person.tags) for _, person in people) if keep_tags else 0,
        api_calls=sum(client.calls for client in clients.values()),
        seconds=round(time.monotonic() - started, 3),
    )


def _untag(workspace: OpenedWorkspace, carried: CarriedTag) -> int:
    """Take a tag off; returns the number of tags taken off: 0 if contact or tag is gone from Intercom."""
    try:
        workspace.tags.untag_contact(carried.contact_id, carried.tag_id)
    except NotFoundError:
        workspace.verify_again()
        return 0
    return 1
