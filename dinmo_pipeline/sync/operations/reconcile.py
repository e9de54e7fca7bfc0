"""Reconcile: read who carries the tag, tell what differs from the ledger, and repair it on request."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa

from dinmo_pipeline.intercom.errors import IntercomError, RefusedError, UnavailableError
from dinmo_pipeline.intercom.tags import Tag
from dinmo_pipeline.state.file.locks import activation_lock
from dinmo_pipeline.state.ledger import (
    ActivationTag,
    PlannedChange,
    activation_tag,
    record_tag,
)
from dinmo_pipeline.state.membership import stage_members
from dinmo_pipeline.state.reconcile import (
    Drift,
    DriftTable,
    adopt,
    compare_carriers,
    drift_page,
    not_missing,
    stage_carriers,
)
from dinmo_pipeline.sync.carriers import carriers_of, carries, tag_as_it_is
from dinmo_pipeline.sync.executing import pages_of, tag_all, untag_all
from dinmo_pipeline.sync.parallel import in_parallel
from dinmo_pipeline.sync.session import Session
from dinmo_pipeline.sync.tag import current_tag
from dinmo_pipeline.sync.tagging import Tagger, TagVanishedError

RECENT_MINUTES = 10.0
# Each contact asked for itself costs a call, while tagging 50 again costs one and is harmless.
_MOST_VERIFIED = 1_000
_CHANGES_PER_PAGE = 10_000

Members = Callable[[], AbstractContextManager[pa.RecordBatchReader]]
DriftStatus = Literal["ok", "drift", "repaired", "failed"]


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a reconciliation found, in contacts, and what of it was repaired.

    `expected` should carry the tag by ledger and membership; `found` carry it. `missing` are expected
    and do not carry it. `unexpected` carry it without a ledger row and are ours: members to adopt, or
    contacts we tagged or untagged once. `foreign` carry it because somebody else put it there.
    """

    activation: str
    status: DriftStatus
    reason: str | None = None
    expected: int = 0
    found: int = 0
    missing: int = 0
    unexpected: int = 0
    foreign: int = 0
    repaired: int = 0
    api_calls: int = 0
    seconds: float = 0.0


def reconcile(
    session: Session,
    locks: Path,
    members: Members,
    *,
    repair: bool = False,
    recent: timedelta = timedelta(minutes=RECENT_MINUTES),
) -> Reconciled:
    """Compare who carries the tag with the ledger and the segment of now; repair what differs if asked to.

    `members` opens the segment's rows (one text column `identifier`). Repairing tags missing contacts
    again, untags unexpected ones, and adopts members who carry the tag: without a call, so that lost
    state is rebuilt and nobody flickers. Intercom's failures are a result, not an exception.

    Raises:
        StateError: the state cannot be used, or another sync of the activation does not end.
    """
    key = session.activation.key
    with activation_lock(locks, key, on_wait=session.log.warning):
        started, calls_before = time.monotonic(), session.intercom.calls
        session = replace(session, records_workspace=repair)
        try:
            found = _reconcile(session, members, repair=repair, recent=recent)
        except TagVanishedError:
            found = Reconciled(key, "failed", "The tag was deleted in Intercom meanwhile.")
        except IntercomError as error:
            found = Reconciled(key, "failed", str(error))
        return replace(
            found,
            api_calls=session.intercom.calls - calls_before,
            seconds=round(time.monotonic() - started, 3),
        )


def _reconcile(
    session: Session, members: Members, *, repair: bool, recent: timedelta
) -> Reconciled:
    since = session.clock() - recent
    with session.state.scratch() as connection:
        with members() as rows:
            stage_members(connection, rows, session.activation.match_by)
        tag = tag_as_it_is(session)
        stage_carriers(connection, carriers_of(session, tag) if tag else ())
        with session.state.attached(connection, read_only=True):
            drift = compare_carriers(connection, session.activation, recent_since=since)
        if tag:
            drift = _verified(session, connection, tag, drift)
        repaired = _repair(session, connection, tag, drift) if repair else 0
    return _told(session.activation.key, drift, repaired, tag_exists=tag is not None)


def _told(key: str, drift: Drift, repaired: int, *, tag_exists: bool) -> Reconciled:
    unexpected = drift.adoptable + drift.removable
    remaining = drift.missing + unexpected - repaired
    status: DriftStatus = "drift" if remaining > 0 else "repaired" if repaired else "ok"
    gone = "The tag was deleted in Intercom; the next sync, or --repair, makes it again."
    return Reconciled(
        activation=key,
        status=status,
        reason=gone if status == "drift" and not tag_exists else None,
        expected=drift.expected,
        found=drift.found,
        missing=drift.missing,
        unexpected=unexpected,
        foreign=drift.foreign,
        repaired=repaired,
    )


def _verified(
    session: Session, connection: duckdb.DuckDBPyConnection, tag: Tag, drift: Drift
) -> Drift:
    """Ask for missing contacts one by one, up to a bound: search may show less than there is."""

    def ask(change: PlannedChange) -> str | None:
        try:
            return change.contact_id if carries(session, tag, change.contact_id) else None
        except (RefusedError, UnavailableError):
            return None

    doubtful = drift_page(connection, "drift_missing", after=0, limit=_MOST_VERIFIED)
    present = [contact_id for contact_id in in_parallel(ask, doubtful) if contact_id]
    if present:
        not_missing(connection, present)
    return replace(drift, missing=drift.missing - len(present), found=drift.found + len(present))


def _repair(
    session: Session, connection: duckdb.DuckDBPyConnection, tag: Tag | None, drift: Drift
) -> int:
    """Repair what differs; how many contacts are right now."""
    if not (drift.missing or drift.adoptable or drift.removable):
        return 0
    # Only a deleted tag leaves contacts missing and none to be found; a sync makes it again just so.
    tag = tag or current_tag(session)
    if tag is None:
        return 0
    repaired = _adopted(session, connection, tag, drift)
    tagger = Tagger(session.intercom.tags, tag)

    missing = _pages(connection, "drift_missing")
    removable = _pages(connection, "drift_removable")
    tagged = tag_all(session, tagger, "tagging again", drift.missing, missing)
    untagged = untag_all(session, tagger, drift.removable, removable)
    done = tagged + untagged
    return repaired + done["applied"] + done["gone"]


def _pages(connection: duckdb.DuckDBPyConnection, table: DriftTable) -> Iterator[PlannedChange]:
    return pages_of(
        lambda after, limit: drift_page(connection, table, after=after, limit=limit),
        _CHANGES_PER_PAGE,
    )


def _adopted(
    session: Session, connection: duckdb.DuckDBPyConnection, tag: Tag, drift: Drift
) -> int:
    """Take members who carry the tag into the ledger, without a call; how many."""
    if not drift.adoptable:
        return 0
    activation = session.activation
    with session.state.transaction(connection):
        if activation_tag(connection, activation.key, activation.destination) is None:
            ours = ActivationTag(tag.id, activation.name)
            record_tag(connection, activation.key, activation.destination, ours)
        adopt(connection, activation, session.sync_id, now=session.clock())
    return drift.adoptable
