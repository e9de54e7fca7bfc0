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
from dinmo_pipeline.segments.compiler.aggregates import exists
from dinmo_pipeline.segments.compiler.catalog import Catalog, Scope, TypedColumn
from dinmo_pipeline.segments.compiler.comparisons import field_test
from dinmo_pipeline.segments.compiler.conversions import wanted_by
from dinmo_pipeline.segments.compiler.measures import MeasureCompiler
from dinmo_pipeline.segments.compiler.mismatches import MismatchError
from dinmo_pipeline.segments.compiler.related_rows import RelatedRows, follow
from dinmo_pipeline.segments.errors import SourceError, SourceUnavailableError
from dinmo_pipeline.segments.sources.opening import OpenSource
from dinmo_pipeline.segments.sql.clock import Clock
from dinmo_pipeline.segments.sql.columns import AMBIGUOUS, Table
from dinmo_pipeline.segments.sql.identifiers import table_expression
from dinmo_pipeline.segments.sql.key_sets import among, negated
from dinmo_pipeline.segments.sql.statements import RefusedSqlError, one_select
from dinmo_pipeline.segments.sql.writing import verbatim


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
    """Compiles segments against one source at one time. Problems are noted, not raised."""

    def __init__(self, project: Project, source: OpenSource, clock: Clock) -> None:
        self._project = project
        self._source = source
        self._clock = clock
        self._catalog = Catalog(project, source, clock.zone.key)
        self._open: list[str] = []  # the keys of the segments being compiled, the innermost last

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The problems noted so far."""
        return self._catalog.problems

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is odd about the source and does not matter much."""
        return self._catalog.remarks

    def column_of(
        self, segment: Segment, column: str, place: Place
    ) -> tuple[SegmentRows, TypedColumn] | None:
        """The rows of a segment and one of their columns; None if a problem was noted."""
        self._open.append(segment.key)
        try:
            rows = self._rows(segment)
            if rows is None:
                return None
            found = self._catalog.column_of(rows.table, rows.alias, column)
            if found is None:
                message = f"Its rows have no column {column!r}."
                known = rows.table.columns
                self._catalog.note_unknown(place, self._subject, message, column, known)
                return None
            if found.type is AMBIGUOUS:
                message = f"Its SELECT returns several columns named {column!r}."
                hint = f"Give the others another name, such as `AS other_{column}`."
                self._catalog.note(Problem(place, self._subject, message, hint=hint))
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
        try:
            select = one_select(sql, self._source.dialect)
            self._source.judge(select)
            columns = self._source.query_columns(select)
        except RefusedSqlError as error:
            self._note(segment.place, f"Its SQL {error}")
            return None
        except SourceUnavailableError:
            raise
        except SourceError as error:
            self._note(segment.place, f"Its SQL does not run. {error}")
            return None
        alias = self._catalog.alias()
        return SegmentRows(Table((), columns), alias, verbatim(select, alias), None)

    def _compile(self, condition: Condition, scope: Scope) -> exp.Expr:
        """True for the rows that meet the condition, false or NULL for the others."""
        match condition:
            case AllOf(parts):
                built = [self._compile(part, scope) for part in parts]
                return exp.and_(*built) if built else exp.true()
            case AnyOf(parts):
                built = [self._compile(part, scope) for part in parts]
                return exp.or_(*built) if built else exp.false()
            case Not(inner):
                return negated(self._compile(inner, scope))
        test = None
        try:
            test = self._test(condition, scope)
        except MismatchError as error:
            self._catalog.note(
                Problem(
                    condition.place,
                    self._subject,
                    f"{_title(condition)}: {error}",
                    allowed=error.allowed,
                    hint=error.hint,
                )
            )
        return exp.false() if test is None else test

    def _test(
        self, condition: FieldCondition | RelatedCondition | InSegment, scope: Scope
    ) -> exp.Expr | None:
        match condition:
            case FieldCondition(field, test, place):
                wanted = wanted_by(test)
                found = self._catalog.value(scope, field, wanted, place, self._subject)
                if found is None:
                    return None
                return field_test(found.expression, found.type, test, self._clock)
            case RelatedCondition():
                return self._related(condition, scope)
            case InSegment():
                return self._in_segment(condition, scope)

    def _related(self, condition: RelatedCondition, scope: Scope) -> exp.Expr | None:
        path, place = condition.relations, condition.place
        steps = follow(self._catalog, path, scope, place, self._subject)
        if steps is None:
            return None
        end = steps[-1].scope
        where = None if condition.where is None else self._compile(condition.where, end)
        rows = RelatedRows(steps, where)
        if condition.measure == "exists":
            return exists(rows)
        if condition.measure == "none":
            return negated(exists(rows))
        measures = MeasureCompiler(self._catalog, self._clock, self._subject)
        return measures.compile(condition, rows)

    def _in_segment(self, condition: InSegment, scope: Scope) -> exp.Expr | None:
        place, key = condition.place, scope.model.primary_key
        other = self._other_segment(condition, scope)
        if other is None:
            return None
        if key is None:
            message = f"The model {scope.model.key!r} declares no `key`; `in_segment` needs one."
            self._note(place, message)
            return None
        ours = self._catalog.column(scope, key, place, self._subject)
        found = self.column_of(other, key, place)
        if ours is None or found is None:
            return None
        rows, theirs = found
        what = f"`in_segment: {other.key}`"
        pair = self._catalog.comparable(ours, theirs, what, place, self._subject)
        return None if pair is None else among([pair[0]], rows.select(pair[1]))

    def _other_segment(self, condition: InSegment, scope: Scope) -> Segment | None:
        """The segment that a condition names; None, with a problem noted, if it cannot be used here."""
        place, key, model = condition.place, condition.segment, scope.model.key
        other = self._project.segments.get(key)
        if other is None:
            known = self._project.segments
            message = f"There is no segment {key!r}."
            self._catalog.note_unknown(place, self._subject, message, key, known)
            return None
        if other.where is not None and other.model != model:
            self._note(place, f"The segment {key!r} is of the model {other.model!r}, not of {model!r}.")
            return None
        if key in self._open:
            self._note(place, f"`in_segment` forms a circle: {' → '.join((*self._open, key))}.")
            return None
        return other

    def _note(self, place: Place, message: str) -> None:
        self._catalog.note(Problem(place, self._subject, message))


def _title(condition: FieldCondition | RelatedCondition | InSegment) -> str:
    match condition:
        case FieldCondition():
            return f"field {condition.field!r}"
        case RelatedCondition():
            path = (*condition.relations, *([condition.field] if condition.field else ()))
            return f"{condition.measure} of {'.'.join(path)!r}"
        case InSegment():
            return f"in_segment {condition.segment!r}"
