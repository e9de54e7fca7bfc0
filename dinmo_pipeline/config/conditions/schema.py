"""JSON Schema of conditions, from the same tables that the reader follows."""

from collections.abc import Mapping
from typing import Any

from dinmo_pipeline.config.conditions.forms import MEASURES, MeasureForm
from dinmo_pipeline.config.conditions.operators import IGNORE_CASE, OPERATORS, OperatorWord
from dinmo_pipeline.config.strict_yaml.kinds import LINE

CONDITION_REFERENCE: Mapping[str, Any] = {"$ref": "#/$defs/condition"}
_CONDITIONS = {"type": "array", "minItems": 1, "items": dict(CONDITION_REFERENCE)}
_NUMBER_SCHEMAS: dict[str, dict[str, Any]] = {
    "numbers": {"type": "number"},
    "whole numbers": {"type": "integer", "minimum": 0},
}


def condition_schema() -> dict[str, Any]:
    """A condition: a group, a test of a field or of related rows, or a segment."""
    forms = [
        _CONDITIONS,
        _object({"all": _CONDITIONS}, ["all"]),
        _object({"any": _CONDITIONS}, ["any"]),
        _object({"not": {"allOf": [dict(CONDITION_REFERENCE), {"type": "object"}]}}, ["not"]),
        _object({"in_segment": dict(LINE.schema)}, ["in_segment"]),
        _compared({"field": dict(LINE.schema)}, ["field"], OPERATORS.values(), None),
        *(_measure_schema(measure, form) for measure, form in MEASURES.items()),
    ]
    return {"anyOf": forms}


def _object(properties: Mapping[str, Any], required: list[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": dict(properties),
    }


def _measure_schema(measure: str, form: MeasureForm) -> dict[str, Any]:
    path = {"type": "string", "pattern": r"\." if form.measures_column else r"\S"}
    own: dict[str, Any] = {measure: path, "where": dict(CONDITION_REFERENCE)}
    required = [measure]
    if form.sorts:
        own["by"] = dict(LINE.schema)
        required.append("by")
    if form.comparison == "none":
        return _object(own, required)
    if form.comparison == "values":
        return _compared(own, required, OPERATORS.values(), None)
    numeric = [word for word in OPERATORS.values() if word.for_numbers]
    return _compared(own, required, numeric, _NUMBER_SCHEMAS[form.comparison])


def _compared(
    own: Mapping[str, Any], required: list[str], words: Any, number: dict[str, Any] | None
) -> dict[str, Any]:
    """An object with exactly one operator beside its own keys."""
    operators: dict[str, OperatorWord] = {word.word: word for word in words}
    schemas = {name: _operand(word, number) for name, word in operators.items()}
    text_words = [name for name, word in operators.items() if word.for_text]
    properties = {**own, **schemas}
    if text_words:
        properties[IGNORE_CASE] = {"type": "boolean"}
    schema = {
        **_object(properties, required),
        "oneOf": [{"required": [name]} for name in operators],
    }
    if text_words:
        schema["dependentSchemas"] = {IGNORE_CASE: {"anyOf": [{"required": [name]} for name in text_words]}}
    return schema


def _operand(word: OperatorWord, number: dict[str, Any] | None) -> dict[str, Any]:
    schema = dict(word.schema)
    if number is None:
        return schema
    return {**schema, "items": number} if schema.get("type") == "array" else number
