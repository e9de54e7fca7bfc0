"""The tag of an activation: found, renamed, or created again, by one call if nothing changed.

A tag belongs to one activation of a workspace. A name that the declarations give from one activation to
another is freed first: the tag that has it gets the name that its owner declares, or, while that name is
taken as well (as when two swap their names), a temporary one.
"""

import html
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import duckdb

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.intercom.errors import ConfigurationError, UnavailableError
from dinmo_pipeline.intercom.tags import Tag
from dinmo_pipeline.state.errors import ActivationHeldError
from dinmo_pipeline.state.file.locks import activation_lock
from dinmo_pipeline.state.tags.owners import (
    ActivationTag,
    TagOwner,
    activation_tag,
    other_owner,
    record_tag,
)
from dinmo_pipeline.sync.session import Session

# With the tag's id it is unique, and stays within the 191 characters of a name.
_TEMPORARY_NAME = "{name:.150} (being renamed, {tag_id})"


class KnownTag(NamedTuple):
    """The activation's tag as the state has it, and another activation that owns it, if there are any."""

    tag: ActivationTag | None
    owner: TagOwner | None


def known_tag(connection: duckdb.DuckDBPyConnection, activation: Activation) -> KnownTag:
    """What the state has of an activation's tag."""
    tag = activation_tag(connection, activation.key, activation.destination)
    if tag is None:
        return KnownTag(None, None)
    return KnownTag(tag, other_owner(connection, activation.key, activation.destination, tag.tag_id))


def current_tag(session: Session, locks: Path, in_state: KnownTag | None = None) -> Tag | None:
    """The activation's tag as it is in Intercom now; None if there is none yet.

    If the tag was deleted in Intercom, it is created again, and the ledger is emptied, so that all members
    are tagged again. A new name in the declarations renames the tag; a new name in Intercom is kept, with a
    warning. `locks` is the folder of the activation locks, and `in_state` what was just read of the tag.

    Raises:
        ConfigurationError: another activation owns the tag, a tag that nobody owns has the declared name, or
            the destination leads to another workspace.
        IntercomError: see the intercom layer.
    """
    activation = session.activation
    if in_state is None:
        with session.state.reading() as connection:
            in_state = known_tag(connection, activation)
    known, owner = in_state
    if known is None:
        return _found_by_name(session, locks)
    if owner:
        raise tag_is_owned(session, known.name, owner)
    found = existing_tag(session, known.tag_id)
    if found is None:
        session.log.warning(
            "The tag %r was deleted in Intercom. It is created again, and all members are tagged again.",
            known.name,
        )
        return make_tag(session, locks)
    if activation.name not in {known.name, found.name}:
        return _rename(session, locks, found)
    if not same_name(found.name, activation.name):
        session.log.warning(
            "The tag of %s was renamed in Intercom to %r. The sync goes on with it under that name.",
            activation.key,
            found.name,
        )
        # Bulk tagging goes by name, so it must be the name in Intercom.
        return Tag(found.id, html.unescape(found.name))
    if known == ActivationTag(found.id, activation.name):
        return Tag(found.id, activation.name)
    return _adopt(session, found)


def existing_tag(session: Session, tag_id: str) -> Tag | None:
    """A tag by its id; None if it was deleted. A second call makes sure that it is the same workspace.

    Raises:
        ConfigurationError: the destination leads to another workspace.
        IntercomError: see the intercom layer.
    """
    found = session.intercom.tags.get(tag_id)
    if found is None:
        session.intercom.verify_again()
    return found


def make_tag(session: Session, locks: Path) -> Tag:
    """Create the activation's tag, or use the one that has its name; raises as `current_tag` does."""
    name = session.activation.name
    tag = session.intercom.tags.create(name)
    with _name_freed(session, locks, tag) as freed:
        return _adopt(session, session.intercom.tags.create(name) if freed else tag)


def claimable_tag(session: Session, name: str) -> Tag | None:
    """The tag of that name in Intercom, if the activation can have it. It writes nothing.

    None if there is none, or if its owner is to give up the name, which the next sync sees to.

    Raises:
        ConfigurationError: another activation owns it.
        IntercomError: see the intercom layer.
    """
    found = session.intercom.tags.find(name)
    if found is None:
        return None
    owner = _owner(session, found)
    if owner is None:
        return found
    _new_name(session, found, owner)
    return None


def tag_is_owned(session: Session, name: str, owner: TagOwner) -> ConfigurationError:
    """The error for a tag that belongs to another activation: both names, and what to do."""
    ours, theirs = session.activation, session.declared.get(owner.activation)
    if theirs and theirs.destination == owner.destination:
        fix = "Give one of them another `name`."
    elif theirs:
        fix = (
            f"It was moved to {theirs.destination!r} and left the tag behind. Take it off with `dinmo retire"
            f" {owner.activation} --destination {owner.destination}`, or give {ours.key!r} another `name`."
        )
    else:
        fix = (
            f"If {ours.key!r} replaces it, run `dinmo retire {owner.activation} --hand-over-to {ours.key}`."
            f" If {owner.activation!r} is declared by another project, give {ours.key!r} another `name`."
        )
    where = f" at {owner.destination!r}" if owner.destination != ours.destination else ""
    return ConfigurationError(
        f"The tag {name!r} belongs to activation {owner.activation!r}{where}, so activation {ours.key!r}"
        f" cannot use it. {fix}"
    )


def _found_by_name(session: Session, locks: Path) -> Tag | None:
    found = session.intercom.tags.find(session.activation.name)
    if found is None:
        return None
    session.intercom.verify_again()
    with _name_freed(session, locks, found) as freed:
        return None if freed else _adopt(session, found)


def _rename(session: Session, locks: Path, tag: Tag) -> Tag:
    name = session.activation.name
    other = session.intercom.tags.find(name)
    if other is None or other.id == tag.id:
        return _renamed(session, tag)
    with _name_freed(session, locks, other) as freed:
        if not freed:
            raise ConfigurationError(
                f"The tag of activation {session.activation.key!r} cannot be renamed from {tag.name!r} to"
                f" {name!r}: another tag has that name. Choose another `name`, or rename or delete the other"
                " tag in Intercom."
            )
        return _renamed(session, tag)


def _renamed(session: Session, tag: Tag) -> Tag:
    name = session.activation.name
    session.log.info("Renaming the tag %r to %r.", tag.name, name)
    return _adopt(session, session.intercom.tags.rename(tag.id, name))


@contextmanager
def _name_freed(session: Session, locks: Path, holder: Tag) -> Iterator[bool]:
    """Free our name within the block, if the tag that has it belongs to an activation with another name.

    Yields False, and changes nothing, if no other activation owns that tag.

    Raises:
        ConfigurationError: its owner is to keep the name.
        UnavailableError: a sync of its owner is running, which tags by name.
    """
    owner = _owner(session, holder)
    if owner is None:
        yield False
        return
    wanted = _new_name(session, holder, owner)
    try:
        lock = activation_lock(locks, owner.activation, on_wait=lambda _message: None, wait_seconds=0)
        with lock:
            is_free = _is_free(session, wanted, holder)
            if is_free:
                _rename_other(session, holder, owner, wanted)
            else:
                temporary = _TEMPORARY_NAME.format(name=wanted, tag_id=holder.id)
                # Recorded first: a name that differs from the recorded one counts as chosen by hand.
                _record(session, owner, ActivationTag(holder.id, temporary))
                _rename_other(session, holder, owner, temporary)
            yield True
            if not is_free and _is_free(session, wanted, holder):
                _rename_other(session, holder, owner, wanted)
    except ActivationHeldError as error:
        raise UnavailableError(
            f"The tag name {session.activation.name!r} is to be given up by activation"
            f" {owner.activation!r}, which another sync is working on. The next sync will take it."
        ) from error


def _owner(session: Session, tag: Tag) -> TagOwner | None:
    """The other activation that owns a tag."""
    activation = session.activation
    with session.state.reading() as connection:
        return other_owner(connection, activation.key, activation.destination, tag.id)


def _new_name(session: Session, tag: Tag, owner: TagOwner) -> str:
    """The name that the owner of a tag with our name declares; raises if that is the same one."""
    declared = session.declared.get(owner.activation)
    if (
        declared is None
        or declared.destination != owner.destination
        or same_name(declared.name, session.activation.name)
    ):
        raise tag_is_owned(session, tag.name, owner)
    return declared.name


def _is_free(session: Session, name: str, holder: Tag) -> bool:
    found = session.intercom.tags.find(name)
    return found is None or found.id == holder.id


def _rename_other(session: Session, tag: Tag, owner: TagOwner, name: str) -> None:
    session.log.info("Renaming the tag %r of %s to %r.", tag.name, owner.activation, name)
    session.intercom.tags.rename(tag.id, name)
    _record(session, owner, ActivationTag(tag.id, name))


def _adopt(session: Session, tag: Tag) -> Tag:
    activation = session.activation
    _record(session, TagOwner(activation.key, activation.destination), ActivationTag(tag.id, activation.name))
    return Tag(tag.id, activation.name)


def _record(session: Session, owner: TagOwner, tag: ActivationTag) -> None:
    with session.state.transaction() as connection:
        other = record_tag(connection, *owner, tag)
    if other:
        raise tag_is_owned(session, tag.name, other)


def same_name(ours: str, theirs: str) -> bool:
    """Compare as Intercom does, ignoring case; some of its answers escape `&` as HTML."""
    return html.unescape(ours).strip().casefold() == html.unescape(theirs).strip().casefold()
