"""Look up members in Intercom: new ones, and later again those that are not in Intercom."""

import unicodedata
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, islice
from math import ceil
from typing import NamedTuple

import duckdb

from dinmo_pipeline.config.declarations import MatchBy
from dinmo_pipeline.contact import Contact
from dinmo_pipeline.intercom.contacts import LOOKUP_SIZE, PAGE_SIZE, LookupField
from dinmo_pipeline.intercom.errors import RefusedError, UnavailableError, UnreadableError
from dinmo_pipeline.intercom.listing import UserListing
from dinmo_pipeline.intercom.pages import ContactPage
from dinmo_pipeline.state.contacts.directory import (
    due_for_another_look,
    record_contacts,
    record_missing,
    record_signup_look,
)
from dinmo_pipeline.state.ledger import unknown_members
from dinmo_pipeline.sync.carriers import INDEX_LAG
from dinmo_pipeline.sync.paging import rows_by_page
from dinmo_pipeline.sync.parallel import batches, in_parallel
from dinmo_pipeline.sync.session import Session
from dinmo_pipeline.text.wording import counted

LOOKUP_FIELDS: dict[MatchBy, LookupField] = {"email": "email", "user_id": "external_id"}
# To learn what listing would cost takes a call, which is not worth it for 1,000 members: 20 searches.
_MAX_SEARCHES_WITHOUT_COMPARING = 20
# Batches whose answers are recorded in one transaction.
_BATCHES_PER_RECORD = 40
_IDENTIFIERS_PER_PAGE = 10_000
# Hours until a member is looked up again: 12, then 24, 48 … up to the time in which all facts are read again.
_MIN_LOOK_AGAIN_HOURS = 12.0
# A fact is due a little before its time, so that it is not late if syncs are a day apart.
DUE_SHARE = 0.85
# So many are looked up again at most, 50 per call, unless more are needed to come round in time.
_MAX_LOOKS_AGAIN_PER_SYNC = 1_000
# In a batch, the users who signed up are read once for all activations. The next sync begins there.
_SIGNUPS_TRUSTED_FOR = timedelta(minutes=1)
# This many batches in a row without an answer mean that Intercom is down.
_MAX_FAILURES_IN_A_ROW = 3


class Looked(NamedTuple):
    """The answer to a search: the identifiers that were looked for, and the users that were found."""

    identifiers: Sequence[str]
    found: Sequence[Contact]


def max_lookup_calls(unknown: int) -> int:
    """The maximum number of calls to look up so many members; listing is used only if it takes fewer."""
    searches = ceil(unknown / LOOKUP_SIZE)
    return searches + (searches > _MAX_SEARCHES_WITHOUT_COMPARING)


def look_for_unknown(session: Session, total: int) -> None:
    """Look up the members of the stored change set that were never looked up, and record the answers.

    They are searched for, 50 per call, or the whole workspace is listed, 150 per call, whichever takes fewer
    calls. `total` is the number of those members.

    Raises:
        IntercomError: see the intercom layer; earlier answers are recorded.
    """
    searches = ceil(total / session.intercom.contacts.lookup_size)
    if list_if_cheaper(session, searches, partial(_unknown, session)):
        return
    done = 0
    for looked in search_members(session, _unknown(session)):
        done += len(looked.identifiers)
        session.progress("looking up members", done, total)


def look_again(
    session: Session, missing: int, *, since: datetime, share: float = 0.0, everything: bool = False
) -> None:
    """Find members who were not in Intercom (so many are missing) and have signed up since.

    It reads the users created `since` the last look, 150 per call, then searches for members that are due, at
    most 1,000 or a `share` of all missing ones, whichever is more. With `everything`, all are due.

    Raises:
        IntercomError: see the intercom layer; earlier answers are recorded.
    """
    activation = session.activation
    now, at_most = session.clock(), timedelta(days=activation.recheck_days)
    where = (activation.destination, activation.match_by)
    read_at = session.intercom.signups_read_at
    until = None
    if everything or read_at is None or now - read_at > _SIGNUPS_TRUSTED_FOR:
        until = _look_for_signups(session, since, at_most)
        session.intercom.signups_read_at = now
    with session.state.transaction() if until else session.state.reading() as connection:
        if until:
            record_signup_look(connection, activation.destination, until=until)
        due = due_for_another_look(
            connection,
            activation.key,
            *where,
            now=now,
            min_interval_hours=0 if everything else _MIN_LOOK_AGAIN_HOURS,
            max_interval_hours=0 if everything else DUE_SHARE * 24 * activation.recheck_days,
            limit=max(_MAX_LOOKS_AGAIN_PER_SYNC, int(share * missing)),
        )
    for _ in search_members(session, due):
        pass


def _look_for_signups(session: Session, since: datetime, at_most: timedelta) -> datetime:
    """Read the users created since a time; returns by Intercom's clock how far that has come.

    What is created is dated by Intercom, whose clock may differ from ours. If the time is still to come
    there, the users of the time before are read.
    """
    contacts = session.intercom.contacts
    until = session.clock()
    for start in (since, None):
        for page in contacts.users_created_since(start or until - at_most, overlap=INDEX_LAG):
            _record(session, [Looked([], page)], session.clock(), by_email=False)
        until = contacts.transport.last_date or session.clock()
        if since <= until:
            break
    return until


def list_if_cheaper(session: Session, searches: int, identifiers: Callable[[], Iterator[str]]) -> bool:
    """List all contacts instead of so many searches for identifiers, if that takes fewer calls.

    The first page shows what it takes. If listing fails, nothing is concluded from it, and False is returned.

    Raises:
        IntercomError: see the intercom layer.
    """
    if searches <= _MAX_SEARCHES_WITHOUT_COMPARING:
        return False
    started = session.clock()
    pages = session.intercom.contacts.everyone()
    with closing(pages):
        try:
            first = next(pages)
            if first.total is None:
                return False
            calls = max(ceil(first.total / PAGE_SIZE), 1)
            # The first page is already paid for, and is also the first page of the list.
            if calls - 1 >= searches:
                return False
            session.log.info("Listing all contacts: %d calls instead of %d searches.", calls, searches)
            _list(session, chain([first], pages), first.total, identifiers(), started)
        except (RefusedError, UnreadableError) as error:
            session.log.warning("Listing failed; searching for members instead: %s", error)
            return False
    return True


def _list(
    session: Session,
    pages: Iterable[ContactPage],
    total: int,
    identifiers: Iterable[str],
    started: datetime,
) -> None:
    """Record all users of the workspace, and the identifiers that none has as not in Intercom."""
    with UserListing(total) as listing:
        listing.read(pages, lambda count: session.progress("listing contacts", count, total))
        for users in listing.batches():
            _record(session, [Looked([], users)], started, by_email=True)
    for page in batches(identifiers, _IDENTIFIERS_PER_PAGE):
        _record(session, [Looked(page, [])], started, by_email=True)


def _unknown(session: Session) -> Iterator[str]:
    def read(after: str, limit: int) -> list[str]:
        with session.state.reading() as connection:
            return unknown_members(connection, session.activation.key, after=after, limit=limit)

    return rows_by_page(read, str, start="", limit=_IDENTIFIERS_PER_PAGE)


def search_members(session: Session, identifiers: Iterable[str]) -> Iterator[Looked]:
    """Search in batches, and record the answers; a batch without an answer stays unknown."""
    by_email = session.activation.match_by == "email"
    refused_before = len(session.intercom.contacts.refused)
    failures = 0
    waiting: list[Looked] = []
    try:
        with closing(_answers(session, identifiers)) as answers:
            for looked in answers:
                if isinstance(looked, UnavailableError):
                    failures += 1
                    if failures >= _MAX_FAILURES_IN_A_ROW:
                        raise looked
                    session.log.warning("%s", looked)
                    continue
                failures = 0
                waiting.append(looked)
                yield looked
                if len(waiting) >= _BATCHES_PER_RECORD:
                    _record(session, waiting, session.clock(), by_email=by_email)
                    waiting = []
    finally:
        _record(session, waiting, session.clock(), by_email=by_email)
    if refused := len(session.intercom.contacts.refused) - refused_before:
        session.log.warning("Intercom refuses to search for %s.", counted(refused, "identifier"))


def _answers(
    session: Session, identifiers: Iterable[str]
) -> Generator[Looked | UnavailableError, None, None]:
    field = LOOKUP_FIELDS[session.activation.match_by]
    contacts = session.intercom.contacts

    def look(batch: list[str]) -> Looked | UnavailableError:
        try:
            spelled = [spelling for identifier in batch for spelling in _spellings(identifier, field)]
            parts = batches(spelled, LOOKUP_SIZE)
            found = {user.id: user for part in parts for user in contacts.find_users(field, part)}
            return Looked(batch, [*found.values()])
        except UnavailableError as error:
            return error

    work = batches(identifiers, LOOKUP_SIZE)
    # The first batch goes alone: if Intercom refuses so long a list, one batch is enough to learn that.
    for batch in islice(work, 1):
        yield look(batch)
    with closing(in_parallel(look, work)) as rest:
        yield from rest


def _spellings(identifier: str, field: LookupField) -> set[str]:
    """The ways in which Intercom may hold an email: `é` as one character, or as `e` and an accent."""
    return {identifier, unicodedata.normalize("NFD", identifier)} if field == "email" else {identifier}


def _record(session: Session, looked: Sequence[Looked], now: datetime, *, by_email: bool) -> None:
    if not looked:
        return
    activation = session.activation
    seen = [contact for answer in looked for contact in answer.found]
    asked = [identifier for answer in looked for identifier in answer.identifiers]

    def record(connection: duckdb.DuckDBPyConnection) -> None:
        record_contacts(connection, activation.destination, seen, by_email=by_email, now=now)
        if asked:
            record_missing(connection, activation.destination, activation.match_by, asked, now=now)

    session.state.transact(record)
