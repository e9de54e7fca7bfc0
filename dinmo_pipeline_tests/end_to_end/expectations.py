"""Who should carry a tag, told from the contacts as Intercom has them and from what people did by hand.

Written from the contract: it knows neither directory nor ledger. Some things nobody can notice without a
look that the contract does not promise: that a user who is known has another email by now, or shares it
with one who signed up later. Those contacts are `doubtful`: they may carry the tag, or not.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.emulator.workspace.records import Contact


@dataclass
class Expectations:
    """What is expected of one activation's tag; the sets hold contact ids.

    Attributes:
        by_hand: carry the tag because somebody put it there, and were no member since.
        taken_off: were members' and lost the tag by hand, which only reconciling notices.
        unclear: were tagged by hand and may have been members since; they are ours, or not.
        ours: were members' at some sync, so that we may have tagged them.
    """

    activation: Activation
    people: set[int] = field(default_factory=set)
    by_hand: set[str] = field(default_factory=set)
    taken_off: set[str] = field(default_factory=set)
    unclear: set[str] = field(default_factory=set)
    ours: set[str] = field(default_factory=set)

    @property
    def identifiers(self) -> set[str]:
        """The segment's rows."""
        return {identifier_of(person, self.activation.match_by) for person in self.people}

    def reached(self, contacts: Iterable[Contact]) -> set[str]:
        """Users that stand for a member, ambiguous ones included."""
        return {contact.id for contact in self._members(contacts)}

    def desired(self, contacts: Iterable[Contact]) -> set[str]:
        """Users that should carry the tag: of several for one member all, or none."""
        members = self._members(contacts)
        if self.activation.on_multiple_users == "all":
            return {contact.id for contact in members}
        users = Counter(self._key(contact) for contact in members)
        return {contact.id for contact in members if users[self._key(contact)] == 1}

    def sync_begins(self, contacts: list[Contact], doubtful: set[str]) -> None:
        """Whoever stands for a member now may become ours, also if the sync does not get far."""
        touched = self.reached(contacts) | doubtful
        self.ours |= touched
        self.unclear |= self.by_hand & touched
        self.by_hand -= touched

    def put_on_by_hand(self, contact_id: str) -> None:
        """Somebody tagged a contact that did not carry the tag."""
        self.taken_off.discard(contact_id)
        (self.unclear if contact_id in self.ours else self.by_hand).add(contact_id)

    def taken_off_by_hand(self, contact_id: str) -> None:
        """Somebody took the tag off a contact."""
        self.by_hand.discard(contact_id)
        self.unclear.discard(contact_id)
        if contact_id in self.ours:
            self.taken_off.add(contact_id)

    def tag_deleted(self) -> None:
        """Nobody carries it, and a sync makes it again for all members."""
        self.by_hand, self.unclear, self.taken_off = set(), set(), set()

    def reconciled(self) -> None:
        """Repaired: members have the tag again; who was ours once may have lost what a hand put there."""
        self.taken_off = set()
        self.unclear |= self.by_hand & self.ours
        self.by_hand -= self.ours

    def state_lost(self, carriers: set[str]) -> None:
        """Who carries the tag is a stranger to a new state, until a sync finds it to be a member."""
        self.tag_deleted()
        self.ours = set()
        self.by_hand = set(carriers)

    def wrong(
        self, contacts: list[Contact], carriers: set[str], doubtful: set[str]
    ) -> dict[str, set[str]]:
        """What is wrong at a quiet point, by what it is called; empty when all is right."""
        live = {contact.id for contact in contacts}
        desired = self.desired(contacts)
        found = {
            "member without the tag": desired - doubtful - self.taken_off - carriers,
            "tag on nobody's member": (carriers - desired - doubtful - self.by_hand - self.unclear),
            "a stranger's tag taken off": (self.by_hand & live) - carriers - doubtful,
        }
        return {name: contact_ids for name, contact_ids in found.items() if contact_ids}

    def checked(self, contacts: list[Contact], carriers: set[str], doubtful: set[str]) -> None:
        """All is right: who carries the tag as a member does so because of us."""
        desired = self.desired(contacts)
        self.taken_off &= desired - carriers
        self.unclear &= carriers - (desired - doubtful)

    def _members(self, contacts: Iterable[Contact]) -> list[Contact]:
        wanted = self.identifiers
        return [
            contact
            for contact in contacts
            if contact.role == "user" and self._key(contact) in wanted
        ]

    def _key(self, contact: Contact) -> str | None:
        return contact.email if self.activation.match_by == "email" else contact.external_id


def identifier_of(person: int, match_by: str) -> str:
    """The identifier of a person: its email, or its user id."""
    return f"p{person}@x.org" if match_by == "email" else f"{person}"
