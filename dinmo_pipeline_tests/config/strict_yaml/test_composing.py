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
        ("- a\n", "The file must contain a mapping, not a list."),
        ("just text\n", "The file must contain a mapping, not text."),
        (
            "models:\n\tcustomers: {}\n",
            "YAML does not allow a tab here. Indent with spaces.",
        ),
        ("a: b: c\n", "This line has a second ': '. Put the value in quotes, or start a new line."),
        ("models: {a: {}\n", "Expected a ',' or the closing '}'."),
        ("models: [a\n", "Expected a ',' or the closing ']'."),
        ('models: "a\n', "This text has no closing quote."),
        ("models: @a\n", "Text without quotes cannot start with this character. Put it in quotes."),
        ("- a\nb: c\n", "The indentation does not match the lines above."),
        ("%YAML 2.0\n---\na: b\n", "Only YAML 1 is supported. Delete the %YAML line."),
        ("models: \x01\n", "YAML does not allow this character. Delete it."),
        ('a: "\\UFFFFFFFF"\n', "Invalid YAML: an escape sequence in quotes is wrong."),
        (
            "models: {}\n---\nmodels: {}\n",
            "A second document starts here. A file may contain only one.",
        ),
        ("models: *nothing\n", "No anchor above has this alias's name."),
        ("models: &m {a: *m}\n", "This alias is inside the value that it repeats."),
    ],
)
def test_what_cannot_be_read_is_one_clear_problem(text, message):
    """Without a traceback or a parser's jargon."""
    assert messages(text) == [message]


def test_merge_keys_tags_and_bad_keys_are_refused_and_reading_continues():
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
        "Tags ('!…') are not supported.",
        "A key must be text, not a list or a mapping.",
        "This text contains a character that databases cannot store. Delete it.",
        "`table` must be a single line without control characters.",
        "The key 'table' is used twice in one mapping. The first is at project.yaml:7:7.",
    ]


def test_aliases_that_multiply_are_refused_before_they_cost_memory():
    """A billion laughs: ten levels of ten aliases each."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert messages("\n".join(lines)) == [
        "The file has more than 100,000 values, counting what aliases repeat."
    ]


def test_many_aliases_deep_nesting_and_large_files_are_refused():
    """Hostile input costs little time and no stack."""
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
    for read in (composing.compose, composing.compose_in_python):
        try:
            seen.append(_shape(read("f", text, Report())))
        except UnreadableYamlError:
            seen.append(None)
    assert seen[0] == seen[1]
