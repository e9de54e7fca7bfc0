"""Tag and untag contacts, and turn each of Intercom's answers into an outcome."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dinmo_pipeline.intercom.contacts import Contacts
from dinmo_pipeline.intercom.errors import (
    IntercomError,
    MergedError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from dinmo_pipeline.intercom.halving import halves, narrow
from dinmo_pipeline.intercom.tags import Tag, Tags
from dinmo_pipeline.state.ledger import AppliedChange, Outcome, PlannedChange

# Refusals that may be about one contact of a list, or about its length: the list is halved.
_HALVED_STATUSES = frozenset({400, 404, 413, 422})
# Intercom follows at most 3 merges in a row, as documented; so do we.
_MAX_MERGES = 3
_DELETED = "The tag was deleted in Intercom meanwhile. The next sync will create it again."


class TagChangedError(Exception):
    """The tag was deleted or renamed in Intercom meanwhile, in a sentence; the next sync copes with it."""


@dataclass(frozen=True)
class Tagger:
    """Puts one tag on contacts and takes it off; each method returns one outcome per change.

    Attributes:
        is_tagged: whether the ledger says that a contact carries the tag. If given, a contact that another
            one was merged into is untagged for it, unless the ledger has it; otherwise it is left alone.
        on_stray: gets a second tag that Intercom created because ours was renamed, and its contacts.

    Raises:
        AccessError: nothing will work until a person acts.
        TagChangedError: the tag was deleted or renamed meanwhile.
    """

    tags: Tags
    tag: Tag
    is_tagged: Callable[[str], bool] | None = None
    on_stray: Callable[[Tag, Sequence[str]], None] = lambda _tag, _contacts: None

    def tag_users(self, changes: Sequence[PlannedChange]) -> list[AppliedChange]:
        """Tag up to 50 contacts in one call, and in more if the answer does not confirm all of them."""
        try:
            return self._tag_together(changes)
        except UnavailableError as error:
            if error.status == 500 and len(changes) > 1:  # noqa: PLR2004
                return self._tag_around(changes, error)
            return [_outcome(change, "pending", error) for change in changes]
        except RefusedError as error:
            if len(changes) == 1:
                return [self._tag_alone(changes[0])]
            if error.status not in _HALVED_STATUSES:
                return [_outcome(change, "failed", error) for change in changes]
            # Up to 2.15, one unknown contact makes Intercom refuse the whole call, and nobody is tagged.
            first, second = halves(changes)
            return self.tag_users(first) + self.tag_users(second)

    def untag(self, change: PlannedChange) -> AppliedChange:
        """Untag one contact; one that is gone or does not carry the tag needs nothing more."""
        try:
            request_id = self.tags.untag_contact(change.contact_id, self.tag.id)
        except NotFoundError as error:
            return self._outcome_of_404(change, error)
        except UnavailableError as error:
            return _outcome(change, "pending", error)
        except RefusedError as error:
            return _outcome(change, "failed", error)
        return _applied(change, request_id)

    def _tag_together(self, changes: Sequence[PlannedChange]) -> list[AppliedChange]:
        answer = self.tags.tag_users(self.tag.name, [change.contact_id for change in changes])
        if answer.tag.id != self.tag.id:
            self._report_other_tag(answer.tag, changes)
        confirmed = answer.confirmed
        return [
            _applied(change, answer.request_id)
            if confirmed is None or change.contact_id in confirmed
            # From 2.16 on, a contact that the answer does not list was probably skipped.
            else self._tag_alone(change)
            for change in changes
        ]

    def _tag_around(self, changes: Sequence[PlannedChange], error: UnavailableError) -> list[AppliedChange]:
        """Tag a list that Intercom fails on by halves, as long as it accepts the other half."""

        def tag(half: Sequence[PlannedChange]) -> list[AppliedChange]:
            try:
                return self._tag_together(half)
            except RefusedError:
                return self.tag_users(half)

        narrowed = narrow(changes, tag, error)
        pending = [_outcome(change, "pending", narrowed.error) for change in narrowed.failing]
        return narrowed.results + pending

    def _tag_alone(self, change: PlannedChange) -> AppliedChange:
        try:
            request_id = self.tags.tag_contact(change.contact_id, self.tag.id)
        except NotFoundError as error:
            try:
                missing = self._why_not_found(change.contact_id)
            except UnavailableError as unclear:
                return _outcome(change, "pending", unclear)
            return _outcome(change, "gone" if missing else "failed", missing or error)
        except UnavailableError as error:
            return _outcome(change, "pending", error)
        except RefusedError as error:
            return _outcome(change, "failed", error)
        return _applied(change, request_id)

    def _outcome_of_404(self, change: PlannedChange, error: NotFoundError) -> AppliedChange:
        """The meaning of a 404 on untagging: the contact is gone, or only does not carry the tag."""
        try:
            missing = self._why_not_found(change.contact_id)
            if missing is None:
                return _applied(change, error.request_id)
            if isinstance(missing, MergedError):
                self._untag_survivor(missing)
        except UnavailableError as unclear:
            return _outcome(change, "pending", unclear)
        except NotFoundError as gone:
            return _outcome(change, "gone", gone)
        except RefusedError as refused:
            return _outcome(change, "failed", refused)
        return _outcome(change, "gone", missing)

    def _why_not_found(self, contact_id: str) -> NotFoundError | None:
        """Intercom's answer that a contact does not exist; None if it does.

        A write gets the same answer for an unknown contact and for an unknown tag, so both are read.

        Raises:
            TagChangedError: it is the tag that is missing.
        """
        try:
            self._contacts.get(contact_id)
        except NotFoundError as missing:
            return missing
        if self.tags.get(self.tag.id) is None:
            raise TagChangedError(_DELETED)
        return None

    def _untag_survivor(self, merged: MergedError) -> None:
        """Untag the contact that another one was merged into, since a tag moves with a merge.

        A contact that carries the tag for another member keeps it: those are in the ledger.
        """
        for _ in range(_MAX_MERGES):
            survivor = merged.canonical_id
            if survivor is None or self.is_tagged is None or self.is_tagged(survivor):
                return
            try:
                self._contacts.get(survivor)
            except MergedError as again:
                merged = again
            else:
                self.tags.untag_contact(survivor, self.tag.id)
                return

    def _report_other_tag(self, other: Tag, changes: Sequence[PlannedChange]) -> None:
        """Report that our tag was deleted or renamed, so that bulk tagging, by name, created another."""
        ours = self.tags.get(self.tag.id)
        if ours is None:
            raise TagChangedError(_DELETED)
        self.on_stray(other, [change.contact_id for change in changes])
        raise TagChangedError(
            f"The tag {self.tag.name!r} was renamed in Intercom to {ours.name!r} during the sync, so"
            f" Intercom created a second tag {other.name!r} (id {other.id}). The next sync will take that"
            " one off again, and use the renamed one."
        )

    @property
    def _contacts(self) -> Contacts:
        return Contacts(self.tags.transport)


def _applied(change: PlannedChange, request_id: str | None) -> AppliedChange:
    return AppliedChange(change.change, change.identifier, change.contact_id, "applied", None, request_id)


def _outcome(change: PlannedChange, outcome: Outcome, error: IntercomError) -> AppliedChange:
    return AppliedChange(
        change.change,
        change.identifier,
        change.contact_id,
        outcome,
        reason=f"{error.status or 'no answer'} {error.code or ''}".strip(),
        request_id=error.request_id,
        merged_into=error.canonical_id if isinstance(error, MergedError) else None,
    )
