"""Reads the comparison in a condition: the one operator beside the keys of its form."""

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from dinmo_pipeline.config.conditions.forms import Comparison
from dinmo_pipeline.config.conditions.operators import (
    IGNORE_CASE,
    OPERATORS,
    nearest_operator,
    read_ignore_case,
)
from dinmo_pipeline.config.declarations.conditions import Test
from dinmo_pipeline.config.strict_yaml.kinds import InvalidValueError
from dinmo_pipeline.config.strict_yaml.nodes import MapNode, Node, Scalar
from dinmo_pipeline.config.strict_yaml.report import Subject
from dinmo_pipeline.text.wording import shown, suggestion

T = TypeVar("T")

_NUMERIC_WORDS = tuple(name for name, word in OPERATORS.items() if word.for_numbers)


def take(subject: Subject, key: str, read: Callable[[], T], node: Node) -> T | None:
    """What `read` returns; None, and a problem at `node`, if it raises InvalidValueError."""
    try:
        return read()
    except InvalidValueError as error:
        message = f"`{key}` {error.message}."
        subject.problem(error.at or node, message, allowed=error.allowed, hint=error.hint)
        return None


def read_comparison(
    node: MapNode, own: tuple[str, ...], form: str, takes: Comparison, subject: Subject
) -> Test | None:
    """The comparison beside the keys `own` of a form; None after a problem, or if the form takes none."""
    others = [(key, value) for key, value in node.entries if key.text not in own]
    if takes == "none":
        for key, _ in others:
            _refuse_beside(key, own, form, subject)
        return None
    used = [(key, value) for key, value in others if key.text in OPERATORS]
    unknown = [key for key, _ in others if key.text not in OPERATORS and key.text != IGNORE_CASE]
    if unknown:
        for key in unknown:
            message = f"`{shown(key.text)}` is not an operator."
            subject.problem(key, message, allowed=_words(takes), hint=nearest_operator(key.text))
        return None
    if len(used) != 1:
        _refuse_number_of_operators(node, [key for key, _ in used], form, takes, subject)
        return None
    return _read_operator(used[0], node, form, takes, subject)


def _words(takes: Comparison) -> tuple[str, ...]:
    return (*OPERATORS, IGNORE_CASE) if takes == "values" else _NUMERIC_WORDS


def _refuse_beside(key: Scalar, own: tuple[str, ...], form: str, subject: Subject) -> None:
    if key.text in OPERATORS:
        hint: str | None = "Use `count` to compare their number."
        message = f"`{form}` does not take a comparison."
    else:
        hint = suggestion(key.text, own)
        message = f"`{shown(key.text)}` cannot be used with `{form}`."
    subject.problem(key, message, allowed=own, hint=hint)


def _refuse_number_of_operators(
    node: MapNode, used: list[Scalar], form: str, takes: Comparison, subject: Subject
) -> None:
    if used:
        message = f"`{used[0].text}` and `{used[1].text}` cannot be in one condition."
        hint = "Write each as an item of `all`, or use `between`."
        subject.problem(used[1], message, hint=hint)
        return
    to_exist = "To check only whether there is one, use `exists`." if form == "count" else None
    message = f"`{form}` needs an operator beside it."
    subject.problem(node, message, allowed=_words(takes), hint=to_exist)


def _read_operator(
    used: tuple[Scalar, Node], node: MapNode, form: str, takes: Comparison, subject: Subject
) -> Test | None:
    key, value = used
    word = OPERATORS[key.text]
    if takes != "values" and not word.for_numbers:
        message = f"`{key.text}` cannot be used with `{form}`, which is a number."
        subject.problem(key, message, allowed=_NUMERIC_WORDS)
        return None
    test = take(subject, key.text, lambda: word.read(value), value)
    if test is not None and takes != "values" and not _compares_numbers(test, takes):
        expected = "whole numbers, zero or more" if takes == "whole numbers" else "numbers"
        subject.problem(value, f"`{form}` can only be compared with {expected}.")
        return None
    given = node.get(IGNORE_CASE)
    if test is None or given is None:
        return test
    ignore_case = take(subject, IGNORE_CASE, lambda: read_ignore_case(given, key.text), given)
    return None if ignore_case is None else Test(test.operator, test.value, ignore_case)


def _compares_numbers(test: Test, takes: Comparison) -> bool:
    values = test.value if isinstance(test.value, tuple) else (test.value,)
    if any(isinstance(value, bool) for value in values):
        return False
    if takes == "whole numbers":
        return all(isinstance(value, int) and value >= 0 for value in values)
    return all(isinstance(value, (int, Decimal)) for value in values)
