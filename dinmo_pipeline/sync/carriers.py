"""The contacts that carry a tag: all of them by search, which lags, or one by itself, which does not."""

import html
from collections.abc import Iterator

from dinmo_pipeline.contact import Contact
from dinmo_pipeline.intercom.errors import NotFoundError
from dinmo_pipeline.intercom.tags import Tag
from dinmo_pipeline.state.tags.owners import activation_tag, other_owner
from dinmo_pipeline.sync.session import Session
from dinmo_pipeline.sync.tag import claimable_tag, existing_tag, tag_is_owned


def tag_as_it_is(session: Session) -> Tag | None:
    """The activation's tag by its id, or by its name before the first sync, without writing anything.

    A new name in the declarations does not rename it: the next sync does. None if Intercom has no such tag.

    Raises:
        ConfigurationError: another activation owns it.
        IntercomError: see the intercom layer.
    """
    activation = session.activation
    with session.state.reading() as connection:
        known = activation_tag(connection, activation.key, activation.destination)
        owner = known and other_owner(connection, activation.key, activation.destination, known.tag_id)
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
    query = {"field": "tag_id", "operator": "=", "value": tag.id}
    read = 0
    for page in session.intercom.contacts.search(query):
        read += len(page)
        session.progress("reading tagged contacts", read, read)
        yield page


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
