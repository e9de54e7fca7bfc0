"""Compute an activation's change set: what a sync would change, and whether a guard holds it."""

from dataclasses import dataclass, replace

from dinmo_pipeline.intercom.errors import IntercomError
from dinmo_pipeline.state.changes import (
    ChangeSet,
    compute_changes,
    record_hold,
    record_look,
    store_changes,
)
from dinmo_pipeline.state.contacts.directory import count_missing
from dinmo_pipeline.state.readings import (
    compared_readings,
    mark_applied,
    newest_reading,
)
from dinmo_pipeline.state.sql import members_of
from dinmo_pipeline.state.syncs import SyncNumbers
from dinmo_pipeline.state.tags.carriers import other_carriers
from dinmo_pipeline.state.tags.owners import activation_tag
from dinmo_pipeline.sync.carriers import look_at_carriers, tag_to_look_at
from dinmo_pipeline.sync.guards.holds import Hold
from dinmo_pipeline.sync.guards.limits import reason_to_hold
from dinmo_pipeline.sync.recheck import facts_of, look_for_news
from dinmo_pipeline.sync.session import Session


@dataclass(frozen=True, slots=True)
class ComputedChanges:
    """A stored change set; `hold` is why a guard holds it, `rename` that the tag must be renamed.

    `api_calls` were spent on looking for what changed in Intercom, and `look_failed` is why that failed, in a
    sentence.
    """

    changes: ChangeSet
    hold: Hold | None
    rename: bool
    api_calls: int
    look_failed: str | None

    @property
    def to_apply(self) -> int:
        """What a sync has to do in Intercom: members to tag or untag, and the tag to rename."""
        return self.changes.to_apply + self.rename


def refresh_changes(session: Session, *, recheck: bool = False) -> ComputedChanges:
    """Look for what changed in Intercom by itself, then compute and store the change set.

    With `recheck`, everything known of the members is read again, not only what is due. A failing Intercom
    does not fail it: the next sync looks again.

    Raises:
        StateError: the state cannot be used.
    """
    calls_before = session.intercom.calls
    look_failed = _look(session, recheck=recheck)
    return _computed(session, session.intercom.calls - calls_before, look_failed)


def _look(session: Session, *, recheck: bool) -> str | None:
    """Look for what changed in Intercom by itself; why that failed, or None when it did not."""
    now = session.clock()
    with session.state.reading() as connection:
        facts = facts_of(connection, session.activation, now=now)
        tag = tag_to_look_at(connection, session.activation, now=now)
    try:
        look_for_news(session, facts, now=now, everything=recheck)
        if tag:
            look_at_carriers(session, tag)
    except IntercomError as error:
        session.log.warning("Could not look for what changed in Intercom: %s", error)
        return str(error)
    return None


def _computed(session: Session, api_calls: int, look_failed: str | None) -> ComputedChanges:
    activation = session.activation
    with session.state.transaction() as connection:
        changes = compute_changes(connection, activation)
        store_changes(connection, activation)
        tag = activation_tag(connection, activation.key, activation.destination)
        reading = newest_reading(connection, activation)
        readings = compared_readings(
            connection,
            activation,
            reading.rows if reading else None,
            leaving=changes.leaving_contacts,
            at=session.clock(),
        )
        if reading and not (changes.entered or changes.left):
            # The destination already matches the reading, and no sync will come to record that.
            mark_applied(connection, activation, reading)
        hold = reason_to_hold(changes, readings, activation.guards)
        if hold:
            record_hold(connection, activation.key, hold.reason, hold.sentence)
        record_look(connection, activation.key, look_failed)
    return ComputedChanges(
        changes,
        hold=hold,
        rename=tag is not None and tag.name != activation.name,
        api_calls=api_calls,
        look_failed=look_failed,
    )


def unchanged_numbers(computed: ComputedChanges, *, entered: int, left: int) -> SyncNumbers:
    """The numbers of a sync that has nothing to apply, as far as they are known without asking the state.

    `entered` and `left` are those of the reading behind it.
    """
    return SyncNumbers(
        members=computed.changes.members,
        entered=entered,
        left=left,
        api_calls=computed.api_calls,
        tagged_contacts=computed.changes.tagged_contacts,
    )


def with_current_members(session: Session, numbers: SyncNumbers) -> SyncNumbers:
    """Numbers with how many of the current members are not in Intercom, and who else carries the tag."""
    activation = session.activation
    where = (activation.destination, activation.match_by)
    with session.state.reading() as connection:
        return replace(
            numbers,
            not_in_intercom=count_missing(connection, members_of(activation.key), *where),
            other_carriers=other_carriers(connection, activation.key, activation.destination),
        )
