"""A model of what the state should know and compute, in sets and dicts, from the contract and not the SQL.

It has no candidates, touches, or settling: it always computes changes from everything.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from dinmo_pipeline.config.declarations import Activation, MatchBy
from dinmo_pipeline.contact import Contact
from dinmo_pipeline.state.changes import ChangeSet


@dataclass
class KnownContact:
    """A user in the directory; `complete_email` if a search showed all users of the email."""

    email: str | None
    external_id: str | None
    complete_email: bool


@dataclass
class ModelDirectory:
    """What is known of one destination."""

    contacts: dict[str, KnownContact] = field(default_factory=dict)
    missing: dict[MatchBy, set[str]] = field(default_factory=lambda: {"email": set(), "user_id": set()})

    def see(self, seen: Iterable[Contact], *, by_email: bool) -> None:
        """Users were seen, by a search for emails or otherwise.

        If an email was not found before, its users have it only since then, so all of them are known.
        """
        in_vain = set(self.missing["email"])
        for contact_id, email, external_id, *_ in seen:
            for other_id, other in self.contacts.items():
                if other_id != contact_id and external_id and other.external_id == external_id:
                    other.external_id = None
            before = self.contacts.get(contact_id)
            still_complete = before is not None and before.complete_email and before.email == email
            complete = by_email or still_complete or email in in_vain
            self.contacts[contact_id] = KnownContact(email, external_id, complete)
            self.missing["email"].discard(email or "")
            self.missing["user_id"].discard(external_id or "")

    def searched(self, match_by: MatchBy, identifiers: Iterable[str]) -> None:
        """A search for identifiers found the users seen so far, and no others."""
        for identifier in identifiers:
            if match_by == "email":
                for contact in self.contacts.values():
                    if contact.email == identifier and not contact.complete_email:
                        contact.email = None
            if not self.having(match_by, identifier):
                self.missing[match_by].add(identifier)

    def having(self, match_by: MatchBy, identifier: str) -> dict[str, KnownContact]:
        """The known users of an identifier."""
        return {
            contact_id: contact
            for contact_id, contact in self.contacts.items()
            if identifier == (contact.email if match_by == "email" else contact.external_id)
        }

    def is_known(self, match_by: MatchBy, identifier: str) -> bool:
        """Whether all users of an identifier are known, even if there are none."""
        users = self.having(match_by, identifier)
        if match_by == "user_id" and users:
            return True
        return identifier in self.missing[match_by] or any(user.complete_email for user in users.values())


@dataclass
class ModelLedger:
    """The contacts that one activation tagged at one destination, and for whom."""

    tag_id: str | None = None
    members: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelChanges:
    """The changes of an activation: pairs of identifier and contact, unknown members apart."""

    entered: frozenset[tuple[str, str]]
    left: frozenset[tuple[str, str]]
    unknown: frozenset[str]
    desired: dict[str, str]
    sizes: ChangeSet

    @classmethod
    def between(
        cls,
        activation: Activation,
        members: Collection[str],
        directory: ModelDirectory,
        ledger: dict[str, str],
    ) -> "ModelChanges":
        """Desired membership minus the ledger."""
        match_by = activation.match_by
        users = {member: directory.having(match_by, member) for member in members}
        desired = {
            contact_id: member
            for member, contacts in users.items()
            for contact_id in contacts
            if activation.on_multiple_users == "all" or len(contacts) == 1
        }
        unknown = {member for member in members if not directory.is_known(match_by, member)}
        entered = {
            (member, contact_id)
            for contact_id, member in desired.items()
            if contact_id not in ledger and member not in unknown
        }
        left = {(member, contact_id) for contact_id, member in ledger.items() if contact_id not in desired}
        return cls(
            frozenset(entered),
            frozenset(left),
            frozenset(unknown),
            desired,
            ChangeSet(
                members=len(members),
                entered=len({member for member, _ in entered} | unknown),
                left=len({member for member, _ in left}),
                unknown=len(unknown),
                not_in_intercom=len(directory.missing[match_by] & set(members)),
                skipped=sum(len(contacts) > 1 for member, contacts in users.items() if member not in unknown)
                if activation.on_multiple_users == "skip"
                else 0,
                tagged_contacts=len(ledger),
                leaving_contacts=len(left),
                tagged_members=len(set(ledger.values())) if left else 0,
            ),
        )
