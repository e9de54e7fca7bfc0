"""Apply an activation's changes: look members up, judge, tag, untag, and record what Intercom confirmed.

Everything starts from what is stored, so the next sync completes one that ended anywhere.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import duckdb

from dinmo_pipeline.intercom.errors import IntercomError
from dinmo_pipeline.intercom.tags import Tag
from dinmo_pipeline.state.changes import (
    ChangeSet,
    compute_changes,
    newest_touch,
    record_hold,
    settle,
    store_changes,
)
from dinmo_pipeline.state.contacts.directory import count_ambiguous, count_missing
from dinmo_pipeline.state.file.locks import activation_lock
from dinmo_pipeline.state.ledger import (
    Change,
    PlannedChange,
    count_tagged,
    is_tagged,
    mark_unconfirmed,
    planned_changes,
)
from dinmo_pipeline.state.readings import (
    NOBODY_MOVED,
    Readings,
    StoredReading,
    compared_readings,
    mark_applied,
    newest_reading,
)
from dinmo_pipeline.state.sql import members_of
from dinmo_pipeline.state.syncs import SyncResult, count_outcomes, finish_sync, start_sync
from dinmo_pipeline.state.tags.carriers import other_carriers, record_other_carriers
from dinmo_pipeline.state.tags.strays import StrayTag, record_strays, stray_tags
from dinmo_pipeline.sync.carriers import look_at_carriers
from dinmo_pipeline.sync.executing import pages_of, tag_all, untag_all
from dinmo_pipeline.sync.guards.holds import Hold
from dinmo_pipeline.sync.guards.limits import NOTHING_RELEASED, Released, reason_to_hold
from dinmo_pipeline.sync.lookup import look_for_unknown
from dinmo_pipeline.sync.operations.sync_result import (
    NOBODY_LOOKED_UP,
    CurrentMembers,
    Failed,
    LookedUp,
    Spent,
    sync_numbers,
    sync_result,
)
from dinmo_pipeline.sync.reviewed_plan import difference_from_reviewed
from dinmo_pipeline.sync.session import Session
from dinmo_pipeline.sync.strays import clean_up_strays
from dinmo_pipeline.sync.tag import KnownTag, current_tag, known_tag, make_tag
from dinmo_pipeline.sync.tagging import TagChangedError, Tagger

# Each change is marked in the ledger before its call; if its rows lie scattered, DuckDB needs 20 KB for each.
_CHANGES_PER_PAGE = 2_000


@dataclass(frozen=True, slots=True)
class _Comparison:
    """The change set to apply, and what it was computed from.

    `touched` is the newest touch of a contact that it knew.
    """

    changes: ChangeSet
    touched: int
    reading: StoredReading | None
    readings: Readings
    strays: Sequence[StrayTag]
    looked_up: LookedUp = NOBODY_LOOKED_UP

    @property
    def is_work(self) -> bool:
        """Whether there is anything to do in Intercom."""
        return bool(self.changes.to_apply or self.strays)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A change set, and why a sync did not carry it out; None when it did.

    `was_released` if a guard held it, and a person released it.
    """

    comparison: _Comparison
    stopped: Hold | Failed | None = None
    was_released: bool = False


def apply_changes(
    session: Session,
    locks: Path,
    *,
    released: Released = NOTHING_RELEASED,
    expected_changes: str | None = None,
) -> SyncResult:
    """Make Intercom match the stored membership of one activation.

    `locks` is the folder of the activation locks. With `expected_changes`, the fingerprint of a reviewed
    plan, any other change set is held. An unsuccessful sync is a result, not an exception.

    Raises:
        StateError: the state cannot be used, or another sync of the activation does not end.
    """
    # Intercom's limits decide how long it takes, beside other runs: so it must need little memory.
    session = replace(session, state=session.state.sparing())
    with activation_lock(locks, session.activation.key, on_wait=session.log.warning):
        started, calls_before = time.monotonic(), session.intercom.calls
        with session.state.transaction() as connection:
            start_sync(connection, session.sync_id, session.activation.key, now=session.clock())
            in_state = known_tag(connection, session.activation)

        def finish(connection: duckdb.DuckDBPyConnection, attempt: _Attempt) -> SyncResult:
            spent = Spent(session.intercom.calls - calls_before, time.monotonic() - started)
            return _finish(connection, session=session, attempt=attempt, spent=spent)

        attempt = _attempt(
            session, locks, in_state, released=released, expected_changes=expected_changes, finish=finish
        )
        if isinstance(attempt, SyncResult):
            return attempt
        return session.state.transact(partial(finish, attempt=attempt))


def _attempt(
    session: Session,
    locks: Path,
    in_state: KnownTag,
    *,
    released: Released,
    expected_changes: str | None,
    finish: Callable[[duckdb.DuckDBPyConnection, _Attempt], SyncResult],
) -> _Attempt | SyncResult:
    """What became of the changes, or the result of a sync that had nothing to do in Intercom."""
    if expected_changes:
        # Before anything is written to Intercom: a new tag name is part of what was reviewed, too.
        other = difference_from_reviewed(session.state, session.activation, expected_changes)
        if other:
            return _Attempt(_compare(session), other)
    try:
        tag = current_tag(session, locks, in_state)
    except IntercomError as error:
        return _Attempt(_compare(session), Failed.by(error))

    def compare_and_finish(connection: duckdb.DuckDBPyConnection) -> _Comparison | SyncResult:
        compared = _compared(connection, session)
        if compared.is_work:
            return compared
        return finish(connection, _judged(session, compared, released))

    unresolved = session.state.transact(compare_and_finish)
    if isinstance(unresolved, SyncResult):
        return unresolved
    try:
        clean_up_strays(session, unresolved.strays)
        if tag and unresolved.changes.to_apply and _took_over_carriers(session, tag):
            unresolved = _compare(session)
        comparison = _look_up_unknown(session, tag, unresolved)
    except IntercomError as error:
        return _Attempt(unresolved, Failed.by(error))
    judged = _judged(session, comparison, released)
    if judged.stopped:
        return judged
    return replace(judged, stopped=_change_tags(session, locks, tag, comparison.changes))


def _judged(session: Session, comparison: _Comparison, released: Released) -> _Attempt:
    """A change set as the guards see it: held, or free to be carried out."""
    judge = partial(
        reason_to_hold,
        comparison.changes,
        comparison.readings,
        session.activation.guards,
        looked=True,
    )
    if hold := judge(released=released):
        return _Attempt(comparison, hold)
    return _Attempt(comparison, was_released=released != NOTHING_RELEASED and judge() is not None)


def _took_over_carriers(session: Session, tag: Tag) -> bool:
    """Count the carriers; whether any were taken over. If they cannot be counted, the sync goes on."""
    try:
        return look_at_carriers(session, tag)
    except IntercomError as error:
        session.log.warning("Could not count who carries the tag: %s", error)
        return False


def _compare(session: Session) -> _Comparison:
    """Compute and store the change set again: the stored one may be older than the ledger."""
    return session.state.transact(partial(_compared, session=session))


def _compared(connection: duckdb.DuckDBPyConnection, session: Session) -> _Comparison:
    changes = compute_changes(connection, session.activation)
    store_changes(connection, session.activation)
    reading = newest_reading(connection, session.activation)
    return _Comparison(
        changes,
        touched=newest_touch(connection, session.activation.destination),
        reading=reading,
        readings=compared_readings(
            connection,
            session.activation,
            reading.rows if reading else None,
            leaving=changes.leaving_contacts,
            at=session.clock(),
        ),
        strays=stray_tags(connection, session.activation.key, session.activation.destination),
    )


def _look_up_unknown(session: Session, tag: Tag | None, before: _Comparison) -> _Comparison:
    """Look for the members that were never looked up, and compare again with what was found.

    Raises:
        IntercomError: see the intercom layer.
    """
    if tag is None and before.changes.entered:
        # Nothing so far has shown that the known contacts belong to this workspace.
        session.intercom.verify_again()
    if not before.changes.unknown:
        return before
    look_for_unknown(session, before.changes.unknown)
    after = _compare(session)
    # Who entered and turned out to have no user, or several, is not a change any more, but did enter.
    return replace(
        after,
        looked_up=LookedUp(
            not_found=max(after.changes.not_in_intercom - before.changes.not_in_intercom, 0),
            skipped=max(after.changes.skipped - before.changes.skipped, 0),
        ),
    )


def _change_tags(session: Session, locks: Path, tag: Tag | None, changes: ChangeSet) -> Failed | None:
    """Tag and untag; why that was not carried through, or None when it was."""
    try:
        if tag is None and changes.entered > changes.unknown:
            tag = make_tag(session, locks)
            _record_no_carriers(session)
        if tag is not None:
            _tag_and_untag(session, tag, changes)
    except TagChangedError as error:
        return Failed(str(error), is_transient=True)
    except IntercomError as error:
        return Failed.by(error)
    return None


def _record_no_carriers(session: Session) -> None:
    """Record that nobody carries the tag that was just made."""
    activation = session.activation
    with session.state.transaction() as connection:
        record_other_carriers(connection, activation.key, activation.destination, 0, now=session.clock())


def _tag_and_untag(session: Session, tag: Tag, changes: ChangeSet) -> None:
    tagger = Tagger(
        session.intercom.tags,
        tag,
        is_tagged=partial(_is_tagged, session),
        on_stray=partial(_record_stray, session),
    )

    if entered := changes.entered - changes.unknown:
        tag_all(session, tagger, "tagging", entered, _planned(session, "entered"))
    if changes.left:
        untag_all(session, tagger, changes.left, _planned(session, "left"))


def _is_tagged(session: Session, contact_id: str) -> bool:
    with session.state.reading() as connection:
        return is_tagged(connection, session.activation.key, session.activation.destination, contact_id)


def _record_stray(session: Session, tag: Tag, contact_ids: Sequence[str]) -> None:
    activation = session.activation
    with session.state.transaction() as connection:
        record_strays(connection, activation.key, activation.destination, tag.id, contact_ids)


def _planned(session: Session, change: Change) -> Iterator[PlannedChange]:
    """The changes of one kind, each marked as unconfirmed in the ledger before it is yielded."""
    activation = session.activation

    def read(after: int, limit: int) -> list[PlannedChange]:
        def read_and_mark(connection: duckdb.DuckDBPyConnection) -> list[PlannedChange]:
            page = planned_changes(connection, activation.key, change, after=after, limit=limit)
            if page:
                mark_unconfirmed(connection, activation.key, activation.destination, page)
            return page

        return session.state.transact(read_and_mark)

    return pages_of(read, _CHANGES_PER_PAGE)


def _finish(
    connection: duckdb.DuckDBPyConnection, *, session: Session, attempt: _Attempt, spent: Spent
) -> SyncResult:
    """Close the sync with its result; a successful one leaves the activation settled."""
    activation, comparison = session.activation, attempt.comparison
    members = members_of(activation.key)
    where = (activation.destination, activation.match_by)
    numbers = sync_numbers(
        comparison.changes,
        comparison.looked_up,
        count_outcomes(connection, session.sync_id, session.activation.key),
        CurrentMembers(
            not_in_intercom=count_missing(connection, members, *where),
            ambiguous=count_ambiguous(connection, members, *where),
        ),
        spent,
        moves=comparison.reading.moves if comparison.reading else NOBODY_MOVED,
        other_carriers=other_carriers(connection, activation.key, activation.destination),
        tagged_contacts=count_tagged(connection, activation.key),
    )
    result = sync_result(numbers, attempt.stopped, activation.guards.max_failed_share)
    if result.status == "ok":
        settle(connection, activation.key, comparison.touched)
        if comparison.reading and not comparison.changes.unknown:
            mark_applied(connection, activation, comparison.reading, released=attempt.was_released)
    if isinstance(attempt.stopped, Hold):
        record_hold(connection, activation.key, attempt.stopped.reason, attempt.stopped.sentence)
    finish_sync(connection, session.sync_id, session.activation.key, result, now=session.clock())
    return replace(result, tagged_contacts=count_tagged(connection, activation.key))
