"""One test of a column or of a measured value, as an SQL expression.

The expression is true where the test holds, and false or NULL where it does not. `negated` turns it into the
opposite, which is never NULL: so NULL counts as false, and `not` of it as true. `AND` and `OR` need no such
care: without a `NOT` in it, an SQL expression is true exactly where two-valued logic says so.
"""

from collections.abc import Callable
from decimal import Decimal

from sqlglot import exp

from dinmo_pipeline.config.declarations.conditions import Operator, Test, Value
from dinmo_pipeline.segments.compiler.mismatches import (
    MismatchError,
    not_applicable,
    value_as_declared,
    wrong_value,
)
from dinmo_pipeline.segments.compiler.temporal import TemporalColumn
from dinmo_pipeline.segments.sql import literals
from dinmo_pipeline.segments.sql.clock import Clock
from dinmo_pipeline.segments.sql.columns import ColumnType
from dinmo_pipeline.segments.sql.key_sets import negated

_BLANKS = " \t\n\r"
_COMPARISONS: dict[Operator, type[exp.Binary]] = {
    "equals": exp.EQ,
    "greater_than": exp.GT,
    "at_least": exp.GTE,
    "less_than": exp.LT,
    "at_most": exp.LTE,
}
_OPPOSITES: dict[Operator, Operator] = {"not_equals": "equals", "not_in": "in"}


def without_negation(test: Test) -> tuple[Test, bool]:
    """The test without its negation, and whether it had one.

    `not_equals` and `not_in` are the opposites of `equals` and `in`, `is_blank` of `is_set`.
    """
    if test.operator in _OPPOSITES:
        return Test(_OPPOSITES[test.operator], test.value, test.ignore_case), True
    if test.operator in ("is_set", "is_blank"):
        wants_set = (test.operator == "is_set") == (test.value is not False)
        return Test("is_set", value=True), not wants_set
    return test, False


def field_test(operand: exp.Expr, column: ColumnType, test: Test, clock: Clock) -> exp.Expr:
    """A test of an operand that holds the values of a column.

    Raises:
        MismatchError: the test does not fit the column's type.
    """
    positive, is_opposite = without_negation(test)
    built = _positive_test(operand, column, positive, clock)
    return negated(built) if is_opposite else built


def _positive_test(operand: exp.Expr, column: ColumnType, test: Test, clock: Clock) -> exp.Expr:
    if column.kind == "text":
        return _text_test(as_text(operand, column), column, test)
    if test.operator == "is_set":
        return exp.Not(this=exp.Is(this=operand, expression=exp.null()))
    if column.is_temporal:
        return TemporalColumn(operand, column, clock).test(test)
    if column.kind == "boolean":
        return _boolean_test(operand, column, test)
    if column.is_number:
        return _number_test(operand, column, test)
    raise MismatchError(
        f"{column.type} can only be tested for being set.",
        allowed=("is: set", "is: blank"),
    )


def as_text(operand: exp.Expr, column: ColumnType) -> exp.Expr:
    """The operand as text, cast if its type is not text but reads like it."""
    return exp.cast(operand, exp.DataType.Type.TEXT) if column.as_text else operand


def _boolean_test(operand: exp.Expr, column: ColumnType, test: Test) -> exp.Expr:
    match test.operator, test.value:
        case ("is_true", None | True) | ("equals", True):
            return exp.EQ(this=operand, expression=exp.true())
        case ("is_false", None | True) | ("equals", False):
            return exp.EQ(this=operand, expression=exp.false())
        case "in", tuple() as values if all(isinstance(value, bool) for value in values):
            choices = [exp.true() if value else exp.false() for value in values]
            return exp.In(this=operand, expressions=choices)
    raise not_applicable(test, column, ("is: true", "is: false", "equals: true", "equals: false"))


def _number_test(operand: exp.Expr, column: ColumnType, test: Test) -> exp.Expr:
    return _comparison(operand, test, lambda value: literals.number(_checked_number(column, value)), column)


def _checked_number(column: ColumnType, value: Value) -> int | Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise wrong_value(column, value, "a number")
    if isinstance(value, Decimal) and not value.is_finite():
        raise wrong_value(column, value, "a finite number")
    return value


def _text_test(operand: exp.Expr, column: ColumnType, test: Test) -> exp.Expr:
    if test.operator == "is_set":
        return exp.NEQ(
            this=exp.Trim(this=operand, expression=literals.text(_BLANKS)),
            expression=literals.text(""),
        )
    if test.ignore_case:
        operand = exp.Lower(this=operand)

    def literal(value: Value) -> exp.Expr:
        text = literals.text(_checked_text(column, value))
        return exp.Lower(this=text) if test.ignore_case else text

    if test.operator not in ("contains", "starts_with", "ends_with"):
        return _comparison(operand, test, literal, column)
    if test.value == "":
        raise MismatchError(f"`{test.operator}` needs at least one character.")
    part = literal(test.value)
    if test.operator == "contains":
        # A position, not LIKE: LIKE's wildcards and escapes differ between dialects.
        position = exp.StrPosition(this=operand, substr=part)
        return exp.GT(this=position, expression=literals.number(0))
    # The warehouse measures the length: it counts characters its own way, and lower case can be longer.
    end = exp.Left if test.operator == "starts_with" else exp.Right
    return exp.EQ(this=end(this=operand, expression=exp.Length(this=part)), expression=part.copy())


def _checked_text(column: ColumnType, value: Value) -> str:
    if not isinstance(value, str):
        raise MismatchError(
            f"The column is text ({column.type}); write {value_as_declared(value)} in quotes."
        )
    if "\x00" in value:
        raise MismatchError("Text with a NUL character cannot be compared.")
    return value


def _comparison(
    operand: exp.Expr,
    test: Test,
    literal: Callable[[Value], exp.Expr],
    column: ColumnType,
) -> exp.Expr:
    match test.operator, test.value:
        case "in", tuple() as values:
            return exp.In(this=operand, expressions=[literal(value) for value in values])
        case "between", (low, high):
            return exp.Between(this=operand, low=literal(low), high=literal(high))
    if test.operator in _COMPARISONS:
        return _COMPARISONS[test.operator](this=operand, expression=literal(test.value))
    for_text = ("contains", "starts_with", "ends_with") if column.kind == "text" else ()
    allowed = (*_COMPARISONS, *_OPPOSITES, "in", "between", "is: set", *for_text)
    raise not_applicable(test, column, allowed)
