"""Schedules in words become cron expressions, and cron expressions are shown in words."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dinmo_pipeline.config.schedules.cron import fault_in_cron
from dinmo_pipeline.config.schedules.phrases import EXAMPLES, PhraseError, cron_of, in_words
from dinmo_pipeline_tests.config.reading import DESTINATION, SOURCE_AND_STATE, load, messages

DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))


def moments(expression):
    """The numbers that each field of a cron expression names; Sunday is 0."""
    nicknames = {"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@weekly": "0 0 * * 0"}
    fields = {**nicknames, "@monthly": "0 0 1 * *"}.get(expression, expression).split()
    return [expanded(field, *bounds) for field, bounds in zip(fields, BOUNDS, strict=True)]


def expanded(field, lowest, highest):
    """The numbers of one field."""
    numbers = set()
    for written in field.split(","):
        named = re.sub("[a-z]{3}", lambda day: str(DAYS.index(day[0])), written)
        span, _, step = named.partition("/")
        first, _, last = span.partition("-")
        if span == "*":
            first, last = lowest, highest
        numbers |= set(range(int(first), int(last or first) + 1, int(step or 1)))
    return {number % 7 if highest == 6 else number for number in numbers}


@pytest.mark.parametrize(
    ("phrase", "cron"),
    [
        ("every 15 minutes", "*/15 * * * *"),
        ("Every  15 Min", "*/15 * * * *"),
        ("every minute", "* * * * *"),
        ("every 60 minutes", "0 * * * *"),
        ("every 2 hours", "0 */2 * * *"),
        ("every 24 hours", "0 0 * * *"),
        ("every hour", "0 * * * *"),
        ("hourly", "0 * * * *"),
        ("daily at 07:30", "30 7 * * *"),
        ("every day at 7", "0 7 * * *"),
        ("daily at 7:30 pm", "30 19 * * *"),
        ("daily at 12am", "0 0 * * *"),
        ("daily at noon", "0 12 * * *"),
        ("weekdays at 7:30", "30 7 * * 1-5"),
        ("every weekday at 7:30", "30 7 * * 1-5"),
        ("weekends at midnight", "0 0 * * 0,6"),
        ("mondays at 9:00", "0 9 * * 1"),
        ("every monday and thursday at 9am", "0 9 * * 1,4"),
        ("Mon, Thu at 9:00", "0 9 * * 1,4"),
        ("weekly on sunday at 7:30", "30 7 * * 0"),
        ("monthly on the 1st at 6:00", "0 6 1 * *"),
        ("every month on day 28 at 6:00", "0 6 28 * *"),
    ],
)
def test_words_are_a_cron_expression(phrase, cron):
    """As people write them, whatever the case and the spaces."""
    assert cron_of(phrase) == cron
    assert fault_in_cron(cron) is None


@pytest.mark.parametrize(
    ("phrase", "fault"),
    [
        (
            "every 7 minutes",
            "must divide an hour evenly: 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or 30 minutes",
        ),
        (
            "every 0 minutes",
            "must divide an hour evenly: 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or 30 minutes",
        ),
        ("every 5 hours", "must divide a day evenly: 1, 2, 3, 4, 6, 8 or 12 hours"),
        (
            "every 3 days",
            "cannot be every 3 days. Name days instead, as in `mondays and thursdays at 07:30`",
        ),
        ("every day", "needs a time, as in `daily at 07:30`"),
        ("every week", "needs a time, as in `mondays at 07:30`"),
        ("daily", "needs a time or an interval, as in `daily at 07:30` or `every 2 hours`"),
        ("now and then", "needs a time or an interval, as in `daily at 07:30` or `every 2 hours`"),
        ("daily at 25:00", "has a wrong time, '25:00': 00:00 to 23:59, or as in 7:30 am"),
        ("daily at 7:75", "has a wrong time, '7:75': 00:00 to 23:59, or as in 7:30 am"),
        ("daily at 13 pm", "has a wrong time, '13 pm': 00:00 to 23:59, or as in 7:30 am"),
        ("monthly on the 31st at 7:00", "has a wrong day of the month, 31: 1 to 28"),
        (
            "blue moons at 7:00",
            (
                "has wrong days, 'blue moons': daily, weekdays, weekends, mondays, mondays and thursdays,"
                " or monthly on day 1"
            ),
        ),
    ],
)
def test_what_is_wrong_with_the_words_is_reported(phrase, fault):
    """With what is right instead."""
    with pytest.raises(PhraseError) as error:
        cron_of(phrase)
    assert str(error.value) == fault


@given(st.text(st.sampled_from("every 0123456789:dailymonthsuwkn,@*/-"), max_size=40))
def test_any_text_is_a_cron_expression_or_refused(text):
    """Nothing passes that Dagster would refuse later."""
    with contextlib.suppress(PhraseError):
        assert fault_in_cron(cron_of(text)) is None


NUMBERS = st.integers(0, 59).map(str)
FIELD = st.sampled_from(["*", "*/2", "*/7", "*/15", "0", "1-5", "0,6", "sun", "mon,thu"]) | NUMBERS


@given(st.lists(FIELD, min_size=5, max_size=5).map(" ".join).filter(lambda c: not fault_in_cron(c)))
def test_words_for_a_cron_expression_mean_the_same(cron):
    """An expression that has no words stays as it is."""
    words = in_words(cron)
    assert words == cron or moments(cron_of(words)) == moments(cron)


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("@hourly", "every hour"),
        ("@weekly", "sundays at 00:00"),
        ("30 7 * * mon-fri", "weekdays at 07:30"),
        ("0 8 * * mon,wed,fri", "mondays, wednesdays and fridays at 08:00"),
        ("0 0 * * 7", "sundays at 00:00"),
        ("*/7 * * * *", "*/7 * * * *"),
        ("0 0 31 * *", "0 0 31 * *"),
        ("manual", "manual"),
    ],
)
def test_schedules_are_shown_in_words(schedule, words):
    """Where they have some."""
    assert in_words(schedule) == words


def declared(schedule):
    """Declarations with one scheduled activation, in Paris."""
    return (
        SOURCE_AND_STATE
        + DESTINATION
        + "segments: {s: {table: t}}\n"
        + "activations:\n"
        + f"  s: {{timezone: Europe/Paris, schedule: {schedule}, reconcile: {{schedule: {schedule}}}}}\n"
    )


@pytest.mark.parametrize("phrase", EXAMPLES)
def test_words_need_no_quotes_in_yaml(phrase):
    """For syncs and for reconciliations, in the activation's time zone."""
    activation = load(declared(phrase)).activations["s"]
    assert activation.schedule == activation.reconciliation.schedule == cron_of(phrase)
    assert activation.timezone == "Europe/Paris"


def test_a_wrong_phrase_is_a_problem_of_the_declarations():
    """Named like any other."""
    assert messages(declared("every 7 minutes"))[0] == (
        "`schedule` must divide an hour evenly: 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or 30 minutes."
    )
