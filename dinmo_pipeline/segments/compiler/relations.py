"""Tests of related rows, as semi-joins: the row's key among the keys of the related rows that count.

Rows without related rows are never made up: what is true of no row at all (`none`, `count: 0`) is the absence
of related rows that contradict it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlglot import exp

from dinmo_pipeline.config.declarations.conditions import Measure, Test
from dinmo_pipeline.segments.compiler.comparisons import as_text, field_test, without_negation
from dinmo_pipeline.segments.compiler.mismatches import UnfitTestError
from dinmo_pipeline.segments.compiler.scope import Scope, TypedColumn
from dinmo_pipeline.segments.sql import literals
from dinmo_pipeline.segments.sql.clock import Clock
from dinmo_pipeline.segments.sql.columns import ColumnType
from dinmo_pipeline.segments.sql.identifiers import column, identifier
from dinmo_pipeline.segments.sql.key_sets import among, derived, equal, not_among

_COUNT = ColumnType("integer", "whole number (a count)")


@dataclass(frozen=True, slots=True)
class Step:
    """One relation on the path: its rows, and the pairs of (our, their) columns that must be equal."""

    scope: Scope
    pairs: tuple[tuple[exp.Expr, exp.Expr], ...]


@dataclass(frozen=True, slots=True)
class RelatedRows:
    """The rows at the end of a path of relations, those that hold `where`, joined along the path."""

    steps: tuple[Step, ...]
    where: exp.Expr | None

    @property
    def our_keys(self) -> list[exp.Expr]:
        """The outer row's columns that the first relation joins by."""
        return [ours.copy() for ours, _ in self.steps[0].pairs]

    @property
    def their_keys(self) -> list[exp.Expr]:
        """The columns of the first related rows that must be equal to the outer row's."""
        return [theirs.copy() for _, theirs in self.steps[0].pairs]

    def select(self, *expressions: exp.Expr) -> exp.Select:
        """The related rows of all outer rows."""
        first, *further = self.steps
        query = exp.select(*expressions).from_(first.scope.from_clause())
        for step in further:
            query = query.join(step.scope.from_clause(), on=equal(step.pairs))
        return query if self.where is None else query.where(self.where)


def exists(rows: RelatedRows) -> exp.Expr:
    """Whether there is a related row."""
    return among(rows.our_keys, rows.select(*rows.their_keys))


def count(rows: RelatedRows, counted: TypedColumn | None, test: Test, clock: Clock) -> exp.Expr:
    """A test of the number of related rows, or of a column's distinct values (NULL is none).

    Raises:
        UnfitTestError: the test does not fit a count.
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
    """A test of the sum, average, least or greatest of a column; of no values it is unknown: false.

    Raises:
        UnfitTestError: the measure does not fit the column, or the test what comes out.
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
    """A test of a column in the first or last related row, by `order`; NULLs come after all others.

    Raises:
        UnfitTestError: the test does not fit the column.
    """
    value = as_text(measured.expression, measured.type)
    ordering = [
        exp.Ordered(this=each, desc=last, nulls_first=False) for each in (*order, value.copy())
    ]
    place = exp.Window(
        this=exp.RowNumber(), partition_by=rows.their_keys, order=exp.Order(expressions=ordering)
    )
    names = [f"k{index}" for index, _ in enumerate(rows.our_keys, start=1)]
    keys = [
        exp.alias_(key, identifier(name)) for key, name in zip(rows.their_keys, names, strict=True)
    ]
    ranked = rows.select(
        *keys, exp.alias_(value, identifier("v")), exp.alias_(place, identifier("n"))
    )
    positive, is_opposite = without_negation(test)
    holds = field_test(column(alias, "v"), _read(measured.type), positive, clock)
    kept = (
        exp.select(*(column(alias, name) for name in names))
        .from_(derived(ranked, alias))
        .where(exp.EQ(this=column(alias, "n"), expression=literals.number(1)), holds)
    )
    return not_among(rows.our_keys, kept) if is_opposite else among(rows.our_keys, kept)


def _read(type_: ColumnType) -> ColumnType:
    """The type of a value that was read as text if need be."""
    return ColumnType(type_.kind, type_.type)


def _aggregated(measure: Measure, measured: TypedColumn) -> tuple[exp.Expr, ColumnType]:
    type_ = measured.type
    if measure in ("sum", "avg"):
        if not type_.is_number:
            raise UnfitTestError(f"{measure} needs numbers, and the column's type is {type_.type}")
        kind = "decimal" if measure == "avg" and type_.kind == "integer" else type_.kind
        function = exp.Sum if measure == "sum" else exp.Avg
        return function(this=measured.expression), ColumnType(kind, f"number ({measure})")
    if type_.kind in ("other", "boolean"):
        raise UnfitTestError(
            f"{measure} needs numbers, dates or text, and the column's type is {type_.type}"
        )
    extreme = exp.Min if measure == "min" else exp.Max
    return extreme(this=as_text(measured.expression, type_)), _read(type_)


def _is_true_of_zero(positive: Test) -> bool:
    """Whether a positive test of a count holds where there is nothing to count."""
    value = positive.value
    match positive.operator, value:
        case "in", tuple():
            return 0 in value
        case "between", (int() | Decimal() as low, int() | Decimal() as high):
            return low <= 0 <= high
    if positive.operator == "is_set" or not isinstance(value, int | Decimal):
        raise UnfitTestError(f"a count is compared with numbers, not by {positive.operator}")
    holds: dict[str, bool] = {
        "equals": value == 0,
        "greater_than": value < 0,
        "at_least": value <= 0,
        "less_than": value > 0,
        "at_most": value >= 0,
    }
    return holds[positive.operator]


def _keys_having(rows: RelatedRows, having: exp.Expr) -> exp.Select:
    """The keys of the related rows whose group holds a condition."""
    return rows.select(*rows.their_keys).group_by(*rows.their_keys).having(having)
