"""Apply an activation's changes: find contacts, judge, tag, untag, and record what Intercom confirmed.

Everything starts from what is stored, so a sync that ended anywhere is completed by the next one.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import duckdb

from dinmo_pipeline.config.declarations import Guards
from dinmo_pipeline.intercom.errors import IntercomError
from dinmo_pipeline.intercom.tags import Tag
from dinmo_pipeline.state.changes import (
    ChangeSet,
    compute_changes,
    newest_touch,
    settle,
    store_changes,
)
from dinmo_pipeline.state.directory import count_ambiguous, count_missing
from dinmo_pipeline.state.file.locks import activation_lock
from dinmo_pipeline.state.ledger import (
    Change,
    PlannedChange,
    is_tagged,
    mark_unconfirmed,
    planned_changes,
)
from dinmo_pipeline.state.readings import (
    Readings,
    StoredReading,
    applied_reading,
    mark_applied,
    newest_reading,
)
from dinmo_pipeline.state.sql import members_of
from dinmo_pipeline.state.syncs import (
    SyncNumbers,
    SyncStatus,
    count_outcomes,
    finish_sync,
    start_sync,
)
from dinmo_pipeline.sync.executing import pages_of, tag_all, untag_all
from dinmo_pipeline.sync.guards.limits import reason_to_hold
from dinmo_pipeline.sync.lookup import look_for_unknown
from dinmo_pipeline.sync.reviewed_plan import difference_from_reviewed
from dinmo_pipeline.sync.session import Session
from dinmo_pipeline.sync.tag import current_tag, make_tag
from dinmo_pipeline.sync.tagging import Tagger, TagVanishedError

# Each is marked in the ledger before its call; where rows lie scattered, that takes DuckDB 20 KB each.
_CHANGES_PER_PAGE = 2_000


@dataclass(frozen=True, slots=True)
class SyncResult:
    """How a sync ended; `reason` says why when it is not ok."""

    activation: str
    status: SyncStatus
    reason: str | None
    numbers: SyncNumbers


@dataclass(frozen=True, slots=True)
class _Judged:
    """The change set to apply, what it was read from, and at which touch it leaves the activation settled."""

    changes: ChangeSet
    touched: int
    entered: int
    reading: StoredReading | None
    applied: StoredReading | None

    @property
    def readings(self) -> Readings:
        """What the guard compares."""
        return Readings(self.reading.rows if self.reading else None, self.applied)


def apply_changes(
    session: Session,
    locks: Path,
    *,
    allow_large_removal: bool = False,
    expected_changes: str | None = None,
) -> SyncResult:
    """Make Intercom right for one activation, as far as its stored membership says.

    `locks` is the folder of the activation locks. With `expected_changes` (see reviewed.py) another change
    set than the reviewed one is held. An unsuccessful sync is a result, not an exception.

    Raises:
        StateError: the state cannot be used, or another sync of the activation does not end.
    """
    # It goes on for as long as Intercom's limits make it: beside other runs, so in little memory.
    session = replace(session, state=session.state.sparing())
    with activation_lock(
        locks,
        session.activation.key,
        on_wait=session.log.warning,
    ):
        started = time.monotonic()
        calls_before = session.intercom.calls
        with session.state.transaction() as connection:
            start_sync(connection, session.sync_id, session.activation.key, now=session.clock())
        judged, status, reason = _carry_out(
            session, allow_large_removal=allow_large_removal, expected_changes=expected_changes
        )
        return _finish(
            session,
            judged,
            status,
            reason,
            calls=session.intercom.calls - calls_before,
            started=started,
        )


def _carry_out(
    session: Session, *, allow_large_removal: bool, expected_changes: str | None
) -> tuple[_Judged, SyncStatus, str | None]:
    judged: _Judged | None = None
    if expected_changes:
        # Before anything is written to Intercom: also a new name is part of what was reviewed.
        reason = difference_from_reviewed(session.state, session.activation, expected_changes)
        if reason:
            return _judge(session), "held", reason
    try:
        tag = current_tag(session)
        judged = _judge(session)
        if tag is None and judged.changes.entered:
            # Nothing so far has shown that the contacts known are this workspace's.
            session.intercom.verify_again()
        judged = _resolve(session, judged)
        reason = reason_to_hold(
            judged.changes, judged.readings, session.activation.guards, looked=True
        )
        if reason and not allow_large_removal:
            return judged, "held", reason
        if tag is None and judged.changes.entered > judged.changes.unknown:
            tag = make_tag(session)
        if tag is not None:
            _change_tags(session, tag, judged.changes)
    except TagVanishedError:
        reason = "The tag was deleted in Intercom meanwhile; the next sync makes it again."
        return judged or _judge(session), "failed", reason
    except IntercomError as error:
        return judged or _judge(session), "failed", str(error)
    return judged, "ok", None


def _judge(session: Session) -> _Judged:
    """Compare anew, since the stored change set may be older than the ledger; keep the result."""

    def judged(connection: duckdb.DuckDBPyConnection) -> _Judged:
        changes = compute_changes(connection, session.activation)
        store_changes(connection, session.activation)
        return _Judged(
            changes,
            touched=newest_touch(connection, session.activation.destination),
            entered=changes.entered,
            reading=newest_reading(connection, session.activation),
            applied=applied_reading(connection, session.activation),
        )

    return session.state.transact(judged)


def _resolve(session: Session, before: _Judged) -> _Judged:
    """Look for the members that are unknown, and compare again with what was found."""
    if not before.changes.unknown:
        return before
    look_for_unknown(session, before.changes.unknown)
    after = _judge(session)
    # Who entered and turned out not to be in Intercom is no change any more, but did enter.
    absent = after.changes.not_in_intercom - before.changes.not_in_intercom
    return replace(after, entered=after.changes.entered + absent)


def _change_tags(session: Session, tag: Tag, changes: ChangeSet) -> None:
    tagger = Tagger(session.intercom.tags, tag, is_tagged=partial(_is_tagged, session))

    if entered := changes.entered - changes.unknown:
        tag_all(session, tagger, "tagging", entered, _planned(session, "entered"))
    if changes.left:
        untag_all(session, tagger, changes.left, _planned(session, "left"))


def _is_tagged(session: Session, contact_id: str) -> bool:
    with session.state.reading() as connection:
        return is_tagged(
            connection, session.activation.key, session.activation.destination, contact_id
        )


def _planned(session: Session, change: Change) -> Iterator[PlannedChange]:
    """The changes of one kind, each marked as unconfirmed in the ledger before it is given."""
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
    session: Session,
    judged: _Judged,
    status: SyncStatus,
    reason: str | None,
    *,
    calls: int,
    started: float,
) -> SyncResult:
    """Close the sync with its numbers; it counts as failed, too, when too many of its changes did."""
    activation = session.activation

    def finished(connection: duckdb.DuckDBPyConnection) -> SyncResult:
        numbers = _numbers(connection, session, judged, carried_through=status == "ok")
        numbers = replace(numbers, api_calls=calls, seconds=round(time.monotonic() - started, 3))
        too_many = _too_many_failed(judged, numbers, activation.guards) if status == "ok" else None
        if status == "ok" and not too_many:
            settle(connection, activation.key, judged.touched)
            if judged.reading and not judged.changes.unknown:
                mark_applied(connection, activation, judged.reading)
        result = SyncResult(
            activation.key, "failed" if too_many else status, too_many or reason, numbers
        )
        finish_sync(
            connection,
            session.sync_id,
            result.status,
            result.reason,
            numbers,
            now=session.clock(),
        )
        return result

    return session.state.transact(finished)


def _numbers(
    connection: duckdb.DuckDBPyConnection,
    session: Session,
    judged: _Judged,
    *,
    carried_through: bool,
) -> SyncNumbers:
    activation = session.activation
    members = members_of(activation.key)
    where = (activation.destination, activation.match_by)
    outcomes = count_outcomes(connection, session.sync_id)
    tried = outcomes.tagged + outcomes.untagged + outcomes.failed + outcomes.pending
    untried = 0 if carried_through else judged.changes.entered + judged.changes.left - tried
    return SyncNumbers(
        members=judged.changes.members,
        entered=judged.entered,
        left=judged.changes.left,
        tagged=outcomes.tagged,
        untagged=outcomes.untagged,
        not_in_intercom=count_missing(connection, members, *where),
        ambiguous=count_ambiguous(connection, members, *where),
        failed=outcomes.failed,
        pending=outcomes.pending + max(untried, 0),
    )


def _too_many_failed(judged: _Judged, numbers: SyncNumbers, guards: Guards) -> str | None:
    """Why a sync that was carried through failed all the same, in words; None when it did not."""
    unsuccessful = numbers.failed + numbers.pending
    wanted = judged.entered + judged.changes.left
    if unsuccessful <= wanted * guards.max_failed_share:
        return None
    return (
        f"{unsuccessful:,} of {wanted:,} changes were not carried out; max_failed_share"
        f" allows {guards.max_failed_share:.0%}. `dinmo.change_log` has each reason."
    )
