"""Tests of related rows, as semi-joins: is the row's key among the keys of the related rows that match?

A condition that is true without any related row (`none`, `count: 0`) is compiled as the absence of related
rows that contradict it.
"""

from collections.abc import Sequence
from decimal import Decimal

from sqlglot import exp

from dinmo_pipeline.config.declarations.conditions import Measure, Test
from dinmo_pipeline.segments.compiler.catalog import TypedColumn
from dinmo_pipeline.segments.compiler.comparisons import as_text, field_test, without_negation
from dinmo_pipeline.segments.compiler.mismatches import MismatchError, as_declared
from dinmo_pipeline.segments.compiler.related_rows import RelatedRows
from dinmo_pipeline.segments.sql import literals
from dinmo_pipeline.segments.sql.clock import Clock
from dinmo_pipeline.segments.sql.columns import ColumnType
from dinmo_pipeline.segments.sql.identifiers import column, identifier
from dinmo_pipeline.segments.sql.key_sets import among, derived, not_among

_COUNT = ColumnType("integer", "a count")
_TITLES = {"sum": "a sum", "avg": "an average"}


def exists(rows: RelatedRows) -> exp.Expr:
    """Whether there is a related row."""
    return among(rows.our_keys, rows.select(*rows.their_keys))


def count(rows: RelatedRows, counted: TypedColumn | None, test: Test, clock: Clock) -> exp.Expr:
    """A test of the number of related rows, or of a column's distinct values without NULL.

    Raises:
        MismatchError: the test does not fit a count.
    """
    number: exp.Expr = exp.Count(this=exp.Star())
    if counted is not None:
        number = exp.Count(this=exp.Distinct(expressions=[counted.expression]))
    positive, is_opposite = without_negation(test)
    holds = field_test(number, _COUNT, positive, clock)
    if _is_true_of_zero(positive) == is_opposite:
        kept = exp.Not(this=exp.paren(holds)) if is_opposite else holds
        return among(rows.our_keys, _keys_having(rows, kept))
    refuting = holds if is_opposite else exp.Not(this=exp.paren(holds))
    return not_among(rows.our_keys, _keys_having(rows, refuting))


def aggregate(
    rows: RelatedRows, measure: Measure, measured: TypedColumn, test: Test, clock: Clock
) -> exp.Expr:
    """A test of the sum, average, minimum or maximum of a column; false if there are no values.

    Raises:
        MismatchError: the measure does not fit the column, or the test does not fit the measure.
    """
    operand, result = _aggregated(measure, measured)
    positive, is_opposite = without_negation(test)
    having = field_test(operand, result, positive, clock)
    keys = _keys_having(rows, having)
    return not_among(rows.our_keys, keys) if is_opposite else among(rows.our_keys, keys)


def first_or_last(
    rows: RelatedRows,
    measured: TypedColumn,
    order: Sequence[exp.Expr],
    test: Test,
    clock: Clock,
    *,
    last: bool,
    alias: str,
) -> exp.Expr:
    """A test of a column in the first or last related row by `order`, where NULLs always come last.

    Raises:
        MismatchError: the test does not fit the column.
    """
    value = as_text(measured.expression, measured.type)
    ordering = [exp.Ordered(this=each, desc=last, nulls_first=False) for each in (*order, value.copy())]
    place = exp.Window(
        this=exp.RowNumber(), partition_by=rows.their_keys, order=exp.Order(expressions=ordering)
    )
    names = [f"k{index}" for index, _ in enumerate(rows.our_keys, start=1)]
    keys = [exp.alias_(key, identifier(name)) for key, name in zip(rows.their_keys, names, strict=True)]
    ranked = rows.select(*keys, exp.alias_(value, identifier("v")), exp.alias_(place, identifier("n")))
    positive, is_opposite = without_negation(test)
    holds = field_test(column(alias, "v"), _without_cast(measured.type), positive, clock)
    kept = (
        exp.select(*(column(alias, name) for name in names))
        .from_(derived(ranked, alias))
        .where(exp.EQ(this=column(alias, "n"), expression=literals.number(1)), holds)
    )
    return not_among(rows.our_keys, kept) if is_opposite else among(rows.our_keys, kept)


def _without_cast(type_: ColumnType) -> ColumnType:
    """The type of a value that was cast to text already, where that was needed."""
    return ColumnType(type_.kind, type_.type)


def _aggregated(measure: Measure, measured: TypedColumn) -> tuple[exp.Expr, ColumnType]:
    type_ = measured.type
    if measure in ("sum", "avg"):
        if not type_.is_number:
            raise MismatchError(f"`{measure}` needs numbers; the column is {type_.type}.")
        kind = "decimal" if measure == "avg" and type_.kind == "integer" else type_.kind
        function = exp.Sum if measure == "sum" else exp.Avg
        return function(this=measured.expression), ColumnType(kind, _TITLES[measure])
    if type_.kind in ("other", "boolean"):
        raise MismatchError(f"`{measure}` needs numbers, dates or text; the column is {type_.type}.")
    extreme = exp.Min if measure == "min" else exp.Max
    return extreme(this=as_text(measured.expression, type_)), _without_cast(type_)


def _is_true_of_zero(positive: Test) -> bool:
    """Whether a test of a count, its negation taken off, is true of zero."""
    value = positive.value
    match positive.operator, value:
        case "in", tuple():
            return 0 in value
        case "between", (int() | Decimal() as low, int() | Decimal() as high):
            return low <= 0 <= high
    if positive.operator == "is_set" or not isinstance(value, int | Decimal):
        raise MismatchError(f"A count is compared with numbers; {as_declared(positive)} does not apply.")
    holds: dict[str, bool] = {
        "equals": value == 0,
        "greater_than": value < 0,
        "at_least": value <= 0,
        "less_than": value > 0,
        "at_most": value >= 0,
    }
    return holds[positive.operator]


def _keys_having(rows: RelatedRows, having: exp.Expr) -> exp.Select:
    """The keys of the related rows whose group meets a condition."""
    return rows.select(*rows.their_keys).group_by(*rows.their_keys).having(having)
