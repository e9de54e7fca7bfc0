"""The tag of an activation: found, renamed, or created again, by one call if nothing changed."""

import html

from dinmo_pipeline.intercom.errors import ConfigurationError
from dinmo_pipeline.intercom.tags import Tag
from dinmo_pipeline.state.ledger import ActivationTag, activation_tag, record_tag
from dinmo_pipeline.sync.session import Session


def current_tag(session: Session) -> Tag | None:
    """The activation's tag as it is in Intercom now; None if there is none yet.

    If the tag was deleted in Intercom, it is created again, and the ledger is emptied, so that all members
    are tagged again. A new name in the declarations renames the tag; a new name in Intercom is kept, with a
    warning.

    Raises:
        ConfigurationError: another tag has the declared name, or the destination leads to another workspace.
        IntercomError: see the intercom layer.
    """
    activation = session.activation
    with session.state.reading() as connection:
        known = activation_tag(connection, activation.key, activation.destination)
    if known is None:
        return _found_by_name(session)
    found = existing_tag(session, known.tag_id)
    if found is None:
        session.log.warning(
            "The tag %r was deleted in Intercom. It is created again, and all members are tagged again.",
            known.name,
        )
        return make_tag(session)
    if activation.name not in {known.name, found.name}:
        return _rename(session, found)
    if not _same_name(found.name, activation.name):
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


def make_tag(session: Session) -> Tag:
    """Create the activation's tag, or use the one that has its name."""
    return _adopt(session, session.intercom.tags.create(session.activation.name))


def _found_by_name(session: Session) -> Tag | None:
    found = session.intercom.tags.find(session.activation.name)
    if found is None:
        return None
    session.intercom.verify_again()
    return _adopt(session, found)


def _rename(session: Session, tag: Tag) -> Tag:
    name = session.activation.name
    other = session.intercom.tags.find(name)
    if other and other.id != tag.id:
        raise ConfigurationError(
            f"The tag of activation {session.activation.key!r} cannot be renamed from {tag.name!r} to"
            f" {name!r}: another tag has that name. Choose another `name`, or rename or delete the other"
            " tag in Intercom."
        )
    session.log.info("Renaming the tag %r to %r.", tag.name, name)
    return _adopt(session, session.intercom.tags.rename(tag.id, name))


def _adopt(session: Session, tag: Tag) -> Tag:
    activation = session.activation
    with session.state.transaction() as connection:
        record_tag(
            connection,
            activation.key,
            activation.destination,
            ActivationTag(tag.id, activation.name),
        )
    return Tag(tag.id, activation.name)


def _same_name(ours: str, theirs: str) -> bool:
    """Compare as Intercom does, ignoring case; some of its answers escape `&` as HTML."""
    return html.unescape(ours).strip().casefold() == html.unescape(theirs).strip().casefold()
