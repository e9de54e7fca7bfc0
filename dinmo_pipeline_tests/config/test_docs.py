"""Every condition in the reference loads, tests in examples pass, and every setting and operator is in it."""

import re
from pathlib import Path

import pytest

from dinmo_pipeline.config import json_schema
from dinmo_pipeline.config.conditions.forms import FORM_WORDS
from dinmo_pipeline.config.conditions.operators import OPERATORS
from dinmo_pipeline.segments.unit_tests.running import run_segment_test
from dinmo_pipeline_tests.config.reading import DESTINATION, SOURCE_AND_STATE, load
from dinmo_pipeline_tests.config.reference_page import PAGE, with_table

_DOCS = Path(__file__).parents[2] / "docs"
_REFERENCE = _DOCS / "reference"
_GUIDES = ("segments.md", "lineage.md")
_BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
_MODELS = """\
models:
  customers: {key: customer_id, relations: {orders: {model: orders, join: customer_id}}}
  orders: {key: order_id, relations: {lines: {model: order_lines, join: order_id}}}
  order_lines:
"""


def _blocks(page, folder=_REFERENCE):
    return _BLOCK.findall((folder / page).read_text())


_IN_GUIDES = [block for page in _GUIDES for block in _blocks(page, _DOCS / "guides")]


def _loaded(block):
    """The declarations of an example, with what it leaves out."""
    parts = {
        "source:": SOURCE_AND_STATE.splitlines()[0],
        "state:": SOURCE_AND_STATE.splitlines()[1],
    }
    missing = [part for key, part in parts.items() if not re.search(f"^{key}", block, re.MULTILINE)]
    return load("\n".join([block, *missing]))


@pytest.mark.parametrize("block", [*_blocks("declarations.md"), *_IN_GUIDES])
def test_tests_in_examples_pass(block):
    """With what an example leaves out, and no warehouse."""
    project = _loaded(block)
    for test in project.tests.values():
        verdict = run_segment_test(project, test, {})
        assert verdict.passed, str(verdict)


@pytest.mark.parametrize("block", _blocks("conditions.md"))
def test_examples_of_conditions_load(block):
    """As the condition of a segment."""
    indented = "    " + block.replace("\n", "\n    ")
    segments = "segments:\n  churned: {table: c}\n  trialists: {table: t}\n  s:\n    model: customers\n"
    assert load(SOURCE_AND_STATE + DESTINATION + _MODELS + segments + indented).segments["s"].where


def test_every_operator_and_form_is_in_the_reference():
    """Otherwise it could not be found."""
    text = (_REFERENCE / "conditions.md").read_text()
    missing = [word for word in (*OPERATORS, *FORM_WORDS) if not re.search(rf"[`{{]{word}\b", text)]
    assert missing == []


def test_the_table_of_activation_settings_is_current():
    """Generated from their declarations; run the module `reference_page` to write it."""
    page = PAGE.read_text("utf-8")
    assert with_table(page) == page


def _keys(schema):
    for key, value in schema.get("properties", {}).items():
        yield key
        yield from _keys(value)
    for value in schema.get("patternProperties", {}).values():
        yield from _keys(value)


def test_every_setting_is_in_the_reference():
    """Those of the schema, which are those of the reader."""
    text = (_REFERENCE / "declarations.md").read_text()
    missing = [key for key in _keys(json_schema()) if not re.search(rf"[`.{{]{key}\b", text)]
    assert missing == []
