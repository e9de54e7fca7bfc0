"""What size is usual is decided by a segment's own history."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dinmo_pipeline.state.membership import SizeOnDay
from dinmo_pipeline.sync.guards.usual_size import unusual_change


def judged(*sizes, step=1, **options):
    """The judgement of the last of some sizes, oldest first, read every so many days."""
    newest_first = [SizeOnDay(n * step, members) for n, members in enumerate(reversed(sizes))]
    return unusual_change(newest_first, **options)


STABLE = [5_000 + 20 * (day % 3) for day in range(30)]


@pytest.mark.parametrize(
    ("size", "sentence"),
    [
        (
            9_000,
            "The segment grew from 5,040 to 9,000 members within a day (+79%).",
        ),
        (
            4_000,
            "The segment shrank from 5,040 to 4,000 members within a day (-21%).",
        ),
        (0, "The segment shrank from 5,040 to 0 members within a day (-100%)."),
    ],
)
def test_a_stable_segment_that_jumps_is_unusual_in_both_directions(size, sentence):
    """The sentence has the numbers."""
    found = judged(*STABLE, size)
    assert found
    assert found.sentence.startswith(sentence)
    assert found.sentence.endswith("Up to 5% is usual, judging by the last nine weeks.")


@pytest.mark.parametrize("size", [4_790, 5_000, 5_290])
def test_what_chance_explains_is_usual(size):
    """Up to a twentieth."""
    assert judged(*STABLE, size) is None


def test_a_new_segment_is_not_judged():
    """Neither in its first two weeks, nor before it was read on eight days."""
    assert judged(*STABLE[:13], 9_000) is None
    assert judged(*STABLE[:14], 9_000)
    assert judged(*STABLE[:7], 9_000, step=7) is None
    assert judged(*STABLE[:8], 9_000, step=7)
    assert judged(5_000) is None
    assert judged() is None


@pytest.mark.parametrize(("before", "members"), [(4, 14), (12, 2), (30, 45), (100, 125)])
def test_a_small_segment_may_change_by_a_large_share(before, members):
    """Ten members, or three times the square root of the size."""
    assert judged(*[before] * 20, members) is None


def test_a_segment_that_jumps_every_week_is_as_usual():
    """Once it has jumped twice; another jump on top of it is not."""
    weeks = [1_000, 1_010, 1_000, 990, 1_000, 400, 410] * 3
    assert [judged(*weeks, 1_000), judged(*weeks, 1_000, 1_010, 1_000, 990, 1_000, 400)] == [None, None]
    assert judged(*weeks[:-2], 40)


def test_a_segment_that_begins_anew_each_month_is_as_usual_from_the_third_time_on():
    """It falls to nothing, and grows fast. Nine weeks hold the two times before."""
    month = [20 * day for day in range(30)]
    assert judged(*month, *month, 0)
    nine_weeks = (month * 3)[-62:]
    assert judged(*nine_weeks, 0) is None
    assert judged(*nine_weeks, 0, 20) is None


def test_an_accident_and_the_way_back_do_not_hide_the_next_one():
    """One change in each direction is an accident, two are usual."""
    history = [*STABLE[:20], 100, *STABLE[20:]]
    assert judged(*history, 100)
    assert judged(*history, 9_000)
    assert judged(*history, 100, *STABLE, 100) is None


def test_a_longer_pause_may_change_more():
    """After five days without a reading, five times as much as in one."""
    sizes = [SizeOnDay(0, 6_000), *(SizeOnDay(5 + n, 5_000) for n in range(20))]
    assert unusual_change(sizes) is None
    assert unusual_change([SizeOnDay(0, 6_500), *sizes[1:]])


def test_a_declared_share_takes_the_place_of_the_history():
    """Of new segments too; ten members are always allowed."""
    found = judged(100, 140, limit=0.3)
    assert found
    assert found.sentence == (
        "The segment grew from 100 to 140 members within a day (+40%). `report_size_change` allows 30%."
    )
    assert judged(100, 130, limit=0.3) is None
    assert judged(10, 20, limit=0.3) is None


def test_a_size_near_the_limit_does_not_come_and_go():
    """What was reported is over when it is clearly less."""
    assert judged(*STABLE, 5_250) is None
    assert judged(*STABLE, 5_250, was_unusual=True)
    assert judged(*STABLE, 5_200, was_unusual=True) is None


@given(st.lists(st.integers(0, 10**7), max_size=70), st.booleans())
def test_any_sizes_can_be_judged(sizes, was_unusual):
    """And a size that does not change is always usual."""
    judged(*sizes, was_unusual=was_unusual)
    if sizes:
        assert judged(*sizes, sizes[-1]) is None
