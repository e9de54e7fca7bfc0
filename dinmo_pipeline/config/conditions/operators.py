"""The operators of conditions: one table of words, with meaning and JSON Schema."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from dinmo_pipeline.config.conditions.moments import DAY, MOMENT, duration, parse_iso
from dinmo_pipeline.config.declarations.conditions import Duration, Operator, Scalar, Test, Value
from dinmo_pipeline.config.strict_yaml.json_schemas import (
    JsonSchema,
    first_of,
    matching,
    needs,
    object_of,
)
from dinmo_pipeline.config.strict_yaml.kinds import (
    BOOLEAN,
    InvalidValueError,
    Kind,
    expect_number,
    expect_text,
)
from dinmo_pipeline.config.strict_yaml.nodes import ListNode, MapNode, Node, kind_of
from dinmo_pipeline.config.strict_yaml.nodes import Scalar as ScalarNode
from dinmo_pipeline.text.wording import shown, suggestion

MAX_VALUES_PER_LIST = 10_000


@dataclass(frozen=True, slots=True)
class OperatorWord:
    """A word such as `at_least`: `read` turns its value into a Test or raises InvalidValueError."""

    word: str
    read: Callable[[Node], Test]
    schema: Mapping[str, Any]
    doc: str
    for_text: bool = False  # takes ignore_case
    for_numbers: bool = False  # can follow count, sum and avg


def read_value(node: Node) -> Scalar:
    """A value to compare with.

    Text, a number (exact), true or false. An ISO day or time without quotes is a date; in quotes it is text.
    """
    if not isinstance(node, ScalarNode):
        raise InvalidValueError(f"must be one value, not {kind_of(node)}")
    if node.kind == "null":
        raise InvalidValueError("must be a value, not null", hint="To find unknown values, use `is: blank`.")
    if node.kind == "bool":
        return node.text.lower() == "true"
    if node.kind != "text":
        return expect_number(node)
    return (parse_iso(node.text) if node.plain else None) or node.text


def _ordered(node: Node) -> Scalar:
    value = read_value(node)
    if isinstance(value, bool):
        raise InvalidValueError("must be a number, a date or text, not true or false")
    return value


def _many(node: Node) -> tuple[Scalar, ...]:
    if not isinstance(node, ListNode):
        raise InvalidValueError(
            f"must be a list of values, not {kind_of(node)}", hint="Write it in brackets: [a, b]."
        )
    if not node.items:
        raise InvalidValueError("must not be an empty list")
    if len(node.items) > MAX_VALUES_PER_LIST:
        raise InvalidValueError(
            f"must be at most {MAX_VALUES_PER_LIST:,} values", hint="Move long lists to a table."
        )
    values = []
    for item in node.items:
        try:
            values.append(read_value(item))
        except InvalidValueError as error:
            raise InvalidValueError(
                f"contains a value that {error.message}", hint=error.hint, at=item
            ) from None
    for value, item in zip(values, node.items, strict=True):
        if _family(value) != _family(values[0]):
            families = f"{_family(values[0])} and {_family(value)}"
            raise InvalidValueError(f"must contain values of one type, but mixes {families}", at=item)
    return tuple(values)


def _family(value: Scalar) -> str:
    """The type of value, for comparing: only values of one family can be compared."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, Decimal)):
        return "numbers"
    return "dates" if isinstance(value, date) else "text"


def _range(node: Node) -> tuple[Scalar, ...]:
    if not isinstance(node, ListNode) or len(node.items) != 2:  # noqa: PLR2004 - two ends
        raise InvalidValueError("must be a list of two values, the lowest and the highest: [10, 20]")
    low, high = _many(node)
    if isinstance(low, bool):
        raise InvalidValueError("must be two numbers, dates or texts, not true or false")
    if _is_ordered_here(low, high) and low > high:  # type: ignore[operator]
        raise InvalidValueError(
            "has its highest value first: nothing is between them", hint="Swap the two values."
        )
    return low, high


def _is_ordered_here(low: Scalar, high: Scalar) -> bool:
    """Whether Python orders two values as every database does: not text, nor days beside times."""
    if isinstance(low, str) or isinstance(low, datetime) != isinstance(high, datetime):
        return False
    if isinstance(low, datetime) and isinstance(high, datetime):
        return (low.tzinfo is None) == (high.tzinfo is None)
    return True


def _part_of_text(node: Node) -> str:
    text = expect_text(node)
    if not text:
        raise InvalidValueError("must not be empty: every text contains it")
    return text


_IS: dict[str, Test] = {
    "set": Test("is_set", value=True),
    "blank": Test("is_blank", value=True),
    "true": Test("is_true", None),
    "false": Test("is_false", None),
}


def _is(node: Node) -> Test:
    word = node.text.lower() if isinstance(node, ScalarNode) else ""
    if word not in _IS:
        raise InvalidValueError(
            "must be one of the allowed values", allowed=tuple(_IS), hint=suggestion(word, _IS)
        )
    return _IS[word]


_COMING = duration(("days", "weeks"))
_MAX_DAYS_AHEAD = 366


def _anniversary(node: Node) -> Test:
    if not isinstance(node, MapNode):
        return Test("anniversary_on", DAY.read(node))
    if [key.text for key, _ in node.entries] != ["within_next"]:
        raise InvalidValueError(
            "must be a day or {within_next: 7 days}", allowed=("today", "{within_next: 7 days}")
        )
    length: Duration = _COMING.read(node.entries[0][1])
    if length.amount * (7 if length.unit == "weeks" else 1) > _MAX_DAYS_AHEAD:
        raise InvalidValueError("must look at most a year ahead: every anniversary is within a year")
    return Test("anniversary_within_next", length)


def _values_schema(*types: str) -> JsonSchema:
    """Values of one of the types, all of the same one; the first tells which."""
    names = {"string": "text or a date", "number": "a number", "boolean": "true or false"}
    listed = " or ".join(names[each] for each in types)
    cases: list[tuple[JsonSchema, JsonSchema]] = [
        (
            {"prefixItems": [{"type": each}]},
            {
                "items": {
                    "type": each,
                    "errorMessage": f"All values of a list must be of one type. The first is {names[each]}.",
                }
            },
        )
        for each in types
    ]
    return first_of(
        cases, {"items": {"type": list(types), "errorMessage": f"This must be one value: {listed}."}}
    )


_VALUE_SCHEMA = {
    "type": ["string", "number", "boolean"],
    "errorMessage": "This must be one value: text, a number, a date, true or false."
    " For several values, use `in`; for unknown ones, `is: blank`.",
}
_ORDERED_SCHEMA = {
    "type": ["string", "number"],
    "errorMessage": "This must be one value: a number, a date or text.",
}
_LIST_SCHEMA = {
    "type": "array",
    "errorMessage": "This must be a list of values: write it in brackets, as in [a, b].",
    "minItems": 1,
    "maxItems": MAX_VALUES_PER_LIST,
    **_values_schema("string", "number", "boolean"),
}
_RANGE_SCHEMA = {
    "type": "array",
    "errorMessage": "This must be a list of two values, the lowest and the highest: [10, 20].",
    "minItems": 2,
    "maxItems": 2,
    **_values_schema("string", "number"),
}
_TEXT_SCHEMA = matching(r"[\s\S]", "This must be text that is not empty. Write numbers in quotes.")
_IS_SCHEMA = {"enum": ["set", "blank", "true", "false", True, False]}
_COMING_DOC = "How far to look ahead, at most a year. Today counts."
_ANNIVERSARY_SCHEMA = first_of(
    [
        (
            {"type": "object"},
            object_of(
                {"within_next": {**_COMING.schema, "description": _COMING_DOC}},
                rules=[needs("within_next", "Write {within_next: 7 days}.")],
            ),
        )
    ],
    dict(DAY.schema),
)


def _word(
    operator: Operator,
    read: Callable[[Node], Value],
    schema: Mapping[str, Any],
    doc: str,
    *,
    for_text: bool = False,
    for_numbers: bool = False,
) -> OperatorWord:
    """A word that is also the operator's name."""
    return OperatorWord(operator, lambda node: Test(operator, read(node)), schema, doc, for_text, for_numbers)


def _moment_word(operator: Operator, kind: Kind[Any], doc: str) -> OperatorWord:
    return _word(operator, kind.read, kind.schema, doc)


_WORDS = (
    _word("equals", read_value, _VALUE_SCHEMA, "Is this value.", for_numbers=True),
    _word(
        "not_equals",
        read_value,
        _VALUE_SCHEMA,
        "Is not this value, or is unknown.",
        for_numbers=True,
    ),
    _word("in", _many, _LIST_SCHEMA, "Is one of these values.", for_numbers=True),
    _word("not_in", _many, _LIST_SCHEMA, "Is none of these values, or is unknown.", for_numbers=True),
    _word("greater_than", _ordered, _ORDERED_SCHEMA, "Is greater than this value.", for_numbers=True),
    _word("at_least", _ordered, _ORDERED_SCHEMA, "Is this value or greater.", for_numbers=True),
    _word("less_than", _ordered, _ORDERED_SCHEMA, "Is less than this value.", for_numbers=True),
    _word("at_most", _ordered, _ORDERED_SCHEMA, "Is this value or less.", for_numbers=True),
    _word(
        "between",
        _range,
        _RANGE_SCHEMA,
        "Is from the lowest to the highest of two values, both included.",
        for_numbers=True,
    ),
    _word("contains", _part_of_text, _TEXT_SCHEMA, "Is text with this part.", for_text=True),
    _word("starts_with", _part_of_text, _TEXT_SCHEMA, "Is text that starts with this.", for_text=True),
    _word("ends_with", _part_of_text, _TEXT_SCHEMA, "Is text that ends with this.", for_text=True),
    OperatorWord(
        "is",
        _is,
        _IS_SCHEMA,
        "set: is known and, if it is text, not blank; blank: the opposite; true, false: is known to be so.",
    ),
    _moment_word(
        "within_last",
        duration(),
        "Is in this time before now. Days count from their start.",
    ),
    _moment_word("within_next", duration(), "Is in this time after now. Days count to their end."),
    _moment_word("before", MOMENT, "Is before this day or time."),
    _moment_word("after", MOMENT, "Is after this day, once it is over, or after this time."),
    _moment_word("on", DAY, "Is on this day."),
    OperatorWord(
        "anniversary",
        _anniversary,
        _ANNIVERSARY_SCHEMA,
        "Has the month and day of this day, or of one in the coming days, in any year.",
    ),
)
OPERATORS: dict[str, OperatorWord] = {word.word: word for word in _WORDS}
IGNORE_CASE = "ignore_case"
IGNORE_CASE_DOC = "If true, capitals and small letters are the same. Default: false."

OTHER_WORDS = {
    "=": "equals",
    "==": "equals",
    "eq": "equals",
    "is_equal_to": "equals",
    "!=": "not_equals",
    "ne": "not_equals",
    "not": "not_equals",
    "is_not": "not_equals",
    "one_of": "in",
    "any_of": "in",
    "none_of": "not_in",
    ">": "greater_than",
    "gt": "greater_than",
    "more_than": "greater_than",
    "above": "greater_than",
    ">=": "at_least",
    "gte": "at_least",
    "min": "at_least",
    "<": "less_than",
    "lt": "less_than",
    "fewer_than": "less_than",
    "below": "less_than",
    "<=": "at_most",
    "lte": "at_most",
    "max": "at_most",
    "like": "contains",
    "since": "after",
    "until": "before",
    "in_last": "within_last",
    "in_the_last": "within_last",
    "last": "within_last",
    "in_next": "within_next",
}
"""Words of other languages, and the operator that each means."""


def nearest_operator(word: str) -> str | None:
    """`Perhaps you meant …` for a word that is not an operator."""
    other = OTHER_WORDS.get(word.casefold())
    return f"Perhaps you meant '{other}'." if other else suggestion(word, (*OPERATORS, IGNORE_CASE))


def read_ignore_case(node: Node, word: str) -> bool:
    """The value of `ignore_case` beside an operator; raises InvalidValueError."""
    if not OPERATORS[word].for_text:
        allowed = tuple(name for name, each in OPERATORS.items() if each.for_text)
        raise InvalidValueError(f"does not go with `{shown(word)}`", allowed=allowed)
    return BOOLEAN.read(node)
