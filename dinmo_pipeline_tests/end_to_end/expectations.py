"""The contacts that should carry a tag, derived from Intercom's contacts and from changes by hand.

Written from the contract, without directory or ledger. Some changes cannot be noticed: a contact that
carries the tag came back from the archive, or was merged into another. Those are `doubtful`: they may carry
the tag or not.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.emulator.workspace.records import Contact


@dataclass
class Expectations:
    """The expectations for one activation's tag; the sets contain contact ids.

    Attributes:
        by_hand: tagged by hand, and not a member's since.
        taken_off: a member's, and untagged by hand, which only reconciling notices.
        unclear: tagged by hand, and perhaps a member's since, so perhaps ours.
        ours: a member's at some sync, so we may have tagged them.
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
        """Users that belong to a member, including those of ambiguous members."""
        return {contact.id for contact in self._members(contacts)}

    def desired(self, contacts: Iterable[Contact]) -> set[str]:
        """Users that should carry the tag: of several for one member all, or none."""
        members = self._members(contacts)
        if self.activation.on_multiple_users == "all":
            return {contact.id for contact in members}
        users = Counter(self._key(contact) for contact in members)
        return {contact.id for contact in members if users[self._key(contact)] == 1}

    def sync_begins(self, contacts: list[Contact], doubtful: set[str]) -> None:
        """Users that belong to a member may become ours, even if the sync does not get far."""
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
        """Nobody carries it, and a sync creates it again for all members."""
        self.by_hand, self.unclear, self.taken_off = set(), set(), set()

    def reconciled(self) -> None:
        """Members have the tag again; a contact that was ours may have lost a tag put on by hand."""
        self.taken_off = set()
        self.unclear |= self.by_hand & self.ours
        self.by_hand -= self.ours

    def state_lost(self, carriers: set[str]) -> None:
        """A new state treats every tagged contact as foreign until a sync finds it to be a member."""
        self.tag_deleted()
        self.ours = set()
        self.by_hand = set(carriers)

    def wrong(self, contacts: list[Contact], carriers: set[str], doubtful: set[str]) -> dict[str, set[str]]:
        """What is wrong at a quiet point, by name; empty if everything is right."""
        live = {contact.id for contact in contacts}
        desired = self.desired(contacts)
        found = {
            "member without the tag": desired - doubtful - self.taken_off - carriers,
            "tag on nobody's member": (carriers - desired - doubtful - self.by_hand - self.unclear),
            "a stranger's tag taken off": (self.by_hand & live) - carriers - doubtful,
        }
        return {name: contact_ids for name, contact_ids in found.items() if contact_ids}

    def checked(self, contacts: list[Contact], carriers: set[str], doubtful: set[str]) -> None:
        """Everything is right: members who carry the tag do so because of us."""
        desired = self.desired(contacts)
        self.taken_off &= desired - carriers
        self.unclear &= carriers - (desired - doubtful)

    def _members(self, contacts: Iterable[Contact]) -> list[Contact]:
        wanted = self.identifiers
        return [contact for contact in contacts if contact.role == "user" and self._key(contact) in wanted]

    def _key(self, contact: Contact) -> str | None:
        return contact.email if self.activation.match_by == "email" else contact.external_id


def identifier_of(person: int, match_by: str) -> str:
    """The identifier of a person: the email or the user id."""
    return f"p{person}@x.org" if match_by == "email" else f"{person}"
