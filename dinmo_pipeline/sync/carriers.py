"""The contacts that carry a tag: counted or listed by search, which lags, or one of them, without lag."""

import html
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.contact import Contact
from dinmo_pipeline.intercom.client import IntercomClient
from dinmo_pipeline.intercom.errors import NotFoundError
from dinmo_pipeline.intercom.tags import Tag
from dinmo_pipeline.state.contacts.directory import record_contact_rows
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.reconcile import stage_carriers
from dinmo_pipeline.state.tags.carriers import (
    carriers_counted,
    other_carriers,
    ours_at_most,
    record_other_carriers,
    take_over_carriers,
)
from dinmo_pipeline.state.tags.owners import ActivationTag, activation_tag
from dinmo_pipeline.sync.session import Session
from dinmo_pipeline.sync.tag import claimable_tag, existing_tag, known_tag, same_name, tag_is_owned
from dinmo_pipeline.text.wording import counted

# Intercom's search shows a new contact or tag after "a few minutes".
INDEX_LAG = timedelta(minutes=15)
_COUNTED_EVERY = timedelta(days=1)


def tag_as_it_is(session: Session) -> Tag | None:
    """The activation's tag by its id, or by its name before the first sync, without writing anything.

    A new name in the declarations does not rename it: the next sync does. None if Intercom has no such tag.

    Raises:
        ConfigurationError: another activation owns it.
        IntercomError: see the intercom layer.
    """
    activation = session.activation
    with session.state.reading() as connection:
        known, owner = known_tag(connection, activation)
    if known and owner:
        raise tag_is_owned(session, known.name, owner)
    found = existing_tag(session, known.tag_id) if known else claimable_tag(session, activation.name)
    # Bulk tagging goes by name, so it must be the name in Intercom; some answers escape `&`.
    return Tag(found.id, html.unescape(found.name)) if found else None


def carriers_of(session: Session, tag: Tag) -> Iterator[list[Contact]]:
    """Pages of the contacts that carry a tag: 150 per call, as of some minutes ago.

    Raises:
        IntercomError: see the intercom layer.
    """
    read = 0
    for page in session.intercom.contacts.search(_carrying(tag.id)):
        read += len(page)
        session.progress("reading tagged contacts", read, read)
        yield page


def count_other_carriers(session: Session, tag_id: str) -> int:
    """Count the contacts that carry a tag and that we did not tag, by one call, and record the number.

    It is a lower bound: what we tagged or untagged a moment ago may or may not be counted yet, and a contact
    of ours that lost the tag by hand hides one that got it. A reconciliation tells exactly. If Intercom does
    not say, it stays as it was.

    Raises:
        IntercomError: see the intercom layer.
    """
    activation, now = session.activation, session.clock()
    where = (activation.key, activation.destination)
    carriers = session.intercom.contacts.count(_carrying(tag_id))
    with session.state.transaction() as connection:
        if carriers is None:
            return other_carriers(connection, *where) or 0
        ours = ours_at_most(connection, *where, since=now - INDEX_LAG, now=now)
        others = max(carriers - ours, 0)
        record_other_carriers(connection, *where, others, now=now)
    if others:
        session.log.info("%s: %s", activation.key, other_carriers_note(activation, others))
    return others


def tag_to_look_at(
    connection: duckdb.DuckDBPyConnection, activation: Activation, *, now: datetime
) -> Tag | None:
    """The activation's tag if its carriers have not been counted for a day, or are to be taken over.

    None otherwise.
    """
    where = (activation.key, activation.destination)
    takes_over = activation.on_existing_carriers == "take_over" and other_carriers(connection, *where)
    if not takes_over and carriers_counted(connection, *where, since=now - _COUNTED_EVERY, now=now):
        return None
    tag = activation_tag(connection, *where)
    return Tag(tag.tag_id, tag.name) if tag else None


def look_at_carriers(session: Session, tag: Tag) -> bool:
    """Count other carriers, and take them over if so declared; returns whether any were taken over.

    Raises:
        IntercomError: see the intercom layer.
    """
    activation, now = session.activation, session.clock()
    if not count_other_carriers(session, tag.id) or activation.on_existing_carriers != "take_over":
        return False
    with session.state.scratch() as connection:
        stage_carriers(connection, carriers_of(session, tag))
        with session.state.transaction(connection):
            taken = take_over_carriers(connection, activation, since=now - INDEX_LAG, now=now)
            record_contact_rows(
                connection, activation.destination, "(FROM carriers WHERE is_user)", by_email=False, now=now
            )
    session.log.info("%s: taking over %s.", activation.key, counted(taken, "contact"))
    return taken > 0


def other_carriers_note(activation: Activation, others: int) -> str:
    """What a person should know about carriers that we did not tag, and can decide."""
    carries, keeps = ("carries", "keeps") if others == 1 else ("carry", "keep")
    carry = f"{counted(others, 'contact')} that we did not tag {carries} the tag"
    if activation.on_existing_carriers == "keep":
        return f"{carry} and {keeps} it, as declared."
    if activation.on_existing_carriers == "take_over":
        return f"{carry}; the next sync takes over the tag."
    return (
        f"{carry}. Decide with `on_existing_carriers: keep` or `take_over`;"
        f" `dinmo reconcile {activation.key} --take-over` shows whom it would untag."
    )


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What Intercom has before a first sync; a number is None if Intercom does not say.

    Attributes:
        users: users of the workspace.
        carriers: contacts that carry an activation's tag, by key; an activation without a tag is left out.
    """

    users: int | None
    carriers: Mapping[str, int | None]


def survey(state: StateDatabase, client: IntercomClient, activations: Iterable[Activation]) -> Surveyed:
    """Count the users of a workspace, and the carriers of the tags of its activations; nothing is written.

    It takes two calls, and one per tag that exists.

    Raises:
        IntercomError: see the intercom layer.
    """
    tags = client.tags.list()
    carriers: dict[str, int | None] = {}
    for activation in activations:
        with state.reading() as connection:
            known = activation_tag(connection, activation.key, activation.destination)
        tag = next((tag for tag in tags if _is_tag_of(tag, activation, known)), None)
        if tag:
            carriers[activation.key] = client.contacts.count(_carrying(tag.id))
    return Surveyed(client.contacts.count({"field": "role", "operator": "=", "value": "user"}), carriers)


def _is_tag_of(tag: Tag, activation: Activation, known: ActivationTag | None) -> bool:
    return tag.id == known.tag_id if known else same_name(tag.name, activation.name)


def _carrying(tag_id: str) -> dict[str, str]:
    return {"field": "tag_id", "operator": "=", "value": tag_id}


def carries(session: Session, tag: Tag, contact_id: str) -> bool:
    """Whether a contact carries a tag now, by one call: never seen wrong right after a write.

    A contact that is not in Intercom carries no tag.

    Raises:
        IntercomError: see the intercom layer.
    """
    try:
        carried = session.intercom.tags.of_contact(contact_id)
    except NotFoundError:
        return False
    return any(found.id == tag.id for found in carried)
