"""Find the contacts of members nobody looked for yet, and look again for those not found."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
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
from dinmo_pipeline.state.directory import (
    due_for_another_look,
    record_contacts,
    record_missing,
    record_signup_look,
    signups_unseen_since,
)
from dinmo_pipeline.state.ledger import unknown_members
from dinmo_pipeline.state.paging import rows_by_page
from dinmo_pipeline.sync.parallel import batches, in_parallel
from dinmo_pipeline.sync.session import Session

LOOKUP_FIELDS: dict[MatchBy, LookupField] = {"email": "email", "user_id": "external_id"}
# Up to so many searches nobody asks what listing would cost, which takes a call: 1,000 members, 20 calls.
_SEARCHES_UNASKED = 20
# Answers of so many batches are recorded in one transaction.
_BATCHES_A_RECORD = 40
_IDENTIFIERS_PER_PAGE = 10_000
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
    identifiers: Sequence[str]
    found: Sequence[Contact]


def most_lookup_calls(unknown: int) -> int:
    """How many calls a look for so many members takes at most; listing is chosen where it takes fewer."""
    searches = ceil(unknown / LOOKUP_SIZE)
    return searches + (searches > _SEARCHES_UNASKED)


def look_for_unknown(session: Session, total: int) -> None:
    """Look for the members of the stored change set that were never looked for, and record all.

    They are searched for, 50 a call, or the whole workspace is listed, 150 a call: what takes fewer calls.
    `total` is how many they are.

    Raises:
        IntercomError: see the intercom layer; what was found before is recorded.
    """
    searches = ceil(total / session.intercom.contacts.lookup_size)
    if searches > _SEARCHES_UNASKED and _listed_instead(session, searches):
        return
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
        since = signups_unseen_since(connection, activation.destination)
    if since is not None:
        for page in session.intercom.contacts.users_created_since(since, overlap=_INDEX_LAG):
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


def _listed_instead(session: Session, searches: int) -> bool:
    """Ask for the first page of the list, and list everybody if that takes fewer calls than searching.

    A list that Intercom refuses or breaks off decides nothing: then all are searched for.
    """
    started = session.clock()
    pages = session.intercom.contacts.everyone()
    with closing(pages):
        try:
            first = next(pages)
            calls = None if first.total is None else max(ceil(first.total / PAGE_SIZE), 1)
            # The first page is spent either way, and is not wasted on listing.
            if first.total is None or calls is None or calls - 1 >= searches:
                return False
            session.log.info("Listing all contacts: %d calls, not %d searches.", calls, searches)
            _list(session, chain([first], pages), first.total, started)
        except (RefusedError, UnreadableError) as error:
            session.log.warning(
                "The list of contacts is of no use, members are searched: %s", error
            )
            return False
    return True


def _list(session: Session, pages: Iterable[ContactPage], total: int, started: datetime) -> None:
    """Record all users of the workspace, and whoever is not among them as not in Intercom."""
    with UserListing(total) as listing:
        listing.read(pages, lambda come: session.progress("listing contacts", come, total))
        for users in listing.batches():
            _record(session, [_Looked([], users)], started, by_email=True)
    for identifiers in batches(_unknown(session), _IDENTIFIERS_PER_PAGE):
        _record(session, [_Looked(identifiers, [])], started, by_email=True)


def _unknown(session: Session) -> Iterator[str]:
    def read(after: str, limit: int) -> list[str]:
        with session.state.reading() as connection:
            return unknown_members(connection, session.activation.key, after=after, limit=limit)

    return rows_by_page(read, str, start="", limit=_IDENTIFIERS_PER_PAGE)


def _search(session: Session, identifiers: Iterable[str]) -> Iterator[_Looked]:
    """Search in batches, recording as answers come; a batch without an answer stays unknown."""
    by_email = session.activation.match_by == "email"
    refused_before = len(session.intercom.contacts.refused)
    failures = 0
    waiting: list[_Looked] = []
    try:
        with closing(_answers(session, identifiers)) as answers:
            for looked in answers:
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
    if refused := len(session.intercom.contacts.refused) - refused_before:
        session.log.warning("Intercom refuses to search for %d identifiers.", refused)


def _answers(
    session: Session, identifiers: Iterable[str]
) -> Generator[_Looked | UnavailableError, None, None]:
    field = LOOKUP_FIELDS[session.activation.match_by]
    contacts = session.intercom.contacts

    def look(batch: list[str]) -> _Looked | UnavailableError:
        try:
            return _Looked(batch, contacts.find_users(field, batch))
        except UnavailableError as error:
            return error

    work = batches(identifiers, LOOKUP_SIZE)
    # The first one goes alone: if Intercom refuses so long a list, only this one finds out.
    for batch in islice(work, 1):
        yield look(batch)
    with closing(in_parallel(look, work)) as rest:
        yield from rest


def _record(session: Session, looked: Sequence[_Looked], now: datetime, *, by_email: bool) -> None:
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
