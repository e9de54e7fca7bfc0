"""The JSON Schema for editors agrees with the reader."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from dinmo_pipeline.config import ConfigError, json_schema
from dinmo_pipeline.config.conditions.forms import FORM_WORDS
from dinmo_pipeline.config.conditions.operators import OPERATORS
from dinmo_pipeline.config.strict_yaml.composing import compose
from dinmo_pipeline.config.strict_yaml.nodes import ListNode, MapNode, Node
from dinmo_pipeline.config.strict_yaml.report import Report
from dinmo_pipeline_tests.config.reading import (
    DESTINATION,
    MODELS,
    SOURCE_AND_STATE,
    load,
    with_where,
)

_VALIDATOR = Draft202012Validator(json_schema())


def _plain(node: Node):
    """A node as JSON has it."""
    if isinstance(node, MapNode):
        return {key.text: _plain(value) for key, value in node.entries}
    if isinstance(node, ListNode):
        return [_plain(item) for item in node.items]
    values = {
        "null": lambda _: None,
        "bool": lambda text: text.lower() == "true",
        "int": int,
        "float": float,
    }
    return values.get(node.kind, str)(node.text)


def _fits_schema(text):
    return _VALIDATOR.is_valid(_plain(compose("f", text, Report())))


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
        "alerts: {}",
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


@settings(max_examples=400, deadline=None)
@given(_ENTRIES, st.sampled_from(["field: a", "count: orders", "sum: orders.b", "exists: orders", ""]))
def test_a_condition_that_is_read_fits(entries, form):
    """The schema never underlines what is right."""
    where = (
        "{" + ", ".join(filter(None, [form, *(f"{key}: {value}" for key, value in entries.items())])) + "}"
    )
    if _is_read(with_where(where)):
        assert _fits_schema(with_where(where))
