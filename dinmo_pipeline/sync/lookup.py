"""Find the contacts of members nobody looked for yet, and look again for those not found."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from dinmo_pipeline.config.declarations import MatchBy
from dinmo_pipeline.intercom.contacts import Contact, LookupField
from dinmo_pipeline.intercom.errors import UnavailableError
from dinmo_pipeline.state.directory import (
    SeenContact,
    due_for_another_look,
    last_signup_look,
    record_contacts,
    record_missing,
    record_signup_look,
)
from dinmo_pipeline.state.ledger import unknown_members
from dinmo_pipeline.sync.calls import batches, in_parallel
from dinmo_pipeline.sync.session import Session

LOOKUP_FIELDS: dict[MatchBy, LookupField] = {"email": "email", "user_id": "external_id"}
# Answers of so many batches are recorded in one transaction.
_BATCHES_A_RECORD = 40
_IDENTIFIERS_A_PAGE = 10_000
# Intercom's search shows a new contact after "a few minutes".
_INDEX_LAG = timedelta(minutes=15)
# The first look again comes after 12 hours, the next after 24, 48 … up to 30 days.
_FIRST_LOOK_AGAIN_HOURS = 12.0
_LONGEST_LOOK_AGAIN_HOURS = 30 * 24.0
# A bound on what one sync spends on members who may never sign up: 20 calls of 50.
_LOOKS_AGAIN_A_SYNC = 1_000
# After so many batches in a row without an answer the sync stops: Intercom is down.
_FAILURES_IN_A_ROW = 3


class _Looked(NamedTuple):
    identifiers: list[str]
    found: list[Contact]


def look_for_unknown(session: Session, total: int) -> None:
    """Search for the members of the stored change set that were never looked for, and record all.

    Raises:
        IntercomError: see the intercom layer; what was found before is recorded.
    """
    done = 0
    for looked in _search(session, _unknown(session)):
        done += len(looked.identifiers)
        session.progress("looking up members", done, total)


def look_again(session: Session) -> None:
    """Find members not in Intercom who have signed up since: new users first, then those due.

    One search page per 150 users created since the last look.

    Raises:
        IntercomError: see the intercom layer; what was found before is recorded.
    """
    activation = session.activation
    now = session.clock()
    with session.state.reading() as connection:
        last = last_signup_look(connection, activation.destination)
    if last is not None:
        for page in session.intercom.contacts.users_created_since(last - _INDEX_LAG):
            _record(session, [_Looked([], page)], now, by_email=False)
        with session.state.transaction() as connection:
            record_signup_look(connection, activation.destination, now=now)
    with session.state.reading() as connection:
        due = due_for_another_look(
            connection,
            activation.key,
            activation.destination,
            activation.match_by,
            now=now,
            first_interval_hours=_FIRST_LOOK_AGAIN_HOURS,
            longest_interval_hours=_LONGEST_LOOK_AGAIN_HOURS,
            limit=_LOOKS_AGAIN_A_SYNC,
        )
    for _ in _search(session, due):
        pass


def _unknown(session: Session) -> Iterator[str]:
    after = ""
    while True:
        with session.state.reading() as connection:
            page = unknown_members(
                connection, session.activation.key, after=after, limit=_IDENTIFIERS_A_PAGE
            )
        if not page:
            return
        yield from page
        after = page[-1]


def _search(session: Session, identifiers: Iterator[str] | Sequence[str]) -> Iterator[_Looked]:
    """Search in batches, recording as answers come; a batch without an answer stays unknown."""
    field = LOOKUP_FIELDS[session.activation.match_by]
    contacts = session.intercom.contacts
    by_email = session.activation.match_by == "email"
    failures = 0

    def look(batch: list[str]) -> _Looked | UnavailableError:
        try:
            return _Looked(batch, contacts.find_users(field, batch))
        except UnavailableError as error:
            return error

    waiting: list[_Looked] = []
    try:
        for looked in in_parallel(look, batches(identifiers, contacts.lookup_size)):
            if isinstance(looked, UnavailableError):
                failures += 1
                if failures >= _FAILURES_IN_A_ROW:
                    raise looked
                session.log.warning("%s", looked)
                continue
            failures = 0
            waiting.append(looked)
            yield looked
            if len(waiting) >= _BATCHES_A_RECORD:
                _record(session, waiting, session.clock(), by_email=by_email)
                waiting = []
    finally:
        _record(session, waiting, session.clock(), by_email=by_email)


def _record(session: Session, looked: Sequence[_Looked], now: datetime, *, by_email: bool) -> None:
    if not looked:
        return
    activation = session.activation
    seen = [
        SeenContact(contact.id, contact.email, contact.external_id)
        for answer in looked
        for contact in answer.found
    ]
    asked = [identifier for answer in looked for identifier in answer.identifiers]
    with session.state.transaction() as connection:
        record_contacts(connection, activation.destination, seen, by_email=by_email, now=now)
        if asked:
            record_missing(connection, activation.destination, activation.match_by, asked, now=now)
            if last_signup_look(connection, activation.destination) is None:
                record_signup_look(connection, activation.destination, now=now)
