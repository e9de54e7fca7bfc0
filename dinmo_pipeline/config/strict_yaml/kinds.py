"""Kinds of values: how each is read from a node, and how JSON Schema describes it."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Generic, TypeVar

from dinmo_pipeline.config.strict_yaml.json_schemas import JsonSchema, first_of, matching, one_word_of
from dinmo_pipeline.config.strict_yaml.nodes import ListNode, MapNode, Node, Scalar, kind_of
from dinmo_pipeline.text.wording import shown, suggestion

T = TypeVar("T")

_CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
_CONTROL = re.compile(f"[{_CONTROLS}]")
MAX_DIGITS = 38  # of the widest exact number type in warehouses


class InvalidValueError(Exception):
    """A value is not valid; the message continues `schedule …`."""

    def __init__(
        self,
        message: str,
        *,
        allowed: tuple[str, ...] = (),
        hint: str | None = None,
        at: Node | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.allowed = allowed
        self.hint = hint
        self.at = at


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """`read` returns the value of a node or raises InvalidValueError; `schema` is its JSON Schema."""

    read: Callable[[Node], T]
    schema: Mapping[str, Any]


def expect_text(node: Node) -> str:
    """The text of a text scalar."""
    if isinstance(node, Scalar):
        if node.kind == "text":
            return node.text
        if node.kind != "null":
            hint = f'If it is text, write it in quotes: "{shown(node.text)}".'
            raise InvalidValueError(f"must be text, not {kind_of(node)}", hint=hint)
    raise InvalidValueError(f"must be text, not {kind_of(node)}")


def _line(node: Node) -> str:
    text = expect_text(node).strip()
    if not text:
        raise InvalidValueError("must not be empty")
    if _CONTROL.search(text):
        raise InvalidValueError("must be a single line without control characters")
    return text


def _line_pattern(most: int | None = None) -> str:
    """A pattern of text on one line, of at most so many characters once trimmed."""
    between = "*" if most is None else f"{{0,{most - 2}}}"
    return rf"^\s*[^\s{_CONTROLS}](?:[^{_CONTROLS}]{between}[^\s{_CONTROLS}])?\s*$"


LINE: Kind[str] = Kind(
    _line,
    matching(_line_pattern(), "This must be text on one line. Write numbers, true and false in quotes."),
)
"""Text on one line, trimmed, not empty."""


def _name(node: Node) -> str:
    text = _line(node)
    if len(text) > MAX_NAME_LENGTH:
        raise InvalidValueError(
            f"must be at most {MAX_NAME_LENGTH} characters long; this one has {len(text)}"
        )
    return text


MAX_NAME_LENGTH = 191  # Intercom's limit for the name of a tag
NAME: Kind[str] = Kind(
    _name,
    matching(
        _line_pattern(MAX_NAME_LENGTH),
        f"A name must be text on one line, of at most {MAX_NAME_LENGTH} characters. Write numbers in quotes.",
    ),
)
"""A name that can become a tag's."""


def _description(node: Node) -> str:
    return expect_text(node).strip()


DESCRIPTION: Kind[str] = Kind(
    _description, {"type": "string", "errorMessage": "This must be text. Write numbers in quotes."}
)


def _query(node: Node) -> str:
    text = expect_text(node)
    if not text.strip():
        raise InvalidValueError("must not be empty")
    return text


QUERY: Kind[str] = Kind(_query, matching(r"\S", "This must be SQL: one SELECT."))
"""SQL text; the segments layer parses it."""


def _boolean(node: Node) -> bool:
    if isinstance(node, Scalar) and node.kind == "bool":
        return node.text.lower() == "true"
    raise InvalidValueError(f"must be true or false, not {kind_of(node)}", allowed=("true", "false"))


BOOLEAN: Kind[bool] = Kind(
    _boolean,
    {"type": "boolean", "errorMessage": "This must be true or false; in YAML 1.2, yes and no are text."},
)


def expect_number(node: Node) -> int | Decimal:
    """The exact number as written, not the nearest binary fraction."""
    if not isinstance(node, Scalar) or node.kind not in {"int", "float"}:
        raise InvalidValueError(f"must be a number, not {kind_of(node)}")
    if any(letter in node.text.lower() for letter in ("inf", "nan")):
        raise InvalidValueError("must be a finite number")
    if len(node.text) > 2 * MAX_DIGITS:
        raise InvalidValueError(f"must be a number of at most {MAX_DIGITS} digits")
    number = Decimal(node.text)
    _, digits, exponent = number.as_tuple()
    if len(digits) > MAX_DIGITS or abs(number.adjusted()) > MAX_DIGITS or abs(int(exponent)) > MAX_DIGITS:
        raise InvalidValueError(f"must be a number of at most {MAX_DIGITS} digits")
    return int(node.text) if node.kind == "int" else number


_SECONDS = {
    "seconds": 1,
    "minutes": 60,
    "hours": 3600,
    "days": 86_400,
    "weeks": 7 * 86_400,
    "years": 365 * 86_400,
}
_DURATION = re.compile(r"([0-9]{1,6})\s+([A-Za-z]+)")


def duration(units: Sequence[str], *, examples: tuple[str, ...]) -> Kind[timedelta]:
    """A number and a unit, such as `30 minutes`; `units` are some of the plurals from seconds to years."""

    def read(node: Node) -> timedelta:
        match = _DURATION.fullmatch(expect_text(node).strip())
        if match is None or int(match[1]) == 0:
            raise InvalidValueError("must be a number above 0 and a unit", allowed=examples)
        for unit in units:
            if match[2].lower() in (unit, unit[:-1]):
                return timedelta(seconds=int(match[1]) * _SECONDS[unit])
        raise InvalidValueError(
            f"has an unknown unit, '{match[2]}'", allowed=tuple(units), hint=suggestion(match[2], units)
        )

    return Kind(read, _duration_schema(_duration_pattern(units), units, examples))


def _duration_pattern(units: Sequence[str]) -> str:
    return rf"(?!0+\s)[0-9]{{1,6}}\s+{one_word_of([unit[:-1] for unit in units])}[sS]?"


def _duration_schema(pattern: str, units: Sequence[str], examples: tuple[str, ...]) -> JsonSchema:
    message = f"This must be a number above 0 and a unit ({', '.join(units)}), such as {', '.join(examples)}."
    return matching(rf"^\s*(?:{pattern})\s*$", message, *examples)


FOREVER = timedelta.max
"""What `forever` means."""


def duration_or_forever(units: Sequence[str], *, examples: tuple[str, ...]) -> Kind[timedelta]:
    """A duration, or the word `forever`."""
    examples = (*examples, "forever")
    some = duration(units, examples=examples)

    def read(node: Node) -> timedelta:
        if isinstance(node, Scalar) and node.text.strip() == "forever":
            return FOREVER
        return some.read(node)

    return Kind(read, _duration_schema(f"{_duration_pattern(units)}|forever", units, examples))


def share(*, above_zero: bool = False) -> Kind[float]:
    """A share: 0 to 1."""

    def read(node: Node) -> float:
        number = float(expect_number(node))
        if not 0 <= number <= 1 or (above_zero and number == 0):
            raise InvalidValueError(
                "must be greater than 0 and at most 1" if above_zero else "must be from 0 to 1"
            )
        return number

    lower = "exclusiveMinimum" if above_zero else "minimum"
    message = "This must be a share from 0 to 1, such as 0.3."
    return Kind(read, {"type": "number", lower: 0, "maximum": 1, "errorMessage": message})


def word_or_share(*words: str) -> Kind[str]:
    """One of a few words, or a number above 0 as it was written."""
    allowed = (*words, "0.2")

    def read(node: Node) -> str:
        if isinstance(node, Scalar) and node.kind in ("int", "float"):
            return f"{positive().read(node):g}"
        if isinstance(node, Scalar) and node.text in words:
            return node.text
        hint = suggestion(node.text, words) if isinstance(node, Scalar) else None
        raise InvalidValueError("must be one of the allowed values", allowed=allowed, hint=hint)

    message = f"This must be {', '.join(words)}, or a share such as 0.2."
    schema = first_of(
        [({"type": "number"}, dict(positive().schema))], {"enum": [*words], "errorMessage": message}
    )
    return Kind(read, schema)


def factor() -> Kind[float]:
    """A factor: 1 or more."""

    def read(node: Node) -> float:
        number = float(expect_number(node))
        if not 1 <= number < float("inf"):
            raise InvalidValueError("must be a number, 1 or more")
        return number

    return Kind(read, {"type": "number", "minimum": 1, "errorMessage": "This must be a number, 1 or more."})


def positive() -> Kind[float]:
    """A number above 0."""

    def read(node: Node) -> float:
        number = float(expect_number(node))
        if not 0 < number < float("inf"):
            raise InvalidValueError("must be a number greater than 0")
        return number

    message = "This must be a number greater than 0."
    return Kind(read, {"type": "number", "exclusiveMinimum": 0, "errorMessage": message})


def one_of(*choices: str) -> Kind[Any]:
    """One of a few words."""

    def read(node: Node) -> str:
        if isinstance(node, Scalar) and node.text in choices:
            return node.text
        hint = suggestion(node.text, choices) if isinstance(node, Scalar) else None
        raise InvalidValueError("must be one of the allowed values", allowed=choices, hint=hint)

    return Kind(read, {"enum": list(choices)})


def _node(node: Node) -> Node:
    return node


def any_node(schema: Mapping[str, Any]) -> Kind[Node]:
    """A part with a reader of its own."""
    return Kind(_node, schema)


def list_of(item: Kind[T]) -> Kind[tuple[T, ...]]:
    """A list of values of one kind."""

    def read(node: Node) -> tuple[T, ...]:
        if not isinstance(node, ListNode):
            raise InvalidValueError(f"must be a list, not {kind_of(node)}")
        values = []
        for each in node.items:
            try:
                values.append(item.read(each))
            except InvalidValueError as error:
                raise InvalidValueError(
                    f"contains a value that {error.message}", hint=error.hint, at=error.at or each
                ) from None
        return tuple(values)

    schema = {
        "type": "array",
        "errorMessage": "This must be a list: write it in brackets, as in [a, b].",
        "items": dict(item.schema),
    }
    return Kind(read, schema)


def _mapping(node: Node) -> MapNode:
    if isinstance(node, MapNode):
        return node
    raise InvalidValueError(f"must be a mapping, not {kind_of(node)}")


def mapping(schema: Mapping[str, Any]) -> Kind[MapNode]:
    """A mapping with a reader of its own."""
    return Kind(_mapping, schema)
