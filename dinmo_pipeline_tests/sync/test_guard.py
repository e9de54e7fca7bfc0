"""The removal guard: when a change set is held, and never for a removal that is not certain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dinmo_pipeline.config.declarations import Guards
from dinmo_pipeline.state.changes import ChangeSet
from dinmo_pipeline.sync.guard import ALWAYS_ALLOWED_REMOVALS, reason_to_hold

COUNTS = st.integers(min_value=0, max_value=100_000)
SHARES = st.floats(min_value=0, max_value=1)


def change_set(*, members=100, tagged=100, leaving=0, unknown=0):
    """A change set of some size."""
    return ChangeSet(
        members=members,
        entered=unknown,
        left=leaving,
        unknown=unknown,
        not_in_intercom=0,
        tagged_contacts=tagged,
        leaving_contacts=leaving,
    )


@pytest.mark.parametrize(
    ("leaving", "tagged", "held"),
    [
        (10, 10, False),  # ten are never held for their share
        (11, 11, True),
        (30, 100, False),  # exactly the share
        (31, 100, True),
        (300_000, 1_000_000, False),
        (300_001, 1_000_000, True),
    ],
)
def test_more_than_the_share_and_more_than_ten_are_held(leaving, tagged, held):
    """The default share is 30 %."""
    reason = reason_to_hold(change_set(tagged=tagged, leaving=leaving), Guards())
    assert (reason is not None) is held


def test_an_empty_segment_is_held_also_when_it_was_small():
    """One tagged contact is enough; none is nothing to hold."""
    assert reason_to_hold(change_set(members=0, tagged=1, leaving=1), Guards()) is not None
    assert reason_to_hold(change_set(members=0, tagged=0), Guards()) is None


def test_members_nobody_looked_for_yet_may_be_those_who_seem_to_leave():
    """A lost directory or a changed match_by is no removal before the lookup."""
    seeming = change_set(tagged=100, leaving=100, unknown=100)
    assert reason_to_hold(seeming, Guards()) is None
    assert reason_to_hold(change_set(tagged=100, leaving=100, unknown=50), Guards()) is not None


@given(COUNTS, COUNTS, SHARES)
def test_a_larger_share_never_holds_more(leaving, tagged, share):
    """The guard is monotonous in its setting."""
    leaving = min(leaving, tagged)
    changes = change_set(tagged=tagged, leaving=leaving)
    if reason_to_hold(changes, Guards(max_removed_share=share)) is None:
        larger = min(1.0, share * 1.5)
        assert reason_to_hold(changes, Guards(max_removed_share=larger)) is None


@given(COUNTS, COUNTS)
def test_what_is_not_held_is_few_or_within_the_share(leaving, tagged):
    """The guarantee that people rely on, told the other way round."""
    leaving = min(leaving, tagged)
    if reason_to_hold(change_set(tagged=tagged, leaving=leaving), Guards()) is None:
        assert leaving <= ALWAYS_ALLOWED_REMOVALS or leaving <= 0.3 * tagged
