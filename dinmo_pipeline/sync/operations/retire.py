"""Retire an activation: untag the contacts that we tagged, and close it in the state."""

import logging
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

import duckdb

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.config.strict_yaml.problems import Place
from dinmo_pipeline.intercom.errors import IntercomError
from dinmo_pipeline.intercom.tags import Tag
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.file.locks import activation_lock
from dinmo_pipeline.state.retire import (
    RetiredTag,
    close_activation,
    close_destination,
    drop_ledger,
    removals_page,
    retired_tags,
    stage_removals,
)
from dinmo_pipeline.state.syncs import (
    SyncNumbers,
    SyncResult,
    count_outcomes,
    finish_sync,
    start_sync,
)
from dinmo_pipeline.state.tags.owners import TagOwner, activation_tag, move_tag
from dinmo_pipeline.sync.executing import pages_of, untag_all
from dinmo_pipeline.sync.session import Session, utc_now
from dinmo_pipeline.sync.tag import existing_tag
from dinmo_pipeline.sync.tagging import TagChangedError, Tagger

_CHANGES_PER_PAGE = 10_000


@dataclass(frozen=True, slots=True)
class Retired:
    """How a retirement ended, in contacts.

    `kept` still carry the tag, as requested; `gone` are not in Intercom any more.
    """

    activation: str
    status: Literal["ok", "failed"] = "ok"
    reason: str | None = None
    untagged: int = 0
    gone: int = 0
    kept: int = 0
    failed: int = 0
    pending: int = 0
    api_calls: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Retired") -> "Retired":
        """Both together, of one activation in two state files; failed if one of them is."""
        worse = other if self.status == "ok" else self
        return Retired(
            self.activation,
            worse.status,
            worse.reason,
            self.untagged + other.untagged,
            self.gone + other.gone,
            self.kept + other.kept,
            self.failed + other.failed,
            self.pending + other.pending,
            self.api_calls + other.api_calls,
            round(self.seconds + other.seconds, 3),
        )


def retired_activation(key: str, destination: str, tag_name: str) -> Activation:
    """A stand-in for an activation to retire, which may no longer be declared."""
    return Activation(
        key=key,
        segment=key,
        destination=destination,
        name=tag_name,
        column="email",
        enabled=False,
        place=Place("state", 0, 0),
    )


def retire(
    state: StateDatabase,
    key: str,
    sessions: Sequence[Session],
    locks: Path,
    *,
    log: logging.Logger,
    only: str | None = None,
    kept: Sequence[RetiredTag] = (),
    clock: Callable[[], datetime] = utc_now,
) -> Retired:
    """Untag the contacts of an activation, with a session per destination that has some, and close it.

    With `only`, a destination that the activation was moved from, nothing else is closed. The tags `kept`
    stay on their contacts, which are dropped from the ledger without a call. The tag itself stays in
    Intercom. The retirement is logged as a sync; an incomplete one is completed by the next. Intercom's
    failures are a result, not an exception.

    Raises:
        StateError: the state cannot be used, or a sync of the activation does not end.
    """
    sync_id = sessions[0].sync_id if sessions else uuid.uuid4().hex
    with activation_lock(locks, key, on_wait=log.info):
        started = time.monotonic()
        with state.transaction() as connection:
            start_sync(connection, sync_id, key, now=clock())
        done = Retired(key, kept=sum(tag.contacts for tag in kept))
        try:
            for session in sessions:
                done = _untag_all(replace(session, sync_id=sync_id), done)
        except (IntercomError, TagChangedError) as error:
            done = replace(done, status="failed", reason=str(error))
        done = replace(
            done,
            api_calls=sum(session.intercom.calls for session in sessions),
            seconds=round(time.monotonic() - started, 3),
        )
        with state.transaction() as connection:
            for tag in kept:
                drop_ledger(connection, key, tag.destination)
            return _finish(connection, sync_id, done, only=only, now=clock())


def hand_over(
    state: StateDatabase,
    key: str,
    tag: RetiredTag,
    new: Activation,
    locks: Path,
    *,
    log: logging.Logger,
    clock: Callable[[], datetime] = utc_now,
) -> Retired:
    """Give the tag of an activation and its contacts to a new one, without a call, and close the old one.

    The next sync of the new one renames the tag, and untags contacts who are not its members. What the old
    one has at other destinations stays, and so does the old one until that is retired.

    Raises:
        StateError: the state cannot be used, or a sync of either activation does not end.
    """
    started = time.monotonic()
    with ExitStack() as held:
        # In one order, so that two of these never wait for each other.
        for each in sorted((key, new.key)):
            held.enter_context(activation_lock(locks, each, on_wait=log.info))
        with state.transaction() as connection:
            if activation_tag(connection, new.key, new.destination):
                reason = f"{new.key!r} has a tag of its own by now, so it cannot take another."
                return Retired(key, "failed", reason)
            move_tag(connection, TagOwner(key, tag.destination), TagOwner(new.key, new.destination))
            close_activation(connection, key, now=clock())
    return Retired(key, kept=tag.contacts, seconds=round(time.monotonic() - started, 3))


def _untag_all(session: Session, done: Retired) -> Retired:
    activation = session.activation
    with session.state.reading() as connection:
        tags = retired_tags(connection, activation.key)
    (ours,) = (tag for tag in tags if tag.destination == activation.destination)
    tag = existing_tag(session, ours.tag_id)
    if tag is None:
        # The tag was deleted in Intercom: nobody carries it.
        with session.state.transaction() as connection:
            drop_ledger(connection, activation.key, activation.destination)
        return replace(done, gone=done.gone + ours.contacts)
    return _untag_rest(session, tag, done)


def _untag_rest(session: Session, tag: Tag, done: Retired) -> Retired:
    # No contact of this activation keeps the tag, not even one that another was merged into.
    tagger = Tagger(session.intercom.tags, tag, lambda _contact: False)

    with session.state.scratch() as connection:
        with session.state.attached(connection, read_only=True):
            total = stage_removals(connection, session.activation.key, session.activation.destination)
        changes = pages_of(
            lambda after, limit: removals_page(connection, after=after, limit=limit),
            _CHANGES_PER_PAGE,
        )
        counted = untag_all(session, tagger, total, changes)
    return replace(
        done,
        untagged=done.untagged + counted["applied"],
        gone=done.gone + counted["gone"],
        failed=done.failed + counted["failed"],
        pending=done.pending + counted["pending"],
    )


def _finish(
    connection: duckdb.DuckDBPyConnection,
    sync_id: str,
    done: Retired,
    *,
    only: str | None,
    now: datetime,
) -> Retired:
    if done.status == "ok" and not (
        close_destination(connection, done.activation, only)
        if only
        else close_activation(connection, done.activation, now=now)
    ):
        reason = "Some contacts still carry the tag. `dinmo.change_log` has the reasons."
        done = replace(done, status="failed", reason=reason)
    outcomes = count_outcomes(connection, sync_id, done.activation)
    numbers = SyncNumbers(
        to_untag=outcomes.untagged + outcomes.failed + outcomes.pending,
        untagged=outcomes.untagged,
        failed=outcomes.failed,
        pending=outcomes.pending,
        api_calls=done.api_calls,
        seconds=done.seconds,
    )
    result = SyncResult(done.status, done.reason, numbers=numbers)
    finish_sync(connection, sync_id, done.activation, result, now=now)
    return done
