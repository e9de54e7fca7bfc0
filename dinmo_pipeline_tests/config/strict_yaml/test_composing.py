"""YAML is read by 1.2 rules, strictly, and with bounds."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dinmo_pipeline.config.strict_yaml import composing
from dinmo_pipeline.config.strict_yaml.composing import UnreadableYamlError, compose
from dinmo_pipeline.config.strict_yaml.nodes import ListNode, MapNode, Scalar
from dinmo_pipeline.config.strict_yaml.report import Report
from dinmo_pipeline_tests.config.reading import SOURCE_AND_STATE, messages


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("NO", "text"),
        ("no", "text"),
        ("yes", "text"),
        ("on", "text"),
        ("off", "text"),
        ("y", "text"),
        ("12:30", "text"),
        ("12:30:45", "text"),
        ("0777", "text"),
        ("0o17", "text"),
        ("0x1F", "text"),
        ("1_000", "text"),
        ("+33", "text"),
        ("00", "text"),
        ("-0", "text"),
        ("2024-01-01", "text"),
        ("2024-01-01T10:00:00Z", "text"),
        ("1.2.3", "text"),
        ("'1'", "text"),
        ('"true"', "text"),
        ("''", "text"),
        ("=", "text"),
        ("true", "bool"),
        ("False", "bool"),
        ("TRUE", "bool"),
        ("tRUE", "text"),
        ("null", "null"),
        ("~", "null"),
        ("", "null"),
        ("Null", "null"),
        ("0", "int"),
        ("7", "int"),
        ("-12", "int"),
        ("1.5", "float"),
        ("-0.5", "float"),
        (".5", "float"),
        ("1e3", "float"),
        ("2.16", "float"),
        (".inf", "float"),
        ("-.INF", "float"),
        (".nan", "float"),
        ("01.5", "text"),
    ],
)
def test_scalars_are_what_yaml_1_2_says(text, kind):
    """Country codes, times, postcodes and dates stay text."""
    node = compose("f", f"key: {text}\n", Report())
    assert isinstance(node, MapNode)
    value = node.get("key")
    assert isinstance(value, Scalar)
    assert value.kind == kind


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The file is empty."),
        ("# only a comment\n", "The file is empty."),
        ("~\n", "The file is empty."),
        ("- a\n", "A file must be a mapping, not a list."),
        ("just text\n", "A file must be a mapping, not text."),
        (
            "models:\n\tcustomers: {}\n",
            "A tab stands where YAML allows only spaces; indent with spaces.",
        ),
        ("a: b: c\n", "A second ': ' on this line; put the value in quotes, or start a new line."),
        ("models: {a: {}\n", "A ',' or the closing '}' is missing."),
        ("models: [a\n", "A ',' or the closing ']' is missing."),
        ('models: "a\n', "The closing quote of this text is missing."),
        ("models: @a\n", "A plain text cannot start with this character; put the text in quotes."),
        ("- a\nb: c\n", "The indentation here does not fit the lines above."),
        ("%YAML 2.0\n---\na: b\n", "Only YAML 1 is read; delete the %YAML line."),
        ("models: \x01\n", "This character is not allowed in YAML; delete it."),
        ('a: "\\UFFFFFFFF"\n', "This cannot be read as YAML: an escape in quotes is wrong."),
        ("models: {}\n---\nmodels: {}\n", "A second document starts here; a file holds one."),
        ("models: *nothing\n", "This alias names no anchor above it."),
        ("models: &m {a: *m}\n", "This alias stands inside the value that it repeats."),
    ],
)
def test_what_cannot_be_read_is_one_clear_problem(text, message):
    """No traceback, no parser's jargon."""
    assert messages(text) == [message]


def test_merge_keys_tags_and_bad_keys_are_refused_and_reading_goes_on():
    """Each is reported, with whatever else is wrong."""
    text = SOURCE_AND_STATE + (
        "models:\n"
        "  a: {<<: {table: t}}\n"
        "  b: {table: !!python/object:os.system t}\n"
        '  c: {? [x] : y, table: "a\\0b"}\n'
        "  d: {table: t, table: u}\n"
    )
    assert messages(text) == [
        "Merge keys ('<<') are not part of YAML 1.2.",
        "Tags ('!…') are not used here.",
        "A key must be text, not a list or a mapping.",
        "This text holds a character no database can store; delete it.",
        "`table` must be one line without control characters.",
        "The key 'table' stands twice in one mapping: first at project.yaml:7:7.",
    ]


def test_aliases_that_multiply_are_refused_before_they_cost_memory():
    """A billion laughs: ten levels of ten aliases each."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert messages("\n".join(lines)) == [
        "The file has more than 100,000 values, aliases written out."
    ]


def test_many_aliases_deep_nesting_and_large_files_are_refused():
    """Hostile input costs neither time nor a stack overflow."""
    aliases = "x: &x 1\ny: [" + ", ".join(["*x"] * 1_001) + "]\n"
    assert messages(aliases) == ["The file uses more than 1000 aliases."]
    assert messages("a: " + "[" * 100_000) == ["This is nested more than 150 levels deep."]
    assert messages("a: " + "{a: " * 2_000) == ["This is nested more than 150 levels deep."]
    assert messages("#" * 2_000_001) == ["The file is larger than 2 MB."]


def _shape(node):
    if isinstance(node, Scalar):
        return node.text, node.kind, node.place, node.end
    if isinstance(node, ListNode):
        return [_shape(item) for item in node.items], node.place
    return [(_shape(key), _shape(value)) for key, value in node.entries], node.place


_VALUES = st.recursive(
    st.text() | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@given(_VALUES, st.booleans(), st.booleans())
def test_both_parsers_see_the_same(value, flow, unicode):
    """With and without libyaml a project reads the same, places included."""
    text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=unicode)
    seen = []
    for read in (composing.compose, composing._compose_in_python):
        try:
            seen.append(_shape(read("f", text, Report())))
        except UnreadableYamlError:
            seen.append(None)
    assert seen[0] == seen[1]
