"""Compute an activation's change set: what a sync would change, and whether a guard holds it."""

from dataclasses import dataclass

from dinmo_pipeline.intercom.errors import IntercomError
from dinmo_pipeline.state.changes import ChangeSet, compute_changes, store_changes
from dinmo_pipeline.state.directory import count_missing
from dinmo_pipeline.state.ledger import activation_tag
from dinmo_pipeline.state.readings import (
    Readings,
    applied_reading,
    mark_applied,
    newest_reading,
)
from dinmo_pipeline.state.sql import members_of
from dinmo_pipeline.sync.guards.limits import reason_to_hold
from dinmo_pipeline.sync.lookup import look_again
from dinmo_pipeline.sync.session import Session


@dataclass(frozen=True, slots=True)
class ComputedChanges:
    """A stored change set; `held` is a guard's reason, `rename` that the tag has another name.

    `api_calls` were spent on members not in Intercom, and `look_failed` is why that failed.
    """

    changes: ChangeSet
    held: str | None
    rename: bool
    api_calls: int
    look_failed: str | None

    @property
    def something_to_apply(self) -> bool:
        """Whether a sync has anything to do in Intercom."""
        return bool(self.changes.entered or self.changes.left or self.rename)


def refresh_changes(session: Session) -> ComputedChanges:
    """Look for sign-ups of members not in Intercom, then compute and store the change set.

    Intercom being out of reach does not fail it: who is missing is looked for at the next sync.

    Raises:
        StateError: the state cannot be used.
    """
    activation = session.activation
    calls_before = session.intercom.calls
    look_failed = _look_again(session)
    with session.state.transaction() as connection:
        changes = compute_changes(connection, activation)
        store_changes(connection, activation)
        tag = activation_tag(connection, activation.key, activation.destination)
        reading = newest_reading(connection, activation)
        applied = applied_reading(connection, activation)
        if reading and not (changes.entered or changes.left):
            # The destination is as the reading wants it, and no sync will come to say so.
            mark_applied(connection, activation, reading)
    readings = Readings(reading.rows if reading else None, applied)
    return ComputedChanges(
        changes=changes,
        held=reason_to_hold(changes, readings, activation.guards),
        rename=tag is not None and tag.name != activation.name,
        api_calls=session.intercom.calls - calls_before,
        look_failed=look_failed,
    )


def _look_again(session: Session) -> str | None:
    activation = session.activation
    with session.state.reading() as connection:
        missing = count_missing(
            connection,
            members_of(activation.key),
            activation.destination,
            activation.match_by,
        )
    if not missing:
        return None
    try:
        look_again(session)
    except IntercomError as error:
        session.log.warning("Members not in Intercom could not be looked for: %s", error)
        return str(error)
    return None
