"""A segment as a query of its rows: its `where`, `sql` or `table`, and what they refer to."""

from dataclasses import dataclass

from sqlglot import exp

from dinmo_pipeline.config.declarations import Project, Segment
from dinmo_pipeline.config.declarations.conditions import (
    AllOf,
    AnyOf,
    Condition,
    FieldCondition,
    InSegment,
    Not,
    RelatedCondition,
)
from dinmo_pipeline.config.strict_yaml.problems import Place, Problem
from dinmo_pipeline.segments.compiler import relations
from dinmo_pipeline.segments.compiler.comparisons import as_text, field_test
from dinmo_pipeline.segments.compiler.mismatches import UnfitTestError
from dinmo_pipeline.segments.compiler.scope import Catalog, Findings, Scope, TypedColumn
from dinmo_pipeline.segments.errors import SourceError
from dinmo_pipeline.segments.sources.opening import OpenSource
from dinmo_pipeline.segments.sql.clock import Clock
from dinmo_pipeline.segments.sql.columns import ColumnType, Table
from dinmo_pipeline.segments.sql.identifiers import table_expression
from dinmo_pipeline.segments.sql.key_sets import among, derived, negated
from dinmo_pipeline.segments.sql.statements import RefusedSqlError, parse_select
from dinmo_pipeline.segments.sql.writing import write


@dataclass(frozen=True, slots=True)
class SegmentRows:
    """The rows of a segment before a column is chosen: `select(x)` gives x of each."""

    table: Table
    alias: str
    origin: exp.Expr
    where: exp.Expr | None

    def select(self, expression: exp.Expr) -> exp.Select:
        """One expression of every row."""
        query = exp.select(expression).from_(self.origin)
        return query if self.where is None else query.where(self.where)


class SegmentCompiler:
    """Compiles segments against one source at one time; what does not fit is noted, not raised."""

    def __init__(self, project: Project, source: OpenSource, clock: Clock) -> None:
        self._project = project
        self._source = source
        self._clock = clock
        self._findings = Findings()
        self._catalog = Catalog(project, source, self._findings)
        self._open: list[str] = []

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What was found wrong so far."""
        return self._findings.problems

    def column_of(
        self, segment: Segment, column: str, place: Place
    ) -> tuple[SegmentRows, TypedColumn] | None:
        """The rows of a segment and one of their columns; None if problems were noted."""
        self._open.append(segment.key)
        try:
            rows = self._rows(segment)
            if rows is None:
                return None
            found = self._catalog.column_of(rows.table, rows.alias, column)
            if found is None:
                message = f"there is no column {column!r} in its rows"
                self._catalog.missing(place, self._subject, message, column, rows.table.columns)
                return None
            return rows, found
        finally:
            self._open.pop()

    @property
    def _subject(self) -> str:
        return f"segment {self._open[-1]!r}"

    def _rows(self, segment: Segment) -> SegmentRows | None:
        if segment.sql is not None:
            return self._rows_of_sql(segment, segment.sql)
        if segment.table is not None:
            table = self._catalog.table(segment.table, segment.place, self._subject)
            if table is None:
                return None
            alias = self._catalog.alias()
            return SegmentRows(table, alias, table_expression(table.parts, alias), None)
        scope = self._catalog.model(segment.model or "", segment.place, self._subject)
        if scope is None:
            return None
        where = None if segment.where is None else self._compile(segment.where, scope)
        return SegmentRows(scope.table, scope.alias, scope.from_clause(), where)

    def _rows_of_sql(self, segment: Segment, sql: str) -> SegmentRows | None:
        dialect = self._source.dialect
        try:
            query = parse_select(sql, dialect)
            columns = self._source.query_columns(write(query, dialect))
        except RefusedSqlError as error:
            self._note(segment.place, f"its sql {error}")
            return None
        except SourceError as error:
            self._note(segment.place, f"its sql does not run: {error}")
            return None
        alias = self._catalog.alias()
        return SegmentRows(Table((), columns), alias, derived(query, alias), None)

    def _compile(self, condition: Condition, scope: Scope) -> exp.Expr:
        """True of the rows that hold the condition, false or NULL of the others."""
        match condition:
            case AllOf(conditions):
                return (
                    exp.and_(*(self._compile(each, scope) for each in conditions))
                    if conditions
                    else exp.true()
                )
            case AnyOf(conditions):
                return (
                    exp.or_(*(self._compile(each, scope) for each in conditions))
                    if conditions
                    else exp.false()
                )
            case Not(inner):
                return negated(self._compile(inner, scope))
            case InSegment():
                return self._in_segment(condition, scope)
        try:
            if isinstance(condition, FieldCondition):
                built = self._field(condition, scope)
            else:
                built = self._related(condition, scope)
        except UnfitTestError as unfit:
            what = _what(condition)
            self._findings.add(
                Problem(
                    condition.place,
                    self._subject,
                    f"{what}: {unfit.message}",
                    value=unfit.value,
                    allowed=unfit.allowed,
                    hint=unfit.hint,
                )
            )
            built = None
        return exp.false() if built is None else built

    def _field(self, condition: FieldCondition, scope: Scope) -> exp.Expr | None:
        found = self._catalog.column(scope, condition.field, condition.place, self._subject)
        if found is None:
            return None
        return field_test(found.expression, found.type, condition.test, self._clock)

    def _related(self, condition: RelatedCondition, scope: Scope) -> exp.Expr | None:
        steps = self._steps(condition, scope)
        if steps is None:
            return None
        end = steps[-1].scope
        where = None if condition.where is None else self._compile(condition.where, end)
        rows = relations.RelatedRows(steps, where)
        if condition.measure in ("exists", "none"):
            exists = relations.exists(rows)
            return exists if condition.measure == "exists" else negated(exists)
        return self._measure(condition, rows)

    def _measure(self, condition: RelatedCondition, rows: relations.RelatedRows) -> exp.Expr | None:
        """A test of what is measured of the related rows; None if problems were noted."""
        if condition.test is None:
            raise UnfitTestError("needs a comparison", allowed=("at_least", "at_most", "equals"))
        if condition.measure == "count":
            return relations.count(rows, None, condition.test, self._clock)
        measured = self._measured(condition, rows.steps[-1].scope)
        if measured is None:
            return None
        if condition.measure == "count_distinct":
            return relations.count(rows, measured, condition.test, self._clock)
        if condition.measure in ("first", "last"):
            return self._first_or_last(condition, rows, measured)
        return relations.aggregate(rows, condition.measure, measured, condition.test, self._clock)

    def _measured(self, condition: RelatedCondition, end: Scope) -> TypedColumn | None:
        """The measured column; None if a problem was noted."""
        if condition.field is None:
            raise UnfitTestError(
                "needs a column after the relations", hint="For example orders.amount."
            )
        found = self._catalog.column(end, condition.field, condition.place, self._subject)
        if found is not None and found.type.kind == "other":
            raise UnfitTestError(
                f"{condition.measure} cannot use a column of type {found.type.type}"
            )
        return found

    def _first_or_last(
        self, condition: RelatedCondition, rows: relations.RelatedRows, measured: TypedColumn
    ) -> exp.Expr | None:
        end = rows.steps[-1].scope
        names = [name for name in (condition.order_by, end.model.primary_key) if name is not None]
        columns = [
            self._catalog.column(end, name, condition.place, self._subject) for name in names
        ]
        if condition.test is None or any(column is None for column in columns):
            return None
        return relations.first_or_last(
            rows,
            measured,
            [column.expression for column in columns if column is not None],
            condition.test,
            self._clock,
            last=condition.measure == "last",
            alias=self._catalog.alias(),
        )

    def _steps(
        self, condition: RelatedCondition, scope: Scope
    ) -> tuple[relations.Step, ...] | None:
        """The relations of the path, each with its rows; None if problems were noted."""
        steps: list[relations.Step] = []
        here = scope
        for name in condition.relations:
            relation = here.model.relations.get(name)
            if relation is None:
                message = f"the model {here.model.key!r} has no relation {name!r}"
                self._catalog.missing(
                    condition.place, self._subject, message, name, here.model.relations
                )
                return None
            there = self._catalog.model(
                relation.model, here.model.place, f"model {here.model.key!r}"
            )
            if there is None:
                return None
            pairs = [
                self._pair(here, there, ours, theirs) for ours, theirs in relation.join.columns
            ]
            if any(pair is None for pair in pairs):
                return None
            steps.append(relations.Step(there, tuple(pair for pair in pairs if pair is not None)))
            here = there
        return tuple(steps)

    def _pair(
        self, here: Scope, there: Scope, ours: str, theirs: str
    ) -> tuple[exp.Expr, exp.Expr] | None:
        """Two columns that a relation joins by, made comparable; None if problems were noted."""
        subject = f"model {here.model.key!r}"
        left = self._catalog.column(here, ours, here.model.place, subject)
        right = self._catalog.column(there, theirs, here.model.place, subject)
        if left is None or right is None:
            return None
        what = f"the join of {ours!r} with {theirs!r} of {there.model.key!r}"
        return self._comparable(left, right, what, here.model.place, subject)

    def _comparable(
        self, left: TypedColumn, right: TypedColumn, what: str, place: Place, subject: str
    ) -> tuple[exp.Expr, exp.Expr] | None:
        if _family(left.type) != _family(right.type):
            message = f"{what} compares {left.type.type} with {right.type.type}"
            self._findings.add(Problem(place, subject, message, hint="Join columns of one type."))
            return None
        if left.type.type == right.type.type:
            return left.expression, right.expression
        return as_text(left.expression, left.type), as_text(right.expression, right.type)

    def _in_segment(self, condition: InSegment, scope: Scope) -> exp.Expr:
        keys = self._keys_of(condition, scope)
        return exp.false() if keys is None else among(*keys)

    def _keys_of(
        self, condition: InSegment, scope: Scope
    ) -> tuple[list[exp.Expr], exp.Select] | None:
        """Our key, and the query of the other segment's keys; None if problems were noted."""
        place, key = condition.place, scope.model.primary_key
        other = self._project.segments.get(condition.segment)
        if other is None:
            message = f"there is no segment {condition.segment!r}"
            self._catalog.missing(
                place, self._subject, message, condition.segment, self._project.segments
            )
            return None
        if other.where is not None and other.model != scope.model.key:
            self._note(
                place,
                f"the segment {other.key!r} is of {other.model!r}, not of {scope.model.key!r}",
            )
            return None
        if other.key in self._open:
            self._note(
                place, f"in_segment goes round in a circle: {' → '.join((*self._open, other.key))}"
            )
            return None
        if key is None:
            self._note(
                place,
                f"in_segment needs the key of the model {scope.model.key!r}, which declares none",
            )
            return None
        ours = self._catalog.column(scope, key, place, self._subject)
        found = self.column_of(other, key, place)
        if ours is None or found is None:
            return None
        rows, theirs = found
        what = f"in_segment {other.key!r}"
        pair = self._comparable(ours, theirs, what, place, self._subject)
        return None if pair is None else ([pair[0]], rows.select(pair[1]))

    def _note(self, place: Place, message: str) -> None:
        self._findings.add(Problem(place, self._subject, message))


def _what(condition: FieldCondition | RelatedCondition) -> str:
    if isinstance(condition, FieldCondition):
        return f"field {condition.field!r}"
    path = ".".join((*condition.relations, *((condition.field,) if condition.field else ())))
    return f"{condition.measure} of {path!r}"


def _family(type_: ColumnType) -> str:
    """What compares with each other without a cast."""
    return "number" if type_.is_number else type_.kind
