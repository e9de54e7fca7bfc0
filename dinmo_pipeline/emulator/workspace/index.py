"""Contacts, indexed by id, email, external id, tag and time of creation."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Final

from dinmo_pipeline.emulator.workspace.records import Contact, email_key

_NOBODY: Final[frozenset[int]] = frozenset()
_SEQ_BITS: Final = 32


class Index:
    """The latest version of each contact, in any state.

    Look-ups return positions in the order of creation (`Contact.seq`), so that their results combine as
    sets of integers.

    Attributes:
        generation: Increases with each change; a result stays valid for one generation.
        live_count: How many contacts are not archived, deleted or merged.
    """

    def __init__(self) -> None:
        self.generation = 0
        self.live_count = 0
        self._by_seq: list[Contact | None] = []
        self._by_id: dict[str, int] = {}
        self._by_external_id: dict[str, int] = {}
        self._by_email: dict[str, tuple[int, ...]] = {}
        self._by_tag: dict[str, set[int]] = {}
        # created_at and seq in one integer: it sorts like a tuple of them, in half the memory.
        self._created: list[int] = []
        self._created_sorted = True

    def put(self, contact: Contact) -> None:
        """Store a new contact, or a new version of one."""
        self.generation += 1
        seq = contact.seq
        if seq >= len(self._by_seq):
            self._by_seq.extend([None] * (seq + 1 - len(self._by_seq)))
        before = self._by_seq[seq]
        self._by_seq[seq] = contact
        if before is None:
            self._put_new(contact)
        else:
            self._put_version(before, contact)

    def at(self, seq: int) -> Contact:
        """The contact at a position that a look-up returned."""
        contact = self._by_seq[seq]
        if contact is None:
            raise LookupError(f"no contact at position {seq}")
        return contact

    def get(self, contact_id: str) -> Contact | None:
        """The contact with an id, in any state."""
        seq = self._by_id.get(contact_id)
        return None if seq is None else self.at(seq)

    def with_external_id(self, external_id: str) -> Contact | None:
        """The contact with an external id, in any state."""
        seq = self._by_external_id.get(external_id)
        return None if seq is None else self.at(seq)

    def with_email(self, email: str) -> list[Contact]:
        """The contacts with an email, in any state, ignoring case."""
        return [self.at(seq) for seq in self._by_email.get(email_key(email), ())]

    def live_from(self, seq: int) -> Iterator[Contact]:
        """The live contacts from a position on, in order of creation."""
        for position in range(seq, len(self._by_seq)):
            contact = self._by_seq[position]
            if contact is not None and contact.state == "live":
                yield contact

    def ids(self, contact_ids: Iterable[str]) -> set[int]:
        """Positions of the contacts with these ids."""
        return {seq for key in contact_ids if (seq := self._by_id.get(key)) is not None}

    def external_ids(self, external_ids: Iterable[str]) -> set[int]:
        """Positions of the contacts with these external ids."""
        return {seq for key in external_ids if (seq := self._by_external_id.get(key)) is not None}

    def emails(self, emails: Iterable[str]) -> set[int]:
        """Positions of the contacts with these emails, ignoring case."""
        return {seq for email in emails for seq in self._by_email.get(email_key(email), ())}

    def tagged(self, tag_id: str) -> AbstractSet[int]:
        """Positions of the live contacts with a tag."""
        return self._by_tag.get(tag_id, _NOBODY)

    def created(self, start: int | None, end: int | None) -> list[int]:
        """Positions of the contacts created in [start, end), in Unix seconds; None is open."""
        if not self._created_sorted:
            self._created.sort()
            self._created_sorted = True
        low = 0 if start is None else bisect_left(self._created, start << _SEQ_BITS)
        high = len(self._created) if end is None else bisect_left(self._created, end << _SEQ_BITS)
        mask = (1 << _SEQ_BITS) - 1
        return [key & mask for key in self._created[low:high]]

    def _put_new(self, contact: Contact) -> None:
        seq = contact.seq
        self._by_id[contact.id] = seq
        key = contact.created_at << _SEQ_BITS | seq
        if self._created and key < self._created[-1]:
            self._created_sorted = False
        self._created.append(key)
        self._link(contact)

    def _put_version(self, before: Contact, contact: Contact) -> None:
        if before.state == contact.state == "live" and (
            before.email == contact.email and before.external_id == contact.external_id
        ):
            self._link_tags(before.tags.keys() - contact.tags.keys(), contact.seq, linked=False)
            self._link_tags(contact.tags.keys() - before.tags.keys(), contact.seq, linked=True)
            return
        self._unlink(before)
        self._link(contact)

    def _link(self, contact: Contact) -> None:
        seq = contact.seq
        if contact.external_id is not None:
            self._by_external_id[contact.external_id] = seq
        if contact.email:
            key = email_key(contact.email)
            self._by_email[key] = (*self._by_email.get(key, ()), seq)
        if contact.state == "live":
            self.live_count += 1
            if contact.tags:
                self._link_tags(contact.tags, seq, linked=True)

    def _unlink(self, contact: Contact) -> None:
        seq = contact.seq
        if contact.external_id is not None:
            self._by_external_id.pop(contact.external_id, None)
        if contact.email:
            key = email_key(contact.email)
            others = tuple(other for other in self._by_email[key] if other != seq)
            if others:
                self._by_email[key] = others
            else:
                del self._by_email[key]
        if contact.state == "live":
            self.live_count -= 1
            self._link_tags(contact.tags, seq, linked=False)

    def _link_tags(self, tag_ids: Iterable[str], seq: int, *, linked: bool) -> None:
        for tag_id in tag_ids:
            if linked:
                self._by_tag.setdefault(tag_id, set()).add(seq)
            else:
                self._by_tag[tag_id].discard(seq)
