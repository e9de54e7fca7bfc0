"""The law of changes: the SQL always gives the result of a plain computation from everything known."""

from contextlib import ExitStack
from dataclasses import replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.contact import Contact
from dinmo_pipeline.state.changes import (
    compute_changes,
    newest_touch,
    settle,
    store_changes,
)
from dinmo_pipeline.state.contacts.directory import record_contacts, record_missing
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.ledger import (
    AppliedChange,
    count_tagged,
    planned_changes,
    record_outcomes,
    unknown_members,
)
from dinmo_pipeline.state.membership import stage_members, write_membership
from dinmo_pipeline.state.tags.owners import ActivationTag, record_tag
from dinmo_pipeline_tests.state.declaring import NOW, activation, rows_of
from dinmo_pipeline_tests.state.model import ModelChanges, ModelDirectory, ModelLedger

# Some are the email of one user and the user id of another, and must not be confused.
IDENTIFIERS = ["a@x.org", "b@x.org", "c@x.org", "7"]
CONTACTS = ["c1", "c2", "c3", "c4", "c5"]
KEYS = ["vip", "churned"]

keys = st.sampled_from(KEYS)
identifier_sets = st.sets(st.sampled_from(IDENTIFIERS))
contact_sets = st.sets(st.sampled_from(CONTACTS))
emails = st.sampled_from([*IDENTIFIERS, None])


class Intercom(RuleBasedStateMachine):
    """Two activations and one workspace that changes; what is known of it may be outdated."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        state = StateDatabase("not there")
        self.connection = self.stack.enter_context(state.scratch())
        self.connection.execute("SET threads = 1")
        # A reader of a state that does not exist has one in memory, so no test waits for a disk.
        self.stack.enter_context(state.attached(self.connection, read_only=True))
        self.users: dict[str, tuple[str | None, str | None]] = {}
        self.activations: dict[str, Activation] = {key: activation(key) for key in KEYS}
        self.members: dict[str, set[str]] = {key: set() for key in KEYS}
        self.directories = {"main": ModelDirectory(), "other": ModelDirectory()}
        self.ledgers = {(key, place): ModelLedger() for key in KEYS for place in self.directories}
        self.tags = 0

    def teardown(self) -> None:
        """Delete the folder."""
        self.stack.close()

    # What happens in Intercom and in the declarations.

    @initialize(users=st.dictionaries(st.sampled_from(CONTACTS), st.tuples(emails, emails)))
    def start(self, users: dict[str, tuple[str | None, str | None]]) -> None:
        """Create some users."""
        for contact_id, (email, external_id) in users.items():
            self.user_is(contact_id, email, external_id)

    @rule(contact_id=st.sampled_from(CONTACTS), email=emails, external_id=emails)
    def user_is(self, contact_id: str, email: str | None, external_id: str | None) -> None:
        """A user signs up or changes; Intercom allows one user per external_id."""
        if any(
            external_id is not None and theirs == external_id and other != contact_id
            for other, (_, theirs) in self.users.items()
        ):
            external_id = None
        self.users[contact_id] = (email, external_id)

    @rule(contact_id=st.sampled_from(CONTACTS))
    def user_is_deleted(self, contact_id: str) -> None:
        """The state still has the user until a call about it fails."""
        self.users.pop(contact_id, None)

    @rule(key=keys, change=st.sampled_from(["match_by", "on_multiple_users", "destination"]))
    def setting_is_changed(self, key: str, change: str) -> None:
        """A setting changes in the declarations."""
        before = self.activations[key]
        others = {
            "match_by": {"email": "user_id", "user_id": "email"},
            "on_multiple_users": {"all": "skip", "skip": "all"},
            "destination": {"main": "other", "other": "main"},
        }
        after = others[change][getattr(before, change)]
        self.activations[key] = replace(before, **{change: after})  # type: ignore[arg-type]

    # What the state learns.

    @rule(key=keys, members=identifier_sets)
    def membership_is_read(self, key: str, members: set[str]) -> None:
        """A segment is read from the source."""
        stage_members(self.connection, rows_of(sorted(members)), self.activations[key].match_by)
        write_membership(self.connection, key, self.activations[key].match_by, now=NOW)
        self.members[key] = members

    @rule(destination=st.sampled_from(["main", "other"]), contact_ids=contact_sets)
    def users_are_listed(self, destination: str, contact_ids: set[str]) -> None:
        """Users are seen, but not by their email, for example as new sign-ups."""
        seen = [Contact(id_, *self.users[id_]) for id_ in contact_ids & self.users.keys()]
        record_contacts(self.connection, destination, seen, by_email=False, now=NOW)
        self.directories[destination].see(seen, by_email=False)

    @rule(key=keys, identifiers=identifier_sets)
    def members_are_searched(self, key: str, identifiers: set[str]) -> None:
        """Members are searched by their identifier; all users who have it are found."""
        chosen = self.activations[key]
        by_email = chosen.match_by == "email"
        found = [
            Contact(contact_id, email, external_id)
            for contact_id, (email, external_id) in self.users.items()
            if (email if by_email else external_id) in identifiers
        ]
        record_contacts(self.connection, chosen.destination, found, by_email=by_email, now=NOW)
        record_missing(self.connection, chosen.destination, chosen.match_by, sorted(identifiers), now=NOW)
        directory = self.directories[chosen.destination]
        directory.see(found, by_email=by_email)
        directory.searched(chosen.match_by, identifiers)

    # Syncs.

    @rule(key=keys)
    def tag_is_made_again(self, key: str) -> None:
        """The tag was deleted in Intercom, and so taken off everybody."""
        self.tags += 1
        self._tag(key, str(self.tags))

    @rule(key=keys)
    def changes_are_computed(self, key: str) -> None:
        """As a scheduled run does, also while another run applies changes."""
        self._judge(key)

    @rule(
        key=keys,
        unanswered=identifier_sets,
        outcomes=st.dictionaries(
            st.sampled_from(CONTACTS), st.sampled_from(["failed", "pending", "untried"])
        ),
        meanwhile=st.sampled_from(["nothing", "news", "membership"]),
        contact_ids=contact_sets,
        members=identifier_sets,
    )
    def sync(
        self,
        *,
        key: str,
        unanswered: set[str],
        outcomes: dict[str, str],
        meanwhile: str,
        contact_ids: set[str],
        members: set[str],
    ) -> None:
        """As sync/operations/apply.py does it; anything may go wrong or happen in between."""
        self._look_for_unknown(key, unanswered)
        touched = self._judge(key)
        if meanwhile == "news":
            self.users_are_listed(self.activations[key].destination, contact_ids)
        elif meanwhile == "membership":
            self.membership_is_read(key, members)
            self._judge(key)
        untried = self._apply(key, outcomes)
        if not untried:
            settle(self.connection, key, touched)

    @precondition(lambda self: any(self.members.values()))
    @rule(key=keys)
    def all_goes_well(self, key: str) -> None:
        """Soon nothing is left to do, and the ledger equals what is desired."""
        for _ in range(len(CONTACTS) + 2):
            self._look_for_unknown(key, set())
            touched = self._judge(key)
            self._apply(key, {})
            settle(self.connection, key, touched)
            sizes = compute_changes(self.connection, self.activations[key])
            if not sizes.entered and not sizes.left:
                break
        else:
            raise AssertionError("it never ends")
        desired = self._expected(key).desired
        ledger = self.connection.execute(
            "SELECT contact_id FROM dinmo.tagged_contacts WHERE activation = ? AND destination = ?",
            [key, self.activations[key].destination],
        ).fetchall()
        assert sorted(row[0] for row in ledger) == sorted(desired)
        assert count_tagged(self.connection, key) == len(desired)

    @invariant()
    def the_changes_are_right(self) -> None:
        """Contact by contact, and their numbers."""
        for key in KEYS:
            expected = self._expected(key)
            sizes = compute_changes(self.connection, self.activations[key])
            changes = self.connection.execute(
                "SELECT position, change, identifier, contact_id FROM changes"
            ).fetchall()
            entered = {(who, where) for _, change, who, where in changes if change == "entered"}
            left = {(who, where) for _, change, who, where in changes if change == "left"}
            assert entered == expected.entered | {(member, None) for member in expected.unknown}
            assert left == expected.left
            assert sizes == expected.sizes
            assert sorted(row[0] for row in changes) == list(range(1, len(entered | left) + 1))

    # Implementation.

    def _expected(self, key: str) -> ModelChanges:
        chosen = self.activations[key]
        return ModelChanges.between(
            chosen,
            self.members[key],
            self.directories[chosen.destination],
            self.ledgers[key, chosen.destination].members,
        )

    def _judge(self, key: str) -> int:
        chosen = self.activations[key]
        compute_changes(self.connection, chosen)
        store_changes(self.connection, chosen)
        desired = self._expected(key).desired
        ledger = self.ledgers[key, chosen.destination].members
        ledger.update({who: desired[who] for who in ledger.keys() & desired.keys()})
        return newest_touch(self.connection, chosen.destination)

    def _look_for_unknown(self, key: str, unanswered: set[str]) -> None:
        self._judge(key)
        unknown = unknown_members(self.connection, key, after="", limit=100)
        assert set(unknown) == self._expected(key).unknown
        self.members_are_searched(key, set(unknown) - unanswered)

    def _tag(self, key: str, tag_id: str) -> None:
        destination = self.activations[key].destination
        record_tag(self.connection, key, destination, ActivationTag(tag_id, "VIP"))
        self.ledgers[key, destination] = ModelLedger(tag_id)

    def _apply(self, key: str, outcomes: dict[str, str]) -> bool:
        """Apply the stored changes; returns whether some were not tried."""
        chosen = self.activations[key]
        ledger = self.ledgers[key, chosen.destination]
        if ledger.tag_id is None:
            self._tag(key, "first")
            ledger = self.ledgers[key, chosen.destination]
        untried = False
        for change in ("entered", "left"):
            done = []
            for _, _, who, where in planned_changes(self.connection, key, change, after=0, limit=100):
                outcome = "gone" if where not in self.users else outcomes.get(where, "applied")
                if outcome == "untried":
                    untried = True
                    continue
                done.append(AppliedChange(change, who, where, outcome))  # type: ignore[arg-type]
                if outcome == "applied" and change == "entered":
                    ledger.members[where] = who
                elif outcome == "applied":
                    ledger.members.pop(where, None)
                elif outcome == "gone":
                    self.directories[chosen.destination].contacts.pop(where, None)
                    for other in KEYS:
                        self.ledgers[other, chosen.destination].members.pop(where, None)
            record_outcomes(self.connection, key, chosen.destination, "s", done, now=NOW)
        return untried


def test_changes_equal_those_of_a_plain_computation() -> None:
    """Entered, left, and unknown, contact by contact, after any history."""
    run_state_machine_as_test(
        Intercom,
        settings=settings(
            max_examples=15,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
