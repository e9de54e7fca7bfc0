"""The columns of the tables in unit tests, inferred for when the source cannot be opened.

A column has the type of the values that tests give it; else of what a condition compares it with; else
of the column it is joined with; else text. All tests count together: one may omit what another gives.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TypeAlias

from dinmo_pipeline.config.declarations import Given, Model, Project
from dinmo_pipeline.config.declarations.conditions import (
    AllOf,
    AnyOf,
    Condition,
    FieldCondition,
    Not,
    RelatedCondition,
    Test,
)
from dinmo_pipeline.segments.tables_read import TableId, table_id

Columns: TypeAlias = Mapping[str, str]
"""DuckDB's type of each column, in order."""

EXACT = "DECIMAL(38, 10)"


def inferred_columns(project: Project) -> dict[TableId, Columns]:
    """The columns of each table, as far as tests and segments use them."""
    given: dict[TableId, dict[str, str | None]] = {}
    for test in project.tests.values():
        for table in test.given:
            columns = given.setdefault(table_id(table.table), {})
            for row in table.rows:
                for written, value in row.values.items():
                    column = _same(written, columns)
                    columns[column] = _wider(columns.get(column), _type_of(value))
    for use in _uses(project):
        columns = given.setdefault(use.table, {})
        column = _same(use.column, columns)
        known = columns.get(column)
        is_moment_in_quotes = known == "VARCHAR" and use.type == "TIMESTAMP"
        if known is None or is_moment_in_quotes:
            columns[column] = use.type
    _follow_joins(project, given)
    return {
        table: {column: type_ or "VARCHAR" for column, type_ in columns.items()}
        for table, columns in given.items()
    }


# The first match counts: in Python a bool is an int, and a datetime a date.
_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "BOOLEAN"),
    (int, "BIGINT"),
    (Decimal, EXACT),
    (datetime, "TIMESTAMP"),
    (date, "DATE"),
    (str, "VARCHAR"),
)


def _type_of(value: Given) -> str | None:
    if value is None:
        return None
    if isinstance(value, datetime) and value.tzinfo:
        return "TIMESTAMPTZ"
    return next(type_ for kind, type_ in _TYPES if isinstance(value, kind))


_WIDENING = (("BIGINT", EXACT), ("DATE", "TIMESTAMP", "TIMESTAMPTZ"))


def _wider(one: str | None, other: str | None) -> str | None:
    """A type for the values of both."""
    if one is None or other is None or one == other:
        return one or other
    for chain in _WIDENING:
        if one in chain and other in chain:
            return max(one, other, key=chain.index)
    return "VARCHAR"


@dataclass(frozen=True, slots=True)
class _Use:
    """A column that a declaration uses, and the type it seems to have."""

    table: TableId
    column: str
    type: str | None


def _uses(project: Project) -> Iterator[_Use]:
    for model in project.models.values():
        if model.primary_key is not None:
            yield _Use(table_id(model.table), model.primary_key, None)
    for segment in project.segments.values():
        model_of_segment = project.models.get(segment.model or "")
        if segment.where is not None and model_of_segment is not None:
            yield from _uses_of(segment.where, model_of_segment, project)
    for test in project.tests.values():
        segment = project.segments[test.segment]
        model_of_segment = project.models.get(segment.model or "")
        table = model_of_segment.table if model_of_segment else segment.table
        if table is not None:
            types = {_type_of(member) for member in test.members}
            yield _Use(table_id(table), test.column, types.pop() if len(types) == 1 else None)


def _uses_of(condition: Condition, model: Model, project: Project) -> Iterator[_Use]:
    match condition:
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from _uses_of(part, model, project)
        case Not(part):
            yield from _uses_of(part, model, project)
        case FieldCondition():
            yield _Use(table_id(model.table), condition.field, _type_tested(condition.test))
        case RelatedCondition():
            yield from _uses_of_related(condition, model, project)


def _uses_of_related(condition: RelatedCondition, model: Model, project: Project) -> Iterator[_Use]:
    end = model
    for name in condition.relations:
        end = project.models[end.relations[name].model]
    table = table_id(end.table)
    if condition.field is not None:
        sums = condition.measure in ("sum", "avg")
        is_value = condition.measure in ("min", "max", "first", "last")
        tested = _type_tested(condition.test) if is_value and condition.test else None
        yield _Use(table, condition.field, EXACT if sums else tested)
    if condition.order_by is not None:
        yield _Use(table, condition.order_by, None)
    if condition.where is not None:
        yield from _uses_of(condition.where, end, project)


_MOMENT_OPERATORS = ("within_last", "within_next", "before", "after", "on")


def _type_tested(test: Test) -> str | None:
    """The type that a column tested in this way seems to have."""
    if test.operator in _MOMENT_OPERATORS or test.operator.startswith("anniversary"):
        return "TIMESTAMP"
    if test.operator in ("is_true", "is_false"):
        return "BOOLEAN"
    values = test.value if isinstance(test.value, tuple) else (test.value,)
    scalars = [each for each in values if isinstance(each, str | int | Decimal | date)]
    if test.operator in ("is_set", "is_blank") or not scalars:
        return None
    return _type_of(scalars[0])


def _follow_joins(project: Project, given: dict[TableId, dict[str, str | None]]) -> None:
    """Give both columns of a join the type of the one that is known."""
    for model in (*project.models.values(), *project.models.values()):
        for relation in model.relations.values():
            ours = given.setdefault(table_id(model.table), {})
            theirs = given.setdefault(table_id(project.models[relation.model].table), {})
            for pair in relation.join.columns:
                our, their = _same(pair[0], ours), _same(pair[1], theirs)
                known = ours.get(our) or theirs.get(their)
                ours[our] = ours.get(our) or known
                theirs[their] = theirs.get(their) or known


def _same(column: str, columns: Mapping[str, str | None]) -> str:
    """A column as it was first written; case does not matter."""
    return next((each for each in columns if each.casefold() == column.casefold()), column)
