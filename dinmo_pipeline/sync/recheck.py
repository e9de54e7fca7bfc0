"""Read what Intercom has of known members again: some of the oldest facts at each sync, or all on request."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from math import ceil
from typing import NamedTuple

import duckdb

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.contact import Contact
from dinmo_pipeline.intercom.contacts import LOOKUP_SIZE, PAGE_SIZE
from dinmo_pipeline.intercom.errors import (
    MergedError,
    NotFoundError,
    RefusedError,
    UnavailableError,
    UnreadableError,
)
from dinmo_pipeline.state.contacts.directory import (
    count_missing,
    forget_contacts,
    record_contacts,
    signups_unseen_since,
)
from dinmo_pipeline.state.contacts.rechecks import (
    contact_was_merged,
    count_members,
    known_members,
    oldest_facts,
    record_recheck,
    time_since_recheck,
    unseen_contacts,
)
from dinmo_pipeline.state.sql import members_of
from dinmo_pipeline.sync.lookup import DUE_SHARE, list_if_cheaper, look_again, search_members
from dinmo_pipeline.sync.paging import rows_by_page
from dinmo_pipeline.sync.parallel import batches, in_parallel
from dinmo_pipeline.sync.session import Session

# Rechecks spend at most this share of the 10,000 calls that Intercom allows in a minute, and in one sync no
# more than 20,000 calls, which read a million members in two minutes.
_CALLS_PER_MINUTE = 0.05 * 10_000
_MIN_CALLS = 20
_MAX_CALLS = 20_000
_IDENTIFIERS_PER_PAGE = 10_000
# Of a page, so many contacts that were not shown are asked for one by one, since the index lags.
_MAX_SINGLE_CONTACTS = 1_000
_MAX_MERGES = 3  # documented: Intercom follows no more in a row


class _Asked(NamedTuple):
    """A contact that was asked for by its id; None if it is gone, another one if it was merged into that."""

    contact_id: str
    contact: Contact | None


class Facts(NamedTuple):
    """How old what is known of an activation's members may be, and of how many.

    `elapsed` is the time since some were read again; None before the first time. Users who signed up since
    `signups_since` may be members who were missing.
    """

    elapsed: timedelta | None
    known: int
    missing: int
    signups_since: datetime


def facts_of(connection: duckdb.DuckDBPyConnection, activation: Activation, *, now: datetime) -> Facts:
    """The facts about an activation's members."""
    members = members_of(activation.key)
    missing = count_missing(connection, members, activation.destination, activation.match_by)
    return Facts(
        time_since_recheck(connection, activation, now=now),
        count_members(connection, activation.key) - missing,
        missing,
        signups_unseen_since(
            connection, activation.destination, now=now, at_most=timedelta(days=activation.recheck_days)
        ),
    )


def look_for_news(session: Session, facts: Facts, *, now: datetime, everything: bool = False) -> None:
    """Look for sign-ups of missing members, and read known facts again: those that are due, or everything.

    Each sync reads `floor(known members * elapsed / recheck_days / 50)` batches of 50, the oldest first;
    `elapsed` is the time since the last batch. A segment too small for that is read whole in time.

    Raises:
        IntercomError: see the intercom layer; earlier answers are recorded.
    """
    activation = session.activation
    period = timedelta(days=activation.recheck_days)
    share = 1.0 if everything else min((facts.elapsed or timedelta()) / period, 1.0)
    if facts.missing:
        since = facts.signups_since
        look_again(session, facts.missing, since=since, share=share, everything=everything)
    if everything:
        _reread(session, facts, facts.known, _known_members(session), since=now)
    else:
        due = members_due(facts, activation.recheck_days)
        # At first, what is known comes from another activation, and may be as old as that.
        if not (due or share >= DUE_SHARE or facts.elapsed is None):
            return
        with session.state.reading() as connection:
            identifiers = oldest_facts(
                connection,
                activation,
                now=now,
                due_before=now - DUE_SHARE * period,
                at_least=due,
                limit=max_rechecks(period if facts.elapsed is None else facts.elapsed),
            )
        values = (each.as_py() for each in identifiers)
        _reread(session, facts, len(identifiers), values, since=now)
    with session.state.transaction() as connection:
        record_recheck(connection, activation, now=now)


def members_due(facts: Facts, recheck_days: float) -> int:
    """How many of the known members are due to be read again, in whole batches."""
    share = min((facts.elapsed or timedelta()) / timedelta(days=recheck_days), 1.0)
    batches = facts.known * share / LOOKUP_SIZE
    # What has waited long enough is read, even if it is not a whole batch.
    return LOOKUP_SIZE * (ceil(batches) if share >= DUE_SHARE else int(batches))


def max_rechecks(elapsed: timedelta) -> int:
    """The most members that one sync reads again, so long after the last time."""
    calls = _CALLS_PER_MINUTE * elapsed / timedelta(minutes=1)
    return LOOKUP_SIZE * int(min(max(calls, _MIN_CALLS), _MAX_CALLS))


def _reread(
    session: Session,
    facts: Facts,
    count: int,
    identifiers: Iterator[str],
    *,
    since: datetime,
) -> None:
    """Search for so many members, or list the workspace if that takes fewer calls.

    Then ask for the contacts of theirs that no answer showed.
    """
    known, searches = partial(_known_members, session), ceil(count / LOOKUP_SIZE)
    # The workspace has at least the known members, so for less than a third of them it is never listed.
    if searches > facts.known / PAGE_SIZE and list_if_cheaper(session, searches, known):
        for page in batches(known(), _IDENTIFIERS_PER_PAGE):
            _ask_for_unseen(session, page, since=since)
        return
    done = 0
    for page in batches(identifiers, _IDENTIFIERS_PER_PAGE):
        answered = [each for looked in search_members(session, page) for each in looked.identifiers]
        done += len(page)
        session.progress("reading members again", done, count)
        _ask_for_unseen(session, answered, since=since)


def _known_members(session: Session) -> Iterator[str]:
    def read(after: str, limit: int) -> list[str]:
        with session.state.reading() as connection:
            return known_members(connection, session.activation, after=after, limit=limit)

    return rows_by_page(read, str, start="", limit=_IDENTIFIERS_PER_PAGE)


def _ask_for_unseen(session: Session, identifiers: Sequence[str], *, since: datetime) -> None:
    """Ask for known contacts of members that no answer since has shown.

    Such a contact has another email or external id by now, was archived or merged, or the index lags.
    """
    activation = session.activation
    with session.state.reading() as connection:
        unseen = unseen_contacts(
            connection,
            activation.destination,
            activation.match_by,
            identifiers,
            since=since,
            limit=_MAX_SINGLE_CONTACTS,
        )
    asked = [answer for answer in in_parallel(partial(_ask, session), unseen) if answer]
    if any(each.contact is None for each in asked):
        # Before the ledger forgets anybody: in another workspace, nobody would be found.
        session.intercom.verify_again()
    if asked:
        session.state.transact(partial(_record, session=session, asked=asked))


def _ask(session: Session, contact_id: str) -> _Asked | None:
    """Ask for a contact, or for the one it was merged into; None without a definite answer."""
    found = contact_id
    for _ in range(_MAX_MERGES + 1):
        try:
            return _Asked(contact_id, session.intercom.contacts.get(found))
        except MergedError as merged:
            if merged.canonical_id is None:
                break
            found = merged.canonical_id
        except NotFoundError:
            break
        except (RefusedError, UnavailableError, UnreadableError):
            return None
    return _Asked(contact_id, None)


def _record(connection: duckdb.DuckDBPyConnection, *, session: Session, asked: Sequence[_Asked]) -> None:
    destination = session.activation.destination
    for contact_id, contact in asked:
        if contact and contact.id != contact_id:
            contact_was_merged(connection, destination, contact_id, contact.id)
    gone = [each.contact_id for each in asked if each.contact is None or not each.contact.is_user]
    forget_contacts(connection, destination, gone)
    seen = [each.contact for each in asked if each.contact and each.contact.is_user]
    record_contacts(connection, destination, seen, by_email=False, now=session.clock())
