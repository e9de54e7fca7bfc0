"""Each mistake is one problem, at its line and in words, for JSON Schema; `installed/` asks an editor."""

import json
from importlib.resources import files

import pytest
from jsonschema import Draft202012Validator

from dinmo_pipeline.config import json_schema
from dinmo_pipeline_tests.config.reading import SOURCE_AND_STATE, refusal
from dinmo_pipeline_tests.editors.examples import EXAMPLES, as_json
from dinmo_pipeline_tests.editors.mistakes import MISTAKES

_VALIDATOR = Draft202012Validator(json_schema())


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_error_of_the_schema(name):
    """Also for editors that know nothing of `errorMessage`; and it is one problem for `dinmo check`."""
    mistake = MISTAKES[name]
    (error,) = _VALIDATOR.iter_errors(as_json(mistake.text))
    assert not error.context
    rest = "\n".join(line for line in SOURCE_AND_STATE.splitlines() if line[:6] != mistake.text[:6])
    (problem,) = refusal(mistake.text + rest).problems
    assert problem.place.line in (mistake.line, mistake.line + 1)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_fits_the_schema(name):
    """Those of the documentation and of the demo."""
    assert list(_VALIDATOR.iter_errors(as_json(EXAMPLES[name]))) == []


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
