"""Reconcile: compare the contacts that carry the tag with the ledger, and repair differences if asked to."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Literal

import duckdb

from dinmo_pipeline.intercom.errors import IntercomError, RefusedError, UnavailableError
from dinmo_pipeline.intercom.tags import Tag
from dinmo_pipeline.state.changes import ChangeSet
from dinmo_pipeline.state.file.locks import activation_lock
from dinmo_pipeline.state.ledger import PlannedChange
from dinmo_pipeline.state.membership import Stage
from dinmo_pipeline.state.readings import compared_readings, count_incoming
from dinmo_pipeline.state.reconcile import (
    Drift,
    DriftTable,
    adopt,
    compare_carriers,
    drift_page,
    facts_changed,
    has_differed,
    not_missing,
    record_facts,
    record_reconciliation,
    stage_carriers,
)
from dinmo_pipeline.state.tags.carriers import other_carriers, record_other_carriers
from dinmo_pipeline.state.tags.owners import ActivationTag, activation_tag, record_tag
from dinmo_pipeline.sync.carriers import carriers_of, carries, tag_as_it_is
from dinmo_pipeline.sync.executing import pages_of, tag_all, untag_all
from dinmo_pipeline.sync.guards.holds import repair_remedy
from dinmo_pipeline.sync.guards.limits import NOTHING_RELEASED, Released, reason_to_hold
from dinmo_pipeline.sync.parallel import in_parallel
from dinmo_pipeline.sync.session import Session
from dinmo_pipeline.sync.tag import current_tag, tag_is_owned
from dinmo_pipeline.sync.tagging import TagChangedError, Tagger
from dinmo_pipeline.text.wording import counted

RECENT_MINUTES = 10.0
# To verify a contact takes a call, while tagging 50 contacts again takes one and is harmless.
_MAX_VERIFIED = 1_000
_CHANGES_PER_PAGE = 10_000

DriftStatus = Literal["ok", "drift", "repaired", "held", "failed"]


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a reconciliation found and repaired, in contacts.

    Attributes:
        activation: key of the activation.
        status: ok; drift, when differences remain; repaired; held, when a guard held the repair; failed.
        reason: why it is not ok, if there is more to say.
        expected: should carry the tag, by ledger and membership.
        found: carry the tag.
        missing: are expected and do not carry the tag.
        unexpected: carry the tag without a ledger row, and concern us: members to adopt, or contacts that
            we once tagged or untagged.
        foreign: carry the tag because somebody else put it there.
        repaired: were missing or unexpected, and are right now.
        api_calls: calls to Intercom.
        seconds: how long it took.
        is_transient: it failed, and the same may succeed later.
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
    is_transient: bool = False


def reconcile(
    session: Session,
    locks: Path,
    stage: Stage,
    *,
    repair: bool = False,
    take_over: bool = False,
    released: Released = NOTHING_RELEASED,
    recent: timedelta = timedelta(minutes=RECENT_MINUTES),
) -> Reconciled:
    """Compare the contacts that carry the tag with the ledger and the current segment.

    `stage` reads the segment's members. With `repair`, missing contacts are tagged again, unexpected ones
    untagged, and members who carry the tag adopted. Adopting takes no call, so a lost state is rebuilt
    without untagging anybody. With `take_over`, or if the activation declares it, foreign contacts are
    untagged as well. The guards hold a repair as they hold a sync, unless a person `released` it.
    Changes of the last `recent` are left out, since search may lag. Intercom's
    failures are a result, not an exception.

    Raises:
        StateError: the state cannot be used, or another sync of the activation does not end.
    """
    key = session.activation.key
    with activation_lock(locks, key, on_wait=session.log.warning):
        started, calls_before = time.monotonic(), session.intercom.calls
        session = replace(session, records_workspace=repair)
        try:
            take_over = take_over or session.activation.on_existing_carriers == "take_over"
            choices = _Choices(repair=repair, take_over=take_over, released=released, recent=recent)
            found = _reconcile(session, locks, stage, choices)
        except TagChangedError as error:
            found = Reconciled(key, "failed", str(error), is_transient=True)
        except IntercomError as error:
            is_transient = isinstance(error, UnavailableError)
            found = Reconciled(key, "failed", str(error), is_transient=is_transient)
        else:
            _record(session, found)
        return replace(
            found,
            api_calls=session.intercom.calls - calls_before,
            seconds=round(time.monotonic() - started, 3),
        )


def _record(session: Session, found: Reconciled) -> None:
    """Record what was found, unless nothing was and nothing is known to have differed: that is no news."""
    if found.status == "ok":
        with session.state.reading() as connection:
            if not has_differed(connection, session.activation):
                return
    with session.state.transaction() as connection:
        record_reconciliation(connection, session.activation, asdict(found), now=session.clock())


@dataclass(frozen=True, slots=True)
class _Choices:
    """What was asked for; see `reconcile`."""

    repair: bool
    take_over: bool
    released: Released
    recent: timedelta


def _reconcile(session: Session, locks: Path, stage: Stage, choices: _Choices) -> Reconciled:
    activation, now = session.activation, session.clock()
    with session.state.scratch() as connection:
        staged = stage(connection)
        rows = count_incoming(connection, activation.match_by, staged.identifier_type)
        tag = tag_as_it_is(session)
        stage_carriers(connection, carriers_of(session, tag) if tag else ())
        _record_facts(session, connection)
        with session.state.attached(connection, read_only=True):
            drift = compare_carriers(
                connection,
                activation,
                recent_since=now - choices.recent,
                now=now,
                take_over=choices.take_over,
            )
            readings = compared_readings(connection, activation, rows, leaving=drift.removable, at=now)
            counted_before = other_carriers(connection, activation.key, activation.destination)
        if (counted_before or 0) != drift.foreign:
            with session.state.transaction(connection):
                record_other_carriers(
                    connection, activation.key, activation.destination, drift.foreign, now=now
                )
        if tag:
            drift = _verified(session, connection, tag, drift)
        hold = reason_to_hold(
            _removal(drift, take_over=choices.take_over),
            readings,
            activation.guards,
            released=choices.released,
        )
        if choices.repair and hold and drift.removable:
            return replace(
                _summary(activation.key, drift, 0, tag, take_over=choices.take_over),
                status="held",
                reason=f"{hold.sentence} {repair_remedy(activation.key)}",
            )
        repaired = _repair(session, locks, connection, tag, drift) if choices.repair else 0
    return _summary(activation.key, drift, repaired, tag, take_over=choices.take_over)


def _record_facts(session: Session, connection: duckdb.DuckDBPyConnection) -> None:
    """Put emails and external ids that the carriers' pages show anyway into the directory, if any is new."""
    destination = session.activation.destination
    with session.state.attached(connection, read_only=True):
        changed = facts_changed(connection, destination)
    if changed:
        with session.state.transaction(connection):
            record_facts(connection, destination, now=session.clock())


def _removal(drift: Drift, *, take_over: bool) -> ChangeSet:
    """What a repair would untag, as the guards judge it: of the carriers that are ours, or will be."""
    ours = drift.found if take_over else drift.found - drift.foreign
    return ChangeSet(
        members=drift.members,
        entered=0,
        left=drift.removable,
        unknown=0,
        not_in_intercom=0,
        skipped=0,
        tagged_contacts=ours,
        leaving_contacts=drift.removable,
        tagged_members=ours,
    )


def _summary(key: str, drift: Drift, repaired: int, tag: Tag | None, *, take_over: bool) -> Reconciled:
    unexpected = drift.adoptable + drift.removable - (drift.foreign if take_over else 0)
    remaining = drift.missing + drift.adoptable + drift.removable - repaired
    status: DriftStatus = "drift" if remaining > 0 else "repaired" if repaired else "ok"
    reason = None
    if status == "drift" and tag is None:
        reason = "The tag was deleted in Intercom. The next sync, or --repair, will create it again."
    elif status == "drift" and take_over and drift.foreign:
        reason = (
            f"{counted(drift.foreign, 'contact')} that we did not tag, and that are not members, would lose"
            f" the tag. To take it over: dinmo reconcile {key} --take-over --repair"
        )
    return Reconciled(
        activation=key,
        status=status,
        reason=reason,
        expected=drift.expected,
        found=drift.found,
        missing=drift.missing,
        unexpected=unexpected,
        foreign=drift.foreign,
        repaired=repaired,
    )


def _verified(session: Session, connection: duckdb.DuckDBPyConnection, tag: Tag, drift: Drift) -> Drift:
    """Verify missing contacts one by one, up to a limit, since search may lag."""

    def ask(change: PlannedChange) -> str | None:
        try:
            return change.contact_id if carries(session, tag, change.contact_id) else None
        except (RefusedError, UnavailableError):
            return None

    doubtful = drift_page(connection, "drift_missing", after=0, limit=_MAX_VERIFIED)
    present = [contact_id for contact_id in in_parallel(ask, doubtful) if contact_id]
    if present:
        not_missing(connection, present)
    return replace(drift, missing=drift.missing - len(present), found=drift.found + len(present))


def _repair(
    session: Session, locks: Path, connection: duckdb.DuckDBPyConnection, tag: Tag | None, drift: Drift
) -> int:
    """Repair differences; returns the number of contacts that are right now."""
    if not (drift.missing or drift.adoptable or drift.removable):
        return 0
    # Without a tag all expected contacts are missing; it is created again as in a sync.
    tag = tag or current_tag(session, locks)
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


def _adopted(session: Session, connection: duckdb.DuckDBPyConnection, tag: Tag, drift: Drift) -> int:
    """Put members who carry the tag into the ledger, without a call; returns their number."""
    if not drift.adoptable:
        return 0
    activation = session.activation
    with session.state.transaction(connection):
        if activation_tag(connection, activation.key, activation.destination) is None:
            ours = ActivationTag(tag.id, activation.name)
            owner = record_tag(connection, activation.key, activation.destination, ours)
            if owner:
                raise tag_is_owned(session, tag.name, owner)
        adopt(connection, activation, session.sync_id, now=session.clock())
    return drift.adoptable
