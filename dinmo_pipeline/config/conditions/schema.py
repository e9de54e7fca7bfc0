"""JSON Schema of conditions, from the same tables that the reader follows.

The form of a condition is chosen by its key (`field`, `count` …), so whatever is wrong inside one is reported
for that form alone.
"""

from collections.abc import Mapping
from typing import Any

from dinmo_pipeline.config.conditions.forms import (
    FORM_DOCS,
    GROUP_WORDS,
    MEASURES,
    OWN_DOCS,
    Comparison,
    MeasureForm,
)
from dinmo_pipeline.config.conditions.operators import (
    IGNORE_CASE,
    IGNORE_CASE_DOC,
    OPERATORS,
    OTHER_WORDS,
    OperatorWord,
)
from dinmo_pipeline.config.strict_yaml.json_schemas import (
    JsonSchema,
    dotted,
    exactly_one,
    first_of,
    has,
    has_any,
    matching,
    needs,
    object_of,
    without,
)
from dinmo_pipeline.config.strict_yaml.kinds import BOOLEAN, LINE

CONDITION_REFERENCE: Mapping[str, Any] = {"$ref": "#/$defs/condition"}
_MAPPING_REFERENCE: Mapping[str, Any] = {"$ref": "#/$defs/condition_mapping"}
_ONE_OPERATOR: Mapping[str, Any] = {"$ref": "#/$defs/one_operator"}
_NUMBER_SCHEMAS: dict[Comparison, JsonSchema | None] = {
    "values": None,
    "numbers": {"type": "number", "errorMessage": "This can only be compared with numbers."},
    "whole numbers": {
        "type": "integer",
        "minimum": 0,
        "errorMessage": "A number of rows can only be compared with whole numbers, zero or more.",
    },
}
_FORMS = ", ".join(FORM_DOCS)


def condition_schemas() -> dict[str, JsonSchema]:
    """The definitions that CONDITION_REFERENCE leads to."""
    return {
        "condition": first_of(
            [({"type": "array"}, {"minItems": 1, "items": dict(CONDITION_REFERENCE)})],
            dict(_MAPPING_REFERENCE),
        ),
        "condition_mapping": _mapping_schema(),
        **{
            _name_of_operand(word, comparison): _operand(word, number)
            for comparison, number in _NUMBER_SCHEMAS.items()
            for word in OPERATORS.values()
            if number is None or word.for_numbers
        },
        "one_operator": exactly_one(
            tuple(OPERATORS),
            none=f"An operator is missing: {', '.join(OPERATORS)}.",
            several="A condition has one operator. Write each as an item of `all`, or use `between`.",
        ),
    }


def _mapping_schema() -> JsonSchema:
    """A condition that is a mapping: its form is chosen by its key, `field` first, as the reader does."""
    forms: dict[str, JsonSchema] = {
        "field": _field_schema(),
        **{word: _group_schema(word) for word in GROUP_WORDS},
        "in_segment": _alone("in_segment", dict(LINE.schema)),
        **{measure: _measure_schema(measure, form) for measure, form in MEASURES.items()},
    }
    return {
        "type": "object",
        "errorMessage": f"A condition is a list of conditions, or a mapping with one key of: {_FORMS}.",
        **first_of([(has(word), schema) for word, schema in forms.items()], _formless_schema()),
    }


def _formless_schema() -> JsonSchema:
    """A mapping without the key that gives a condition its form: the key is missing or misspelt."""
    beside = (*OPERATORS, IGNORE_CASE, *OWN_DOCS)
    message = f"This condition has none of the known keys: {_FORMS}."
    described = {word: {"description": doc} for word, doc in FORM_DOCS.items()}
    return {
        "properties": described,
        **first_of(
            [({"propertyNames": {"enum": list(beside)}}, needs("field", message))],
            {
                "properties": {**dict.fromkeys((*beside, *FORM_DOCS), True)},
                "additionalProperties": False,
                "errorMessage": message,
            },
        ),
    }


def _group_schema(word: str) -> JsonSchema:
    if word == "not":
        message = "`not` takes one condition. Write not: {all: […]} or not: {any: […]}."
        one = first_of(
            [({"type": "array"}, {"type": "object", "errorMessage": message})], dict(_MAPPING_REFERENCE)
        )
        return _alone(word, one)
    conditions = {
        "type": "array",
        "minItems": 1,
        "items": dict(CONDITION_REFERENCE),
        "errorMessage": f"`{word}` takes a list of conditions. Start each with '- '.",
    }
    return _alone(word, conditions)


def _alone(word: str, schema: JsonSchema) -> JsonSchema:
    """A form with no other keys."""
    message = f"This cannot stand beside `{word}`. Write each condition as an item of `all` or `any`."
    return object_of({word: {**schema, "description": FORM_DOCS[word]}}, unknown_key=message)


def _field_schema() -> JsonSchema:
    column = {**LINE.schema, "description": FORM_DOCS["field"]}
    return _compared({"field": column}, [], "values")


def _measure_schema(measure: str, form: MeasureForm) -> JsonSchema:
    of_column = form.measures_column
    example = " and one of its columns, as in orders.amount" if of_column else ", as in orders.lines"
    path = matching(
        dotted(".", fewest=2 if of_column else 1),
        f"`{measure}` takes a relation{example}.",
    )
    own: dict[str, Any] = {
        measure: {**path, "description": FORM_DOCS[measure]},
        "where": {**CONDITION_REFERENCE, "description": OWN_DOCS["where"]},
    }
    rules = []
    if form.sorts:
        own["by"] = {**LINE.schema, "description": OWN_DOCS["by"]}
        rules.append(needs("by", f"`{measure}` needs `by`, the column to sort its rows by."))
    if form.comparison == "none":
        message = f"`{measure}` takes only `where`. To compare a number of rows, use `count`."
        return object_of(own, unknown_key=message)
    return _compared(own, rules, form.comparison)


def _compared(own: Mapping[str, Any], rules: list[JsonSchema], comparison: Comparison) -> JsonSchema:
    """An object with exactly one operator beside its own keys."""
    is_number = comparison != "values"
    words = {name: word for name, word in OPERATORS.items() if word.for_numbers or not is_number}
    operands = {
        name: {"$ref": f"#/$defs/{_name_of_operand(word, comparison)}"} for name, word in words.items()
    }
    properties: dict[str, Any] = {**own, **operands}
    rules = [*rules, dict(_ONE_OPERATOR)]
    text_words = [name for name, word in words.items() if word.for_text]
    if text_words:
        properties[IGNORE_CASE] = {**BOOLEAN.schema, "description": IGNORE_CASE_DOC}
        others = [name for name in words if name not in text_words]
        message = f"`{IGNORE_CASE}` goes only with {', '.join(text_words)}."
        beside_others = {"allOf": [has(IGNORE_CASE), has_any(others)]}
        rules.append(first_of([(beside_others, without([IGNORE_CASE], message))], {}))
    of_number = ", which is a number" if is_number else ""
    message = f"This is not an operator of `{next(iter(own))}`{of_number}. Operators: {', '.join(words)}."
    return object_of(properties, rules=rules, unknown_key=message, other_words=OTHER_WORDS)


def _name_of_operand(word: OperatorWord, comparison: Comparison) -> str:
    return f"{word.word}_{comparison.replace(' ', '_')}"


def _operand(word: OperatorWord, number: JsonSchema | None) -> JsonSchema:
    """The value of an operator; `number` where only numbers can be compared."""
    described = {"description": word.doc}
    if number is None:
        return {**word.schema, **described}
    if word.schema.get("type") != "array":
        return {**number, **described}
    bounds = {key: word.schema[key] for key in ("minItems", "maxItems", "errorMessage") if key in word.schema}
    return {"type": "array", **bounds, "items": number, **described}
