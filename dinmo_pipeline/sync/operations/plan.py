"""Plan a sync: what it would change and cost, without writing anything."""

from dataclasses import astuple, dataclass
from datetime import timedelta
from math import ceil

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.intercom.contacts import LOOKUP_SIZE
from dinmo_pipeline.intercom.tags import BULK_SIZE
from dinmo_pipeline.state.changes import ChangeSet, compute_changes
from dinmo_pipeline.state.contacts.directory import count_ambiguous, count_missing
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.fingerprint import fingerprint_changes
from dinmo_pipeline.state.membership import USABLE_INCOMING, Stage, count_moves
from dinmo_pipeline.state.readings import Moves, compared_readings, count_incoming
from dinmo_pipeline.state.syncs import match_rate
from dinmo_pipeline.state.tags.carriers import other_carriers
from dinmo_pipeline.state.tags.owners import activation_tag
from dinmo_pipeline.state.workspaces import recorded_workspace
from dinmo_pipeline.sync.guards.holds import Hold
from dinmo_pipeline.sync.guards.limits import reason_to_hold
from dinmo_pipeline.sync.lookup import max_lookup_calls
from dinmo_pipeline.sync.recheck import facts_of, max_rechecks, members_due
from dinmo_pipeline.sync.reviewed_plan import new_salt, written


@dataclass(frozen=True, slots=True)
class CallEstimate:
    """The number of API calls by purpose.

    It is the maximum, but for users who signed up meanwhile (a call per 150) and known contacts that a search
    no longer shows (a call each). Unknown members may not be in Intercom, which takes fewer.
    """

    workspace: int
    tag: int
    carriers: int
    lookups: int
    rechecks: int
    taggings: int
    removals: int
    signups: int

    @property
    def total(self) -> int:
        """The sum of all purposes."""
        return sum(astuple(self))


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sync of an activation would change; `hold` is why a guard would apply nothing.

    `moves` are who entered and left the segment since its last reading; `changes` are whom to tag and untag.
    `fingerprint` (see reviewed_plan.py) identifies this change set. `other_carriers` are contacts that carry
    the tag and that we did not tag, as last counted; `is_first` if no sync knows the tag yet.
    """

    activation: str
    moves: Moves
    changes: ChangeSet
    not_in_intercom: int
    ambiguous: int
    hold: Hold | None
    calls: CallEstimate
    fingerprint: str
    other_carriers: int | None
    is_first: bool

    @property
    def match_rate(self) -> float | None:
        """See `state.syncs.match_rate`."""
        return match_rate(self.changes.members, self.not_in_intercom, self.changes.unknown)


def plan_sync(state: StateDatabase, activation: Activation, stage: Stage) -> Plan:
    """Compare the segment's members with the ledger.

    Raises:
        StateError: the state cannot be read.
        Exception: what `stage` raises.
    """
    with state.scratch() as connection:
        staged = stage(connection)
        now = count_incoming(connection, activation.match_by, staged.identifier_type)
        with state.attached(connection, read_only=True):
            changes = compute_changes(connection, activation, members=USABLE_INCOMING)
            moves = count_moves(connection, activation.key)
            missing = count_missing(connection, USABLE_INCOMING, activation.destination, activation.match_by)
            ambiguous = count_ambiguous(
                connection, USABLE_INCOMING, activation.destination, activation.match_by
            )
            fingerprint = written(fingerprint_changes(connection, activation, new_salt()))
            tag = activation_tag(connection, activation.key, activation.destination)
            readings = compared_readings(
                connection, activation, now, leaving=changes.leaving_contacts, at=staged.at
            )
            workspace = recorded_workspace(connection, activation.destination)
            facts = facts_of(connection, activation, now=staged.at)
            others = other_carriers(connection, activation.key, activation.destination)
    return Plan(
        activation.key,
        moves,
        changes,
        missing,
        ambiguous,
        reason_to_hold(changes, readings, activation.guards),
        estimate_calls(
            changes,
            has_tag=tag is not None,
            has_workspace=workspace is not None,
            rechecked=min(
                members_due(facts, activation.recheck_days), max_rechecks(facts.elapsed or timedelta())
            ),
        ),
        fingerprint,
        other_carriers=others,
        is_first=tag is None,
    )


def estimate_calls(changes: ChangeSet, *, has_tag: bool, has_workspace: bool, rechecked: int) -> CallEstimate:
    """The calls for a change set: 50 members per lookup, 50 contacts per tagging, one per removal.

    `rechecked` is the number of known members that are due to be read again.
    """
    return CallEstimate(
        workspace=0 if has_workspace and (has_tag or not changes.entered) else 1,
        tag=1 if has_tag or not changes.entered else 2,
        carriers=1 if changes.to_apply or changes.unknown else 0,
        lookups=max_lookup_calls(changes.unknown),
        rechecks=ceil(rechecked / LOOKUP_SIZE),
        taggings=ceil(changes.entered / BULK_SIZE),
        removals=changes.leaving_contacts,
        signups=1 if changes.not_in_intercom else 0,
    )
