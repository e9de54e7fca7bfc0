"""A test that does not fit what it tests."""

from datetime import date
from decimal import Decimal

from dinmo_pipeline.config.declarations.conditions import Duration, Relative, Test, Value
from dinmo_pipeline.segments.sql.columns import ColumnType
from dinmo_pipeline.text.wording import shown

_MAX_VALUES_SHOWN = 5
_TESTS_WITHOUT_VALUE = {
    "is_true": "is: true",
    "is_false": "is: false",
    "is_set": "is: set",
    "is_blank": "is: blank",
}
_YAML_WORDS = {"anniversary_on": "anniversary", "anniversary_within_next": "anniversary"}


class MismatchError(Exception):
    """A test does not fit its column: a sentence, what would be allowed, and a hint."""

    def __init__(self, message: str, *, allowed: tuple[str, ...] = (), hint: str | None = None) -> None:
        super().__init__(message)
        self.allowed = allowed
        self.hint = hint


def not_applicable(test: Test, column: ColumnType, allowed: tuple[str, ...]) -> MismatchError:
    """The error for an operator that does not exist for a type."""
    return MismatchError(f"{as_declared(test)} does not apply to {column.type}.", allowed=allowed)


def wrong_value(
    column: ColumnType, value: Value, wanted: str, *, allowed: tuple[str, ...] = ()
) -> MismatchError:
    """The error for a value of another kind than the column's; `wanted` is that kind, such as `a day`."""
    return MismatchError(
        f"Compare {column.type} with {wanted}; {value_as_declared(value)} is not one.",
        allowed=allowed,
    )


def as_declared(test: Test) -> str:
    """A test as a person writes it.

    >>> as_declared(Test("contains", "x")), as_declared(Test("is_true", None))
    ("`contains: 'x'`", '`is: true`')
    """
    if test.operator in _TESTS_WITHOUT_VALUE:
        return f"`{_TESTS_WITHOUT_VALUE[test.operator]}`"
    word = _YAML_WORDS.get(test.operator, test.operator)
    return f"`{word}: {value_as_declared(test.value)}`"


def value_as_declared(value: Value) -> str:
    """A value as a person writes it, shortened.

    >>> value_as_declared(("FR", "BE")), value_as_declared(Relative(-2, "hours"))
    ("['FR', 'BE']", '2 hours ago')
    """
    match value:
        case Duration(amount, unit):
            return f"{amount} {unit}"
        case Relative(offset, unit):
            return f"{-offset} {unit} ago" if offset < 0 else f"in {offset} {unit}"
        case tuple():
            listed = [value_as_declared(each) for each in value[:_MAX_VALUES_SHOWN]]
            return shown(f"[{', '.join(listed)}{', …' if len(value) > len(listed) else ''}]")
        case bool():
            return str(value).lower()
        case Decimal() | date():
            return str(value)
        case _:
            return shown(repr(value))
