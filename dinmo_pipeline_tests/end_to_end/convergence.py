"""A world that changes at random, with faults and deaths, and syncs that put Intercom right in the end."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dinmo_pipeline.emulator import EmulatorSettings, NewContact
from dinmo_pipeline.emulator.faults import Fault, Faults
from dinmo_pipeline.emulator.workspace.records import Contact, Tag
from dinmo_pipeline_tests.end_to_end.expectations import Expectations, identifier_of
from dinmo_pipeline_tests.end_to_end.faults.mortal_pipeline import MortalPipeline
from dinmo_pipeline_tests.state.declaring import activation
from dinmo_pipeline_tests.sync.operations.test_sync_result import adds_up

PEOPLE = range(5)
KEYS = ("by_email", "by_id")
# The time in which all facts about people are read again. A clock that was two days ahead once, and that no
# sync noticed since, makes it two days longer.
QUIET_SECONDS = (7 + 2) * 86_400
HARMLESS_CALLS = {
    "GET /me",
    "GET /tags",
    "GET /tags/{id}",
    "GET /contacts",
    "GET /contacts/{id}",
    "GET /contacts/{id}/tags",
    "POST /contacts/search",
    "POST /contacts/{id}/tags",
    "DELETE /contacts/{id}/tags/{tag_id}",
    "DELETE /tags/{id}",  # only of a second tag that a rename during a sync made
    "POST /tags",
}
FAULTS = [
    Fault(kind="status", status=429),
    Fault(kind="status", status=500),
    Fault(kind="status", status=422),
    Fault(kind="html"),
    Fault(kind="drop_before"),
    Fault(kind="drop_after"),
    # Where a 404 is true about what a contact carries.
    Fault(kind="status", status=404, method="POST", route="/tags"),
    Fault(kind="status", status=404, method="POST", route="/contacts/{id}/tags"),
    Fault(kind="status", status=404, method="GET", route="/tags/{id}"),
]

keys = st.sampled_from(KEYS)
persons = st.sampled_from(PEOPLE)
groups = st.sets(persons)
picks = st.integers(0, 11)


def convergence(pipeline: MortalPipeline) -> type[RuleBasedStateMachine]:
    """The state machine on a pipeline, which it empties at each start."""

    class Convergence(World):
        def __init__(self) -> None:
            super().__init__(pipeline)

    return Convergence


class World(RuleBasedStateMachine):
    """One workspace and two activations, one by email and one by user id."""

    def __init__(self, pipeline: MortalPipeline) -> None:
        super().__init__()
        self.pipeline = pipeline
        pipeline.server.emulator.reset(EmulatorSettings())
        pipeline.state.lose()
        self.named = 0
        self.doubtful: set[str] = set()
        self.expected = {
            "by_email": Expectations(activation("by_email", name="By email")),
            "by_id": Expectations(activation("by_id", name="By id", match_by="user_id")),
        }

    # What people do in Intercom.

    @initialize(people=groups, members=groups)
    def start(self, people: set[int], members: set[int]) -> None:
        """Create some users, some of them members."""
        for person in sorted(people):
            self.user_signs_up(person, with_id=True)
        for expected in self.expected.values():
            expected.people = members

    @rule(person=persons, with_id=st.booleans())
    def user_signs_up(self, person: int, with_id: bool) -> None:  # noqa: FBT001
        """With an email, and with a user id if it is free."""
        external_id = identifier_of(person, "user_id")
        if self.store.live.with_external_id(external_id) or not with_id:
            external_id = None
        self.store.create(NewContact(identifier_of(person, "email"), external_id))

    @rule(person=persons)
    def twins_sign_up(self, person: int) -> None:
        """Two users with one email."""
        for _ in range(2):
            self.store.create(NewContact(identifier_of(person, "email")))

    @rule(person=persons)
    def lead_writes(self, person: int) -> None:
        """A visitor leaves an email."""
        self.store.create(NewContact(identifier_of(person, "email"), role="lead"))

    @rule(pick=picks)
    def lead_becomes_user(self, pick: int) -> None:
        """With the same contact id."""
        if lead := self.pick(pick, "lead"):
            self.store.replace(lead, role="user", external_id=None)

    @rule(pick=picks)
    def user_is_archived(self, pick: int) -> None:
        """A user is archived or deleted."""
        if user := self.pick(pick):
            self.store.replace(user, state="archived")

    @rule(pick=picks)
    def user_is_restored(self, pick: int) -> None:
        """A user comes back with the earlier tags."""
        archived = [c for c in self.contacts(state="archived") if c.role == "user"]
        if archived:
            user = self.store.replace(archived[pick % len(archived)], state="live")
            if any(self.carries(user, key) for key in KEYS):
                self.doubtful.add(user.id)

    @rule(pick=picks, into=picks)
    def lead_is_merged_into_user(self, pick: int, into: int) -> None:
        """The user gets the tags that people put on the lead."""
        lead, user = self.pick(pick, "lead"), self.pick(into)
        if lead and user:
            gained = [k for k in KEYS if self.carries(lead, k) and not self.carries(user, k)]
            self.store.merge(lead, user)
            for key in gained:
                self.expected[key].put_on_by_hand(user.id)

    @rule(pick=picks, into=picks)
    def user_is_merged_into_user(self, pick: int, into: int) -> None:
        """The survivor gets our tags."""
        source, target = self.pick(pick), self.pick(into)
        if source and target and source.id != target.id:
            self.store.merge(source, target)
            self.doubtful.add(target.id)

    @rule(pick=picks, person=persons)
    def user_changes_email(self, pick: int, person: int) -> None:
        """It may become a second user of that email."""
        if user := self.pick(pick):
            self.store.replace(user, email=identifier_of(person, "email"))

    @rule(pick=picks, person=persons)
    def user_changes_id(self, pick: int, person: int) -> None:
        """To one that is free, or it loses its own."""
        external_id = identifier_of(person, "user_id")
        if user := self.pick(pick):
            is_taken = self.store.live.with_external_id(external_id)
            self.store.replace(user, external_id=None if is_taken else external_id)

    @rule(pick=picks, other=picks)
    def users_swap_ids(self, pick: int, other: int) -> None:
        """Each has the id of the other."""
        one, two = self.pick(pick), self.pick(other)
        if one and two and one.id != two.id:
            first, second = one.external_id, two.external_id
            one = self.store.replace(one, external_id=None)
            self.store.replace(two, external_id=first)
            self.store.replace(one, external_id=second)

    # What people do to tags.

    @rule(key=keys, pick=picks, role=st.sampled_from(["user", "lead"]))
    def tag_is_put_on_by_hand(self, key: str, pick: int, role: str) -> None:
        """On a contact that does not carry it."""
        contact = self.pick(pick, role)
        if contact and not self.carries(contact, key):
            tag = self.tag(key) or self.store.ensure_tag(self.expected[key].activation.name)
            self.store.tag(contact, tag)
            self.expected[key].put_on_by_hand(contact.id)

    @rule(key=keys, pick=picks)
    def tag_is_taken_off_by_hand(self, key: str, pick: int) -> None:
        """Off a contact that carries it."""
        tag = self.tag(key)
        if tag and (carriers := self.store.tagged(tag)):
            contact = carriers[pick % len(carriers)]
            self.store.untag(contact, tag)
            self.expected[key].taken_off_by_hand(contact.id)

    @rule(key=keys)
    def tag_is_deleted(self, key: str) -> None:
        """The tag is deleted in Intercom."""
        if tag := self.tag(key):
            self.store.delete_tag(tag)
            self.expected[key].tag_deleted()

    @rule(key=keys)
    def tag_is_renamed_by_hand(self, key: str) -> None:
        """A tag that we know by its id is renamed in Intercom."""
        if self.known_tag_id(key) and (tag := self.tag(key)):
            self.named += 1
            self.store.rename_tag(tag, f"renamed by hand {self.named}")

    # What people declare.

    @rule(key=keys, people=groups)
    def members_move(self, key: str, people: set[int]) -> None:
        """The segment gets other members."""
        self.expected[key].people = people

    @rule(key=keys, person=persons)
    def member_moves(self, key: str, person: int) -> None:
        """One member enters or leaves."""
        self.expected[key].people ^= {person}

    @rule(key=keys, setting=st.sampled_from(["name", "match_by", "on_multiple_users"]))
    def setting_is_changed(self, key: str, setting: str) -> None:
        """A setting changes in the declarations."""
        expected = self.expected[key]
        self.named += 1
        others = {
            "email": "user_id",
            "user_id": "email",
            "all": "skip",
            "skip": "all",
        }
        tag = self.tag(key)
        before = getattr(expected.activation, setting)
        after = others.get(before, f"name {self.named}")
        expected.activation = replace(expected.activation, **{setting: after})  # type: ignore[arg-type]
        if self.tag(key) != tag:
            # No sync knew the tag with the old name, so it is not ours.
            expected.tag_deleted()

    @rule()
    def names_are_swapped(self) -> None:
        """Each activation gets the name of the other, if both tags are known by their ids."""
        if all(self.known_tag_id(key) and self.tag(key) for key in KEYS):
            one, two = (self.expected[key] for key in KEYS)
            first, second = one.activation.name, two.activation.name
            one.activation = replace(one.activation, name=second)
            two.activation = replace(two.activation, name=first)

    # What goes wrong.

    @rule(key=keys, days=st.sampled_from([-4_000, -1, 2, 4_000]))
    def sync_with_a_wrong_clock(self, key: str, days: int) -> None:
        """Once, and it is right again."""
        self.pipeline.skew = timedelta(days=days)
        self.sync(key)
        self.pipeline.skew = timedelta(0)

    @rule(fault=st.sampled_from(FAULTS), times=st.integers(1, 8), after=st.integers(0, 5))
    def calls_fail(self, fault: Fault, times: int, after: int) -> None:
        """Some of the next calls fail."""
        fault = replace(fault, times=times, after=after)
        self.pipeline.server.emulator.faults = Faults([fault])

    @precondition(lambda self: any(e.ours for e in self.expected.values()))
    @rule(share=st.integers(0, 3))
    def state_is_lost(self, share: int) -> None:
        """Rarely, since what is known of doubtful contacts is lost with it."""
        if share:
            return
        self.pipeline.state.lose()
        self.doubtful = set()
        for key in KEYS:
            self.expected[key].state_lost(self.carriers(key))

    # Syncs.

    @rule(key=keys)
    def sync(self, key: str) -> None:
        """A sync with any result."""
        self.begin(key)
        done = self.pipeline.sync(self.expected[key].activation, self.expected[key].identifiers)
        numbers, activation = done.numbers, self.expected[key].activation
        assert adds_up(numbers), done
        if done.status == "ok":
            undone = numbers.failed + numbers.pending
            assert undone <= activation.guards.max_failed_share * (numbers.to_tag + numbers.to_untag), done

    @rule(key=keys, ticks=st.integers(0, 24))
    def sync_dies(self, key: str, ticks: int) -> None:
        """A sync is killed at any point."""
        self.begin(key)
        with self.pipeline.dying_after(ticks):
            self.pipeline.sync(self.expected[key].activation, self.expected[key].identifiers)

    @rule(key=keys)
    def reconcile(self, key: str) -> None:
        """Repair what people did to members' tags."""
        self.no_faults()
        # Changes of this very instant would count as too recent.
        self.pipeline.clock.sleep(1)
        self.begin(key)
        done = self.pipeline.repair(self.expected[key].activation, self.expected[key].identifiers)
        assert done.status in {"ok", "repaired"}, done
        self.expected[key].reconciled()

    @rule(key=keys, often=st.integers(0, 2))
    def quiet(self, key: str, often: int) -> None:
        """For a while nothing goes wrong."""
        if not often:
            self.comes_right(key)

    def comes_right(self, key: str) -> None:
        """A sync without faults puts everything right, or a second one that follows up what it found."""
        self.no_faults()
        self.pipeline.clock.sleep(QUIET_SECONDS)
        self.quiet_sync(key)
        if self.wrong(key):
            self.quiet_sync(key)
        assert not self.wrong(key), f"{key}: {self.wrong(key)}"
        self.expected[key].checked(self.contacts(), self.carriers(key), self.doubtful)

    def teardown(self) -> None:
        """The world ends at a quiet point."""
        for key in KEYS:
            self.comes_right(key)

    @invariant()
    def a_tag_belongs_to_one_activation(self) -> None:
        """Whatever was renamed, swapped or found by its name."""
        assert not self.rows("SELECT tag_id FROM dinmo.activation_tags GROUP BY tag_id HAVING count(*) > 1")

    @invariant()
    def nobody_is_created(self) -> None:
        """No contact is created, and no call is made that is not safe to repeat."""
        stats = self.pipeline.server.emulator.stats
        assert stats.contacts_created == 0
        assert set(stats.calls) <= HARMLESS_CALLS

    # Implementation.

    def quiet_sync(self, key: str) -> None:
        """A sync that logs each change of Intercom as applied, once."""
        before = self.carriers(key)
        tag_before = self.tag(key)
        self.begin(key)
        done = self.pipeline.sync(self.expected[key].activation, self.expected[key].identifiers)
        assert done.status == "ok", done.reason
        assert adds_up(done.numbers), done
        if self.tag(key) != tag_before:
            before &= self.carriers(key)
        logged = Counter(
            self.rows(
                "SELECT change, contact_id FROM dinmo.change_log"
                " WHERE activation = ? AND outcome = 'applied' AND sync_id ="
                " (SELECT arg_max(sync_id, rowid) FROM dinmo.syncs WHERE activation = ?)",
                key,
                key,
            )
        )
        after = self.carriers(key)
        assert set(logged.values()) <= {1}
        entered, left = ({c for change, c in logged if change == w} for w in ("entered", "left"))
        assert after - before <= entered
        assert entered <= after
        assert not left & after

    def wrong(self, key: str) -> dict[str, set[str]]:
        """Where the tag differs from membership ∩ users, except for what people did by hand."""
        return self.expected[key].wrong(self.contacts(), self.carriers(key), self.doubtful)

    def begin(self, key: str) -> None:
        """Record that a sync begins."""
        self.pipeline.declared = {other: self.expected[other].activation for other in KEYS}
        self.expected[key].sync_begins(self.contacts(), self.doubtful)

    def no_faults(self) -> None:
        """Make Intercom work."""
        self.pipeline.server.emulator.faults = Faults([])

    @property
    def store(self):
        """The workspace."""
        return self.pipeline.server.store

    def contacts(self, state: str = "live") -> list[Contact]:
        """Contacts in order of creation."""
        found = self.store.live.created(None, None)
        return [c for c in map(self.store.live.at, sorted(found)) if c.state == state]

    def users(self) -> list[Contact]:
        """Live users."""
        return [contact for contact in self.contacts() if contact.role == "user"]

    def pick(self, number: int, role: str = "user") -> Contact | None:
        """One of the live contacts of a role."""
        found = [contact for contact in self.contacts() if contact.role == role]
        return found[number % len(found)] if found else None

    def known_tag_id(self, key: str) -> str | None:
        """The tag that the pipeline remembers."""
        found = self.rows("SELECT tag_id FROM dinmo.activation_tags WHERE activation = ?", key)
        return found[0][0] if found else None

    def tag(self, key: str) -> Tag | None:
        """The activation's tag: the known one while it exists, else the one with its name."""
        known = self.store.get_tag(self.known_tag_id(key) or "")
        return known or self.store.tag_named(self.expected[key].activation.name)

    def carriers(self, key: str) -> set[str]:
        """Live contacts that carry the activation's tag."""
        tag = self.tag(key)
        return {contact.id for contact in self.store.tagged(tag)} if tag else set()

    def carries(self, contact: Contact, key: str) -> bool:
        """Whether a contact carries the activation's tag, live or not."""
        tag = self.tag(key)
        return tag is not None and tag.id in contact.tags

    def rows(self, query: str, *values: object) -> list[tuple]:
        """Rows of the state."""
        with self.pipeline.state.reading() as connection:
            return connection.execute(query, list(values)).fetchall()
