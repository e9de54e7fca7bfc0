"""Clean up a second tag that Intercom created when ours was renamed by hand during a sync."""

from collections.abc import Iterable
from functools import partial

from dinmo_pipeline.intercom.errors import NotFoundError, RefusedError
from dinmo_pipeline.intercom.tags import Tag
from dinmo_pipeline.state.tags.strays import StrayTag, forget_strays
from dinmo_pipeline.sync.carriers import carriers_of
from dinmo_pipeline.sync.parallel import in_parallel
from dinmo_pipeline.sync.session import Session
from dinmo_pipeline.text.wording import counted


def clean_up_strays(session: Session, strays: Iterable[StrayTag]) -> None:
    """Take second tags off again, and delete each that nobody else uses.

    Raises:
        IntercomError: see the intercom layer; the next sync tries again.
    """
    activation = session.activation
    for stray in strays:
        tag = session.intercom.tags.get(stray.tag_id)
        if tag:
            _take_off(session, tag, stray)
        with session.state.transaction() as connection:
            forget_strays(connection, activation.key, activation.destination, stray.tag_id)


def _take_off(session: Session, tag: Tag, stray: StrayTag) -> None:
    for _ in in_parallel(partial(_untag, session, tag), stray.contact_ids):
        pass
    is_ours = not stray.belongs_to_activation and _nobody_else_carries(session, tag, stray)
    deleted = is_ours and _delete(session, tag)
    session.log.info(
        "The second tag %r was taken off %s%s.",
        tag.name,
        counted(len(stray.contact_ids), "contact"),
        " and deleted" if deleted else "",
    )


def _untag(session: Session, tag: Tag, contact_id: str) -> None:
    try:
        session.intercom.tags.untag_contact(contact_id, tag.id)
    except NotFoundError:
        return


def _nobody_else_carries(session: Session, tag: Tag, stray: StrayTag) -> bool:
    """Whether no contact carries a tag but those that we took it off, which search may still show."""
    ours = set(stray.contact_ids)
    return all(contact.id in ours for page in carriers_of(session, tag) for contact in page)


def _delete(session: Session, tag: Tag) -> bool:
    try:
        session.intercom.tags.delete(tag.id)
    except RefusedError:  # a segment or a rule of Intercom uses it
        return False
    return True
