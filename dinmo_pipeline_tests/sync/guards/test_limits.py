"""The guards: when a change set is held, and never for a removal that is not certain."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dinmo_pipeline.config.declarations import Guards
from dinmo_pipeline.state.changes import ChangeSet
from dinmo_pipeline.state.readings import Reading, Readings, StoredReading
from dinmo_pipeline.sync.guards.holds import (
    EmptySegment,
    InconsistentCounts,
    NobodyStays,
    RemovedShare,
    Suspicion,
    UnansweredMembers,
    UnidentifiedShare,
)
from dinmo_pipeline.sync.guards.limits import ALWAYS_ALLOWED_REMOVALS, Released, reason_to_hold

COUNTS = st.integers(min_value=0, max_value=100_000)
SHARES = st.floats(min_value=0, max_value=1)


HEALTHY = Readings(Reading("email", 100, 0, 0, 0, 0), None)


def reason_of(changes, **guards):
    """The reason to hold when nothing is wrong with the source."""
    return reason_to_hold(changes, HEALTHY, Guards(**guards))


def change_set(*, members=100, tagged=100, leaving=0, unknown=0, entered=0, left=None, tagged_members=None):
    """A change set of some size."""
    return ChangeSet(
        members=members,
        entered=entered + unknown,
        left=leaving if left is None else left,
        unknown=unknown,
        not_in_intercom=0,
        skipped=0,
        tagged_contacts=tagged,
        leaving_contacts=leaving,
        tagged_members=tagged if tagged_members is None else tagged_members,
    )


@pytest.mark.parametrize(
    ("leaving", "tagged", "held"),
    [
        (2, 2, False),  # so few may well leave together
        (3, 3, True),  # nobody would keep the tag
        (10, 10, True),
        (10, 11, False),  # ten are never held for their share
        (11, 12, True),
        (30, 100, False),  # exactly the share
        (31, 100, True),
        (300_000, 1_000_000, False),
        (300_001, 1_000_000, True),
    ],
)
def test_more_than_the_share_and_more_than_ten_are_held(leaving, tagged, held):
    """The default share is 30 %."""
    reason = reason_of(change_set(tagged=tagged, leaving=leaving))
    assert (reason is not None) is held


def test_an_empty_segment_is_held_also_when_it_was_small():
    """One tagged contact is enough; none is nothing to hold."""
    assert reason_of(change_set(members=0, tagged=1, leaving=1)).cause == EmptySegment(tagged=1)
    assert reason_of(change_set(members=0, tagged=0)) is None


def test_members_nobody_looked_for_yet_may_be_those_who_seem_to_leave():
    """A lost directory or a changed match_by is no removal before the lookup."""
    seeming = change_set(tagged=100, leaving=100, unknown=100)
    assert reason_of(seeming) is None
    assert reason_of(change_set(tagged=100, leaving=100, unknown=50)) is not None


@given(COUNTS, COUNTS, SHARES)
def test_a_larger_share_never_holds_more(leaving, tagged, share):
    """The guard is monotonous in its setting."""
    leaving = min(leaving, tagged)
    changes = change_set(tagged=tagged, leaving=leaving)
    if reason_of(changes, max_removed_share=share) is None:
        larger = min(1.0, share * 1.5)
        assert reason_of(changes, max_removed_share=larger) is None


@given(COUNTS, COUNTS)
def test_what_is_not_held_is_few_or_within_the_share(leaving, tagged):
    """The guarantee that people rely on, stated the other way round."""
    leaving = min(leaving, tagged)
    if reason_of(change_set(tagged=tagged, leaving=leaving)) is None:
        assert leaving <= ALWAYS_ALLOWED_REMOVALS or leaving <= 0.3 * tagged
        assert leaving < tagged or tagged < 3


@given(COUNTS, SHARES)
def test_nobody_stays_is_always_held_unless_the_segment_turns_over(tagged, share):
    """From three carriers up, whatever the share, until it is 1."""
    changes = change_set(tagged=tagged, leaving=tagged)
    held = reason_of(changes, max_removed_share=share)
    assert (held is not None and held.cause == NobodyStays(tagged)) is (tagged >= 3 and share < 1)
    assert reason_of(changes, max_removed_share=1.0) is None


def test_members_count_as_well_as_contacts():
    """A hundred members with one contact each leave; ten with fifty each stay."""
    changes = change_set(tagged=600, leaving=100, tagged_members=110)
    held = reason_of(changes)
    assert held.cause == RemovedShare(100, 110, 0.3, "members")
    assert "100 of 110 tagged members (91%) would lose the tag" in held.sentence


EARLIER = StoredReading(datetime(2026, 3, 1, tzinfo=UTC), Reading("email", 200, 0, 0, 0, 0), 200)


@pytest.mark.parametrize(("members", "held"), [(140, False), (139, True)])
def test_what_is_left_is_compared_with_a_week_ago(members, held):
    """A few removals each day add up; the same number of arrivals makes up for them."""
    readings = replace(HEALTHY, earlier=EARLIER)
    found = reason_to_hold(change_set(members=members, tagged=200, leaving=5), readings, Guards())
    assert (found is not None) is held
    if found:
        assert found.sentence.startswith("139 members would be left of 200 on 2026-03-01 (30% fewer)")
    nobody_leaves = change_set(members=members, tagged=200, leaving=0)
    assert reason_to_hold(nobody_leaves, readings, Guards()) is None


@pytest.mark.parametrize(
    ("before", "members", "held"),
    [(1_000, 5_000, False), (1_000, 5_001, True), (10, 1_010, False), (10, 1_011, True), (0, 1_001, True)],
)
def test_a_segment_that_grows_out_of_proportion_is_held(before, members, held):
    """Five times as many, and more than a thousand more. A first sync has nothing to compare with."""
    readings = replace(HEALTHY, applied=replace(EARLIER, members=before))
    changes = change_set(members=members, tagged=before, entered=members - before)
    found = reason_to_hold(changes, readings, Guards())
    assert (found is not None) is held
    assert reason_to_hold(changes, readings, Guards(), released=Released(growth=True)) is None
    assert (reason_to_hold(changes, readings, Guards(), released=Released(removal=True)) is not None) is held
    assert reason_to_hold(changes, HEALTHY, Guards()) is None
    assert reason_to_hold(changes, readings, Guards(max_growth=1e9)) is None or before == 0


THEN = StoredReading(
    datetime(2026, 3, 1, 9, 0, tzinfo=UTC),
    Reading("email", 1_000, 20, 0, 0, 0, identifier_type="VARCHAR"),
)
SINCE = "the reading last applied, of 2026-03-01 09:00 UTC"


def hold(leaving, *, applied=THEN, guards=None, **now):
    """The reason for a segment of 1,000 tagged contacts of which some would lose the tag."""
    changes = change_set(members=1_000 - leaving, tagged=1_000, leaving=leaving)
    return reason_to_hold(changes, Readings(replace(THEN.rows, **now), applied), guards or Guards())


def test_a_loss_of_identifiers_is_held_far_below_the_share_of_removals():
    """The whole sentence: who, why, what is allowed, and what the source did."""
    held = hold(80, null_identifiers=100, malformed_identifiers=5)
    assert held.cause == UnidentifiedShare(80, 1_000, 80, Suspicion.LOST_IDENTIFIERS, 0.05)
    assert held.sentence == (
        "80 of 1,000 tagged contacts would lose the tag, up to 80 of them (8%) because their rows lost"
        " the identifier; max_unidentified_share allows 5%. 85 more rows have no identifier of their"
        f" own than in {SINCE}: 80 NULL, 5 malformed."
    )


@pytest.mark.parametrize(
    ("leaving", "now", "held"),
    [
        (80, {}, False),  # they left: their rows are gone
        (80, {"null_identifiers": 70}, False),  # 50 of them at most: the share exactly
        (80, {"null_identifiers": 71}, True),
        (51, {"null_identifiers": 900}, True),
        (50, {"null_identifiers": 900}, False),
        (80, {"null_identifiers": 0, "blank_identifiers": 80}, True),
        (80, {"null_identifiers": 0, "blank_identifiers": 20}, False),  # NULLs that became blank
        (80, {"duplicate_rows": 80}, True),  # everybody got one placeholder
        (80, {"null_identifiers": 100, "rows_read": 920}, True),
        (
            80,
            {"null_identifiers": 100, "rows_read": 1_100},
            True,
        ),  # a hundred new members hide nothing
        (
            80,
            {"null_identifiers": 100, "rows_read": 3_000},
            False,
        ),  # 40 of 2,000 new rows are usual
        (80, {"null_identifiers": 120, "rows_read": 3_000}, True),
    ],
)
def test_what_counts_as_a_loss(leaving, now, held):
    """Rows that stay and have no identifier of their own any more, as many as contacts would leave."""
    assert (hold(leaving, **now) is not None) is held


@pytest.mark.parametrize(
    ("now", "held"),
    [
        ({"null_identifiers": 9_000, "rows_read": 10_000}, False),
        ({"null_identifiers": 9_500, "rows_read": 10_500}, False),  # more visitors, as many members
        ({"null_identifiers": 9_080, "rows_read": 10_000}, True),  # more visitors, fewer members
    ],
)
def test_where_most_rows_never_had_an_identifier_new_rows_are_no_sign(now, held):
    """A table of visitors: NULLs come and go by hundreds every day."""
    visitors = replace(THEN, rows=replace(THEN.rows, null_identifiers=9_000, rows_read=10_000))
    assert (hold(80, applied=visitors, **now) is not None) is held


def test_ten_contacts_are_never_held_for_it():
    """As with the other share; of twenty tagged contacts ten may go."""
    few = change_set(members=10, tagged=20, leaving=10)
    lost = Readings(replace(THEN.rows, null_identifiers=500), THEN)
    assert reason_to_hold(few, lost, Guards()) is None
    assert reason_to_hold(replace(few, leaving_contacts=11), lost, Guards(1.0)) is not None


def test_a_new_type_makes_every_removal_suspect():
    """007 became 7: few enough for the share of removals, and nobody left."""
    held = hold(80, identifier_type="INTEGER")
    assert held.cause == UnidentifiedShare(80, 1_000, 80, Suspicion.NEW_TYPE, 0.05)
    assert held.sentence == (
        "80 of 1,000 tagged contacts would lose the tag, up to 80 of them (8%) because of the"
        " identifier's new type; max_unidentified_share allows 5%. The identifier's type changed from"
        f" VARCHAR to INTEGER since {SINCE}."
    )
    assert hold(50, identifier_type="INTEGER") is None
    assert hold(80, identifier_type=None) is None
    assert hold(80, identifier_type="INTEGER", match_by="user_id") is None


def test_any_reason_also_says_what_happened_to_the_identifiers_upstream():
    """So a person who reads that half would lose the tag learns why."""
    held = hold(500, null_identifiers=520, identifier_type="JSON")
    assert held.cause == RemovedShare(500, 1_000, 0.3)
    assert held.sentence == (
        "500 of 1,000 tagged contacts (50%) would lose the tag; max_removed_share allows 30%."
        f" 500 more rows have no identifier of their own than in {SINCE}: 500 NULL."
        f" The identifier's type changed from VARCHAR to JSON since {SINCE}."
    )


def test_without_an_applied_reading_every_row_without_identifier_counts():
    """What cannot be compared is not trusted; where nobody leaves there is nothing to hold."""
    assert hold(80, applied=None, null_identifiers=60).sentence == (
        "80 of 1,000 tagged contacts would lose the tag, up to 60 of them (6%) because their rows lost"
        " the identifier; max_unidentified_share allows 5%. 60 rows have no identifier of their own"
        " (60 NULL); no reading has been applied yet to compare with."
    )
    assert hold(0, applied=None, null_identifiers=60) is None


def test_a_guard_that_cannot_be_evaluated_holds():
    """No reading, counts that contradict one another, a share that is not a number."""
    leaving = change_set(members=920, tagged=1_000, leaving=80)
    unread = reason_to_hold(leaving, Readings(None, None), Guards())
    assert unread.cause == UnidentifiedShare(80, 1_000, 80, Suspicion.UNKNOWN, 0.05)
    for impossible in (
        replace(leaving, leaving_contacts=1_001),
        replace(leaving, leaving_contacts=-1),
        replace(leaving, tagged_contacts=0),
        replace(leaving, unknown=-1),
    ):
        held = reason_to_hold(impossible, HEALTHY, Guards(1.0, 1.0, 1.0))
        assert isinstance(held.cause, InconsistentCounts)
    for guards in (Guards(max_removed_share=float("nan")), Guards(0.3, float("nan"))):
        lost = Readings(replace(THEN.rows, null_identifiers=100), THEN)
        assert reason_to_hold(leaving, lost, guards) is not None


def test_members_intercom_did_not_answer_for_excuse_nobody():
    """Before the lookup they may be those who seem to leave; after it nobody knows."""
    seeming = change_set(tagged=1_000, leaving=40, unknown=40)
    assert reason_of(seeming) is None
    held = reason_to_hold(seeming, HEALTHY, Guards(), looked=True)
    assert held.cause == UnansweredMembers(unanswered=40, leaving=40)
    few = change_set(tagged=1_000, leaving=10, unknown=40)
    assert reason_to_hold(few, HEALTHY, Guards(), looked=True) is None


@given(COUNTS, COUNTS, COUNTS, SHARES)
def test_more_lost_rows_never_release_a_change_set(leaving, tagged, lost, share):
    """And a larger share never holds more."""
    changes = change_set(tagged=tagged, leaving=min(leaving, tagged))
    worse = Readings(replace(THEN.rows, null_identifiers=lost + 1), THEN)
    better = Readings(replace(THEN.rows, null_identifiers=lost), THEN)
    guards = Guards(1.0, share)
    if reason_to_hold(changes, worse, guards) is None:
        assert reason_to_hold(changes, better, guards) is None
        assert reason_to_hold(changes, worse, replace(guards, max_unidentified_share=1.0)) is None
