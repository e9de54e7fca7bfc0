"""Cron expressions are checked without Dagster, and agree with it."""

import dagster as dg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dinmo_pipeline.config.schedules.cron import fault_in_cron

_NUMBERS = st.integers(0, 60).map(str)
_WORDS = _NUMBERS | st.sampled_from(["*", "mon", "sun", "jan", "dec", "L", "?", "-1", "x"])
_PARTS = st.one_of(
    _WORDS,
    st.tuples(_WORDS, _WORDS).map("-".join),
    st.tuples(_WORDS, _NUMBERS).map("/".join),
    st.tuples(_WORDS, _WORDS, _NUMBERS).map(lambda parts: f"{parts[0]}-{parts[1]}/{parts[2]}"),
)
_FIELDS = st.lists(_PARTS, min_size=1, max_size=3).map(",".join)


NOT_CRON = (
    "must be `manual`, words such as `daily at 07:30`, or five cron fields: minute, hour, day of the"
    " month, month, day of the week"
)


def is_accepted_by_dagster(expression):
    """Whether a schedule can have this cron expression."""
    try:
        dg.ScheduleDefinition(job_name="job", cron_schedule=expression)
    except dg.DagsterInvalidDefinitionError:
        return False
    return True


@given(st.lists(_FIELDS, min_size=4, max_size=6).map(" ".join))
@example("0 0 30 2 *")
@example("0 0 30 2 1")
@example("0 0 * * 0-7")
@example("@reboot")
def test_what_is_accepted_here_is_accepted_by_dagster(expression):
    """A subset: nothing passes `dinmo check` that fails when Dagster loads."""
    if fault_in_cron(expression) is None:
        assert is_accepted_by_dagster(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "0 * * * *",
        "*/15 * * * *",
        "30 7 * * mon-fri",
        "0 0 1,15 * *",
        "5-55/10 8-18 * jan-jun 1-5",
        "0 0 29 2 *",
        "0 0 * * 7",
        "10/20 * * * *",
        "@hourly",
        "@daily",
        "@weekly",
        "@monthly",
    ],
)
def test_usual_expressions_are_accepted(expression):
    """By us and by Dagster."""
    assert fault_in_cron(expression) is None
    assert is_accepted_by_dagster(expression)


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        (
            "* * * *",
            NOT_CRON,
        ),
        (
            "* * * * * *",
            NOT_CRON,
        ),
        (
            "@reboot",
            NOT_CRON,
        ),
        ("60 * * * *", "has a wrong minute, '60': 0 to 59, as in 1,3-5 or */2"),
        ("0 24 * * *", "has a wrong hour, '24': 0 to 23, as in 1,3-5 or */2"),
        ("0 22-4 * * *", "has a wrong hour, '22-4': 0 to 23, as in 1,3-5 or */2"),
        ("0 0 0 * *", "has a wrong day of the month, '0': 1 to 31, as in 1,3-5 or */2"),
        ("0 0 * foo *", "has a wrong month, 'foo': 1 to 12, as in 1,3-5 or */2"),
        ("0 0 * * 8", "has a wrong day of the week, '8': 0 to 7, as in 1,3-5 or */2"),
        ("*/0 * * * *", "has a wrong minute, '*/0': 0 to 59, as in 1,3-5 or */2"),
        ("0 0 31 4,6 *", "names a day that never comes in the months it names"),
    ],
)
def test_a_wrong_field_is_named(expression, fault):
    """The message says which field, and what it may hold."""
    assert fault_in_cron(expression) == fault
