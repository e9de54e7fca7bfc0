"""A test of what is measured of related rows: which column is measured, and by which aggregate."""

from dataclasses import dataclass

from sqlglot import exp

from dinmo_pipeline.config.declarations.conditions import RelatedCondition, Test
from dinmo_pipeline.segments.compiler import aggregates
from dinmo_pipeline.segments.compiler.catalog import Catalog, TypedColumn
from dinmo_pipeline.segments.compiler.conversions import Wanted, wanted_by
from dinmo_pipeline.segments.compiler.mismatches import MismatchError
from dinmo_pipeline.segments.compiler.related_rows import RelatedRows
from dinmo_pipeline.segments.sql.clock import Clock


@dataclass(frozen=True, slots=True)
class MeasureCompiler:
    """Compiles the measures of a segment; `subject` names it in problems."""

    catalog: Catalog
    clock: Clock
    subject: str

    def compile(self, condition: RelatedCondition, rows: RelatedRows) -> exp.Expr | None:
        """The test of the measure; None if a problem was noted.

        Raises:
            MismatchError: the measure does not fit its column, or the test does not fit the measure.
        """
        test = condition.test
        if test is None:
            raise MismatchError("A comparison is missing.", allowed=("at_least", "at_most", "equals"))
        if condition.measure == "count":
            return aggregates.count(rows, None, test, self.clock)
        measured = self._measured(condition, rows)
        if measured is None:
            return None
        if condition.measure == "count_distinct":
            return aggregates.count(rows, measured, test, self.clock)
        if condition.measure in ("first", "last"):
            return self._first_or_last(condition, test, rows, measured)
        return aggregates.aggregate(rows, condition.measure, measured, test, self.clock)

    def _measured(self, condition: RelatedCondition, rows: RelatedRows) -> TypedColumn | None:
        if condition.field is None:
            raise MismatchError("A column is missing after the relations.", hint="For example orders.amount.")
        found = self._value(condition, rows, condition.field, _wanted(condition))
        if found is not None and found.type.kind == "other":
            raise MismatchError(f"`{condition.measure}` does not apply to {found.type.type}.")
        return found

    def _first_or_last(
        self, condition: RelatedCondition, test: Test, rows: RelatedRows, measured: TypedColumn
    ) -> exp.Expr | None:
        looked_up = []
        if condition.order_by is not None:
            looked_up.append(self._value(condition, rows, condition.order_by, "order"))
        if (key := rows.steps[-1].scope.model.primary_key) is not None:
            looked_up.append(self._value(condition, rows, key, "as it is"))
        order = [column.expression for column in looked_up if column is not None]
        if len(order) < len(looked_up):
            return None
        return aggregates.first_or_last(
            rows,
            measured,
            order,
            test,
            self.clock,
            last=condition.measure == "last",
            alias=self.catalog.alias(),
        )

    def _value(
        self, condition: RelatedCondition, rows: RelatedRows, name: str, wanted: Wanted
    ) -> TypedColumn | None:
        return self.catalog.value(rows.steps[-1].scope, name, wanted, condition.place, self.subject)


def _wanted(condition: RelatedCondition) -> Wanted:
    """What an untyped column has to become for a measure."""
    if condition.measure in ("sum", "avg"):
        return "number"
    if condition.measure == "count_distinct" or condition.test is None:
        return "text"
    return wanted_by(condition.test)
