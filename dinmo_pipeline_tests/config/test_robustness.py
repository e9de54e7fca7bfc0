"""Whatever a file contains, reading it gives a project or a ConfigError."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from dinmo_pipeline.config import ConfigError
from dinmo_pipeline.config.conditions.forms import FORM_WORDS
from dinmo_pipeline.config.conditions.operators import OPERATORS
from dinmo_pipeline_tests.config.reading import (
    DESTINATION,
    MODELS,
    SOURCE_AND_STATE,
    load_files,
    with_where,
)

_SOUND = (
    SOURCE_AND_STATE
    + DESTINATION
    + MODELS
    + """\
segments:
  vip:
    model: customers
    where:
      all:
        - {field: country, in: [FR, BE]}
        - any:
            - {count: orders, at_least: 3, where: {field: ordered_at, within_last: 365 days}}
            - {last: orders.lines.amount, by: id, between: [1, 2.5]}
        - not: {in_segment: churned}
        - {field: born, anniversary: {within_next: 7 days}}
        - {field: seen, before: 30 days ago}
  churned: {name: Churned, sql: "select 1", upstream: [a/b]}
activations:
  vip: {schedule: "0 * * * *", guards: {max_removed_share: 0.5}, match_by: user_id, column: x}
  churned: {reconcile: {schedule: "@daily", repair: true}}
alerts: {webhook: {env: CHAT}}
history: {keep_runs: 3 days, keep_syncs: forever}
"""
)
_MARKS = [*"~'\"|>{}[]#%!", "{}", "[]", "&a", "*a", "!t", "<<", "---", "..."]
_NUMBERS = ["0", "-1", "1e999999999", ".nan", "9" * 500]
_SPACES = ["\t", "\n", ": ", "- ", "\x00", "\x85", "\u2028", "\ufeff"]
_KEYS = ["where", "by", "segments", "models", "source", *OPERATORS, *FORM_WORDS]
_WORDS = st.sampled_from([*_MARKS, *_NUMBERS, *_SPACES, *_KEYS])


def _read(content):
    """A project, or the problems and their text."""
    try:
        return load_files({"a.yaml": content})
    except ConfigError as error:
        return error.problems, str(error)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(content):
    """Text or not."""
    assert _read(content)


@settings(deadline=None)
@given(st.lists(_WORDS | st.text(max_size=4), max_size=30).map("".join))
def test_any_text_of_yaml_words(text):
    """Close enough to YAML to get far into the reader."""
    assert _read(text.encode("utf-8", "replace"))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_change_of_sound_declarations(data):
    """A few characters replaced, removed or added somewhere."""
    text = _SOUND
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 12)))
        text = text[:start] + data.draw(_WORDS | st.text(max_size=3)) + text[end:]
    assert _read(text.encode("utf-8", "replace"))


_SCALARS = st.sampled_from(
    [
        "x",
        "1",
        "1.5",
        "true",
        "~",
        "''",
        "30 days",
        "today",
        "orders",
        "orders.lines",
        "t",
        "[1, 2]",
    ]
)
_CONDITIONS = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(
            st.sampled_from([*FORM_WORDS, *OPERATORS, "where", "by", "ignore_case"]),
            inner,
            max_size=4,
        ).map(lambda entries: "{" + ", ".join(f"{k}: {v}" for k, v in entries.items()) + "}"),
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(_CONDITIONS)
def test_any_condition(where):
    """Every word in every place."""
    assert _read(with_where(where).encode())


def test_the_sound_declarations_are_sound():
    """Or the test above would change what is refused anyway."""
    assert load_files({"a.yaml": _SOUND})


def test_hostile_texts_are_refused_in_little_time():
    """Long words and lines, and very many problems."""
    start = time.process_time()
    for content in (
        "models: " + "token" * 50_000 + "\n\tx",
        "models: [" + "9" * 200_000,
        "models: {" + ", ".join(f"m{n}: {{x: 1}}" for n in range(5_000)) + "}",
        "destinations: {" + ", ".join(f"d{n}: {{token: x}}" for n in range(5_000)) + "}",
        "segments: {" + "".join(f"{key}: {{table: t}}, " for key in "abc") + "x: " + "a." * 100_000 + "}",
    ):
        assert _read(content.encode())
    assert time.process_time() - start < 15
