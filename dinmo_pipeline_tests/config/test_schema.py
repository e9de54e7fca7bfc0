"""The JSON Schema for editors agrees with the reader."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from dinmo_pipeline.config import ConfigError, json_schema
from dinmo_pipeline.config.conditions.forms import FORM_WORDS
from dinmo_pipeline.config.conditions.moments import DAY, MOMENT, duration
from dinmo_pipeline.config.conditions.operators import OPERATORS
from dinmo_pipeline.config.destinations import API_VERSION, BASE_URL
from dinmo_pipeline.config.models import TABLE, UPSTREAM_KEY
from dinmo_pipeline.config.schedules.kinds import SCHEDULE, TIMEZONE
from dinmo_pipeline.config.strict_yaml.kinds import NAME, InvalidValueError
from dinmo_pipeline.config.strict_yaml.nodes import Scalar
from dinmo_pipeline.config.strict_yaml.problems import Place
from dinmo_pipeline.config.surroundings.sources import TIME_LIMIT
from dinmo_pipeline.config.unit_tests import NOW
from dinmo_pipeline_tests.config.reading import (
    DESTINATION,
    MODELS,
    SOURCE_AND_STATE,
    load,
    with_where,
)
from dinmo_pipeline_tests.editors.examples import as_json

_VALIDATOR = Draft202012Validator(json_schema())


def _fits_schema(text):
    return _VALIDATOR.is_valid(as_json(text))


def _is_read(text):
    try:
        return bool(load(text))
    except ConfigError:
        return False


def test_the_schema_is_a_schema():
    """Of the draft that it names."""
    Draft202012Validator.check_schema(json_schema())


_CUSTOMERS = "segments: {s: {model: customers, where: "
_TESTED = "segments: {s: {table: t}, v: {model: customers, where: {field: a, is: set}}}\ntests: {t: "
_EMAILS = "expect: {column: email, members: [a]}}}"
_BASE = SOURCE_AND_STATE + DESTINATION + MODELS


@pytest.mark.parametrize(
    "declared",
    [
        "activations:\n",
        "alerts: {webhook: {env: CHAT}}",
        "history: {keep_runs: 4 weeks, keep_syncs: forever, keep_memberships: 1 Year}\n",
        "history:\n",
        "segments: {s: {table: t}}\nactivations: {s: {guards: }}",
        "segments: {s: {table: t}}\nactivations: {s: }",
        "segments: {s: {table: t}}\nactivations: {s: {reconcile: {schedule: '@daily', repair: true}}}",
        "segments: {s: {table: t}}\nactivations: {s: {schedule: manual, guards: {max_failed_share: 1}}}",
        "segments: {s: {table: a.b, upstream: [x/y], description: ''}}",
        "segments: {s: {sql: select 1, name: S}}",
        "segments: {s: {table: t, upstream: [a]}}\nactivations: {s: {schedule: {after: upstream}}}",
        _TESTED + "{segment: s, given: {t: [{a: 1, b: null, c: x}], customers: }, " + _EMAILS,
        _TESTED + "{segment: s, now: 2026-03-01 12:00, timezone: UTC, given: {}, " + _EMAILS,
        _TESTED + "{segment: v, given: {customers: []}, expect: [1, b]}}",
        _CUSTOMERS + "{all: [{field: a, in: [1]}, [{none: orders}]]}}}",
        _CUSTOMERS + "{not: {field: a, is: true}}}}",
        _CUSTOMERS + "{field: a, contains: x, ignore_case: true}}}",
        _CUSTOMERS + "{count: orders, between: [1, 2], where: [{field: a, is: set}]}}}",
        _CUSTOMERS + "{last: orders.a, by: b, anniversary: {within_next: 1 day}}}}",
    ],
)
def test_what_is_read_fits(declared):
    """One of each form."""
    assert _is_read(_BASE + declared)
    assert _fits_schema(_BASE + declared)


@pytest.mark.parametrize(
    "declared",
    [
        "segment: {}",
        "alerts: {email: {port: 0}}",
        "history: {keep_runs: 12 hours}",
        "history: {keep_syncs: 0 days}",
        "history: {keep_memberships: never}",
        "alerts: {webhook: https://chat.example.com}",
        "segments: {s: {}}",
        "segments: {s: {table: t, sql: select 1}}",
        "segments: {s: {table: t, model: customers}}",
        "segments: {s: {where: {field: a, is: set}}}",
        "segments: {1s: {table: t}}",
        "segments: {s: {table: t, name: 5}}",
        "segments: {s: {table: t, colour: red}}",
        "segments: {s: {table: t}}\nactivations: {s: {enabled: yes}}",
        "segments: {s: {table: t}}\nactivations: {s: {guards: {max_failed_share: 2}}}",
        "segments: {s: {table: t}}\nactivations: {s: {match_by: phone}}",
        "segments: {s: {table: t}}\nactivations: {s: {reconcile: {schedule: {after: upstream}}}}",
        "segments: {s: {table: t, upstream: [a]}}\nactivations: {s: {schedule: {after: a}}}",
        _TESTED + "{segment: s, given: {t: [{a: []}]}, " + _EMAILS,
        _TESTED + "{segment: s, given: {t: {a: 1}}, " + _EMAILS,
        _TESTED + "{segment: s, given: {t: [{}]}, " + _EMAILS,
        _TESTED + "{segment: s, given: {}, expect: {members: []}}}",
        _TESTED + "{segment: s, now: 12:00, given: {}, " + _EMAILS,
        _TESTED + "{segment: s, " + _EMAILS,
        _TESTED + "{given: {}, " + _EMAILS,
        _TESTED + "{segment: v, given: {}, expect: [[1]]}}",
        _CUSTOMERS + "{field: a}}}",
        _CUSTOMERS + "{field: a, equals: 1, at_least: 2}}}",
        _CUSTOMERS + "{field: a, between: [1]}}}",
        _CUSTOMERS + "{field: a, in: []}}}",
        _CUSTOMERS + "{field: a, equals: x, ignore_case: true}}}",
        _CUSTOMERS + "{count: orders, at_least: 1.5}}}",
        _CUSTOMERS + "{count: orders}}}",
        _CUSTOMERS + "{exists: orders, at_least: 1}}}",
        _CUSTOMERS + "{sum: orders, at_least: 1}}}",
        _CUSTOMERS + "{last: orders.a, equals: 1}}}",
        _CUSTOMERS + "{not: [{field: a, is: set}]}}}",
        _CUSTOMERS + "[]}}",
    ],
)
def test_what_has_the_wrong_form_does_not_fit(declared):
    """An editor underlines it."""
    assert not _is_read(_BASE + declared)
    assert not _fits_schema(_BASE + declared)


@pytest.mark.parametrize(
    ("source", "is_sound"),
    [
        ("{type: duckdb, database: a}", True),
        ("{type: csv, folder: a}", True),
        ("{type: postgres, uri: {env: X}}", True),
        ("{type: postgres, uri: x}", False),
        ("{type: csv, database: a}", False),
        ("{type: duckdb}", False),
        ("{database: a}", False),
    ],
)
def test_sources_agree(source, is_sound):
    """Each type takes its own setting."""
    text = f"source: {source}\nstate: {{database: state.duckdb}}\n"
    assert (_is_read(text), _fits_schema(text)) == (is_sound, is_sound)


_OPERANDS = st.sampled_from(
    ["x", "1", "-1", "1.5", "true", "[1, 2]", "[]", "30 days", "today", "{}", "2026-03-01"]
)
_KEYS = st.sampled_from([*OPERATORS, *FORM_WORDS, "by", "ignore_case"])
_ENTRIES = st.dictionaries(_KEYS, _OPERANDS | st.just("orders") | st.just("orders.total"), max_size=3)


@settings(max_examples=200, deadline=None)
@given(_ENTRIES, st.sampled_from(["field: a", "count: orders", "sum: orders.b", "exists: orders", ""]))
def test_a_condition_that_is_read_fits(entries, form):
    """The schema never underlines what is right."""
    where = (
        "{" + ", ".join(filter(None, [form, *(f"{key}: {value}" for key, value in entries.items())])) + "}"
    )
    if _is_read(with_where(where)):
        assert _fits_schema(with_where(where))


def _words(*words):
    return st.lists(st.sampled_from(words), min_size=1, max_size=6).map(" ".join)


_CRON = _words("*", "5", "07", "*/2", "1-5", "mon-fri", "JAN", "0,6", "60", "*/0", "@daily", "x")
_PHRASES = _words(
    *("every", "15", "25", "minutes", "hours", "Daily", "weekdays", "mondays", "fri", "and", "on", ",", "at"),
    *("07:30", "7", "13", "pm", "noon", "monthly", "day", "the", "28", "29", "1st", "hourly", "weekly"),
)
_MOMENTS = _words(
    *(
        "30",
        "0",
        "days",
        "Week",
        "hours",
        "fortnight",
        "ago",
        "in",
        "today",
        "NOW",
        "2026-03-01",
        "31/12/2026",
    ),
    *("2026-13-01", "09:30", "2026-03-01T09:30:00+01:00", "2026-03-01T25:00"),
)
_DOTTED = st.text("ab. /", max_size=6)
_ADDRESSES = st.tuples(
    st.sampled_from(["https://", "http://", "ftp://", ""]),
    st.sampled_from(["localhost", "[::1]", "127.0.0.1", "api.intercom.io", "u:p@x.io", "localhost.x.io", ""]),
    st.sampled_from(["", ":80", "/a", "?a", "#a", "/ b"]),
).map("".join)


@settings(max_examples=150, deadline=None)
@given(st.data())
@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        (SCHEDULE, _CRON | _PHRASES | st.just("manual")),
        (TIMEZONE, st.sampled_from(["UTC", "Europe/Paris", "Europe/Pariss", "Paris", "Etc/GMT+1", "utc+1"])),
        (duration(), _MOMENTS),
        (MOMENT, _MOMENTS),
        (DAY, _MOMENTS),
        (TIME_LIMIT, _MOMENTS),
        (NOW, _MOMENTS),
        (TABLE, _DOTTED),
        (UPSTREAM_KEY, _DOTTED),
        (NAME, st.text("a \n\x07", max_size=4) | st.sampled_from(["n" * 191, "n" * 192])),
        (BASE_URL, _ADDRESSES),
        (API_VERSION, st.sampled_from(["2.16", "2.9", "2.13", "3.0", "2", "v2.16", "10.1", "2.116"])),
    ],
)
def test_a_pattern_says_what_its_reader_says(kind, texts, data):
    """Of any text in quotes: one fact, in one place."""
    text = data.draw(texts)
    place = Place("f", 1, 1)
    schema = {**kind.schema, "$defs": _VALIDATOR.schema["$defs"]}
    try:
        kind.read(Scalar(text, "text", plain=False, place=place, end=(0, 0)))
        is_read = True
    except InvalidValueError:
        is_read = False
    assert Draft202012Validator(schema).is_valid(text) == is_read
