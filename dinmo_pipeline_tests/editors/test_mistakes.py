"""Each mistake is one problem, at its line and in words: for the YAML language server and JSON Schema."""

import json
from collections.abc import Iterator
from importlib.resources import files

import pytest
from jsonschema import Draft202012Validator

from dinmo_pipeline.config import json_schema, schema_text
from dinmo_pipeline_tests.config.reading import SOURCE_AND_STATE, refusal
from dinmo_pipeline_tests.editors.examples import EXAMPLES, as_json
from dinmo_pipeline_tests.editors.language_server import LanguageServer, reason_to_skip
from dinmo_pipeline_tests.editors.mistakes import BASE, MISTAKES, WHERE

_VALIDATOR = Draft202012Validator(json_schema())
_SKIPPED = reason_to_skip()
with_server = pytest.mark.skipif(_SKIPPED is not None, reason=_SKIPPED or "")


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[LanguageServer]:
    """The language server with the schema as `dinmo schema --out` writes it."""
    schema = tmp_path_factory.mktemp("editor") / "dinmo.schema.json"
    schema.write_text(schema_text())
    server = LanguageServer(schema)
    yield server
    server.stop()


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_error_of_the_schema(name):
    """Also for editors that know nothing of `errorMessage`; and it is one problem for `dinmo check`."""
    mistake = MISTAKES[name]
    (error,) = _VALIDATOR.iter_errors(as_json(mistake.text))
    assert not error.context
    rest = "\n".join(line for line in SOURCE_AND_STATE.splitlines() if line[:6] != mistake.text[:6])
    (problem,) = refusal(mistake.text + rest).problems
    assert problem.place.line in (mistake.line, mistake.line + 1)


@with_server
def test_a_mistake_is_one_problem_in_an_editor(server):
    """On its line, with what to write instead."""
    found = {name: server.problems(mistake.text) for name, mistake in MISTAKES.items()}
    for name, mistake in MISTAKES.items():
        ((line, message),) = found[name]
        assert (line, mistake.says in message) == (mistake.line, True), f"{name}: {message}"


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_fits_the_schema(name):
    """Those of the documentation and of the demo."""
    assert list(_VALIDATOR.iter_errors(as_json(EXAMPLES[name]))) == []


@with_server
def test_an_example_has_no_problem_in_an_editor(server):
    """Nothing that is right is underlined."""
    found = {name: server.problems(text) for name, text in EXAMPLES.items()}
    assert {name: problems for name, problems in found.items() if problems} == {}


_IN_ALL = f"{WHERE}        - "
_IN_ACTIVATION = f"{BASE}segments: {{vip: {{table: vips}}}}\nactivations:\n  vip:\n    "


@with_server
@pytest.mark.parametrize(
    ("text", "offered", "not_offered"),
    [
        ("|", {"source", "segments", "activations"}, {"where"}),
        (f"{_IN_ALL}|", {"field", "all", "count", "in_segment"}, {"equals", "where"}),
        (f"{_IN_ALL}field: country\n          |", {"equals", "within_last", "ignore_case"}, {"gt", "all"}),
        (f"{_IN_ALL}count: orders\n          |", {"at_least", "where"}, {"contains", "by"}),
        (f"{_IN_ALL}{{field: country, is: |}}", {"set", "blank"}, set()),
        (f"{_IN_ALL}{{field: seen_at, within_last: |}}", {"30 days"}, set()),
        (f"{_IN_ACTIVATION}|", {"schedule", "guards", "match_by"}, {"region"}),
        (f"{_IN_ACTIVATION}schedule: |", {"manual", "every 15 minutes"}, set()),
        (f"{_IN_ACTIVATION}timezone: Europe/P|", {"UTC", "Europe/Paris"}, set()),
        (f"{_IN_ACTIVATION}match_by: |", {"email", "user_id"}, set()),
        ("source:\n  type: |", {"duckdb", "snowflake"}, set()),
        (f"{BASE}segments:\n  vip:\n    |", {"where", "sql", "table"}, {"region"}),
    ],
)
def test_an_editor_offers_what_can_be_written(server, text, offered, not_offered):
    """And nothing that cannot."""
    labels = set(server.completions(text))
    assert (offered - labels, not_offered & labels) == (set(), set())


@with_server
@pytest.mark.parametrize(
    ("text", "at", "shown"),
    [
        (f"{_IN_ALL}{{field: seen_at, within_last: 30 days}}", "within_last", "in this time before now"),
        (f"{_IN_ALL}{{count: orders, at_least: 3}}", "at_least", "this value or greater"),
        (f"{_IN_ALL}{{not: {{in_segment: churned}}}}", "not", "which does not hold"),
        (WHERE, "where", "The condition that members meet"),
        (f"{_IN_ACTIVATION}guards: {{max_growth: 3}}", "max_growth", "a factor, 1 or more"),
        (f"{_IN_ACTIVATION}schedule: hourly", "schedule", "every 15 minutes"),
        (f"{_IN_ACTIVATION}timezone: UTC", "timezone", "IANA time zone"),
        (BASE, "access_token", "environment variable"),
    ],
)
def test_an_editor_explains_on_hover(server, text, at, shown):
    """In the words of the settings, and briefly."""
    hover = server.hover(text, at)
    assert shown in hover
    assert len(hover) < 1_000


def _described(schema, path=()):
    """The path of each key in a schema, and whether it has a description."""
    for key, value in schema.get("properties", {}).items():
        if isinstance(value, dict) and "doNotSuggest" not in value:
            yield (*path, key), "description" in value or "$ref" in value
            yield from _described(value, (*path, key))
    for keyword in ("if", "then", "else", "items"):
        if isinstance(schema.get(keyword), dict) and keyword != "if":
            yield from _described(schema[keyword], path)
    for value in schema.get("patternProperties", {}).values():
        yield from _described(value, (*path, "*"))


def test_every_word_has_a_description():
    """Every setting, form and operator."""
    schema = json_schema()
    paths = dict(_described(schema))
    for name, definition in schema["$defs"].items():
        paths |= {(name, *path): found for path, found in _described(definition)}
    assert len(paths) > 100
    assert [path for path, found in paths.items() if not found] == []
    operands = [each for name, each in schema["$defs"].items() if name.endswith(("_values", "_numbers"))]
    assert len(operands) > 30
    assert all(each["description"].endswith(".") for each in operands)


def test_the_schema_in_the_package_is_current():
    """`dinmo schema --out dinmo_pipeline/config/declarations.schema.json` writes it."""
    file = files("dinmo_pipeline.config").joinpath("declarations.schema.json")
    shipped, current = json.loads(file.read_text()), json_schema()
    # Machines differ in the time zones that they know.
    for each in (shipped, current):
        zones = {snippet["body"] for snippet in each["$defs"].pop("timezone")["defaultSnippets"]}
        assert {"UTC", "Europe/Paris", "America/New_York"} <= zones
    assert shipped == current
