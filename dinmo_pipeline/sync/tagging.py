"""Tag and untag contacts, and turn each answer of Intercom into what became of the change."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dinmo_pipeline.intercom.errors import (
    AccessError,
    ConfigurationError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from dinmo_pipeline.intercom.tags import Tag, Tags
from dinmo_pipeline.state.ledger import AppliedChange, Outcome, PlannedChange


class TagVanishedError(Exception):
    """The tag was deleted in Intercom while the sync was under way."""


@dataclass(frozen=True)
class Tagger:
    """Puts one tag on contacts and takes it off; each method gives one outcome per change.

    Raises:
        AccessError, ConfigurationError: nothing will work until a person acts.
        TagVanishedError: the tag was deleted meanwhile.
    """

    tags: Tags
    tag: Tag

    def tag_users(self, changes: Sequence[PlannedChange]) -> list[AppliedChange]:
        """Tag up to 50 contacts in one call, and in more where the answer leaves a doubt."""
        try:
            answer = self.tags.tag_users(self.tag.name, [change.contact_id for change in changes])
        except UnavailableError as error:
            return [_outcome(change, "pending", error) for change in changes]
        except RefusedError as error:
            if len(changes) == 1:
                return [self._tag_alone(changes[0])]
            # Up to 2.15 one unknown contact refuses the whole call, and nobody was tagged.
            if not isinstance(error, NotFoundError) and error.status != 400:  # noqa: PLR2004
                return [_outcome(change, "failed", error) for change in changes]
            half = len(changes) // 2
            return self.tag_users(changes[:half]) + self.tag_users(changes[half:])
        if answer.tag.id != self.tag.id:
            # The call goes by name: a renamed or deleted tag makes Intercom create another.
            raise TagVanishedError
        if answer.confirmed is None:
            return [_applied(change, answer.request_id) for change in changes]
        return [
            _applied(change, answer.request_id)
            if change.contact_id in answer.confirmed
            else self._tag_alone(change)
            for change in changes
        ]

    def untag(self, change: PlannedChange) -> AppliedChange:
        """Take the tag off one contact; one that is gone needs it no more."""
        return self._alone(change, self.tags.untag_contact)

    def _tag_alone(self, change: PlannedChange) -> AppliedChange:
        return self._alone(change, self.tags.tag_contact)

    def _alone(
        self, change: PlannedChange, call: Callable[[str, str], str | None]
    ) -> AppliedChange:
        try:
            return _applied(change, call(change.contact_id, self.tag.id))
        except NotFoundError as error:
            # The same answer stands for an unknown contact and an unknown tag.
            if self.tags.get(self.tag.id) is None:
                raise TagVanishedError from error
            return _outcome(change, "gone", error)
        except (AccessError, ConfigurationError):
            raise
        except UnavailableError as error:
            return _outcome(change, "pending", error)
        except RefusedError as error:
            return _outcome(change, "failed", error)


def _applied(change: PlannedChange, request_id: str | None) -> AppliedChange:
    return AppliedChange(
        change.change, change.identifier, change.contact_id, "applied", None, request_id
    )


def _outcome(
    change: PlannedChange, outcome: Outcome, error: RefusedError | UnavailableError
) -> AppliedChange:
    return AppliedChange(
        change.change,
        change.identifier,
        change.contact_id,
        outcome,
        f"{error.status or 'no answer'} {error.code or ''}".strip(),
        error.request_id,
    )
