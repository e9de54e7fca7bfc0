"""The source's tables and columns by their declared names, and every problem found on the way."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from sqlglot import exp

from dinmo_pipeline.config.declarations import Model, Project
from dinmo_pipeline.config.strict_yaml.problems import Place, Problem
from dinmo_pipeline.segments.compiler.comparisons import as_text
from dinmo_pipeline.segments.compiler.conversions import NUMBER, Conversion, Wanted, conversion
from dinmo_pipeline.segments.errors import MissingTableError, unknown_name
from dinmo_pipeline.segments.sources.opening import OpenSource
from dinmo_pipeline.segments.sql.columns import ColumnType, Table
from dinmo_pipeline.segments.sql.identifiers import column, look_up, table_expression
from dinmo_pipeline.segments.sql.untyped import Misfits
from dinmo_pipeline.text.wording import counted


@dataclass(frozen=True, slots=True)
class Scope:
    """The rows of one model in a statement, under an alias of their own."""

    model: Model
    table: Table
    alias: str

    def from_clause(self) -> exp.Expr:
        """The table under its alias."""
        return table_expression(self.table.parts, self.alias)


@dataclass(frozen=True, slots=True)
class TypedColumn:
    """A column of a statement, and what it holds."""

    expression: exp.Expr
    type: ColumnType


class Catalog:
    """Looks up what declarations name. A name that does not exist is noted as a problem, not raised."""

    def __init__(self, project: Project, source: OpenSource, zone: str) -> None:
        self._project = project
        self._source = source
        self._zone = zone
        self._remarks: dict[str, None] = {}
        self._aliases = 0
        self._problems: dict[Problem, None] = {}

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The problems noted so far, each once, in the order they were found."""
        return tuple(self._problems)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is odd about the source and does not matter much: each sentence once."""
        return tuple(self._remarks)

    def note(self, problem: Problem) -> None:
        """Remember a problem."""
        self._problems.setdefault(problem)

    def note_unknown(self, place: Place, subject: str, message: str, name: str, known: Iterable[str]) -> None:
        """Remember that a name is unknown, with the names that it may stand for."""
        self.note(unknown_name(place, subject, message, name, known))

    def alias(self) -> str:
        """A table alias that nothing else in the statement has."""
        self._aliases += 1
        return f"t{self._aliases}"

    def model(self, key: str, place: Place, subject: str) -> Scope | None:
        """The rows of a model, or None if it or its table does not exist."""
        model = self._project.models.get(key)
        if model is None:
            known = self._project.models
            self.note_unknown(place, subject, f"There is no model {key!r}.", key, known)
            return None
        table = self.table(model.table, model.place, f"model {key!r}")
        return None if table is None else Scope(model, table, self.alias())

    def table(self, name: str, place: Place, subject: str) -> Table | None:
        """A table of the source, or None if it does not exist."""
        try:
            return self._source.table(name)
        except MissingTableError as error:
            self.note_unknown(place, subject, str(error), name, error.known)
            return None

    def column(self, scope: Scope, name: str, place: Place, subject: str) -> TypedColumn | None:
        """A column of a model's rows, or None if it does not exist."""
        found = self.column_of(scope.table, scope.alias, name)
        if found is None:
            message = f"The table {scope.model.table!r} has no column {name!r}."
            self.note_unknown(place, subject, message, name, scope.table.columns)
        return found

    def value(
        self, scope: Scope, name: str, wanted: Wanted, place: Place, subject: str
    ) -> TypedColumn | None:
        """A column of a model's rows for a comparison: untyped text as what the comparison needs.

        None, with a problem noted, if the column does not exist or too much of it is something else.
        """
        found = self.column(scope, name, place, subject)
        if found is None or not found.type.is_untyped or scope.table.untyped is None:
            return found
        problem = None
        for each in ("moment", "number") if wanted == "order" else (wanted,):
            read = self._read(scope, found, each)
            if not isinstance(read, Problem):
                return read
            problem = problem or replace(read, place=place, subject=subject)
        if problem:
            self.note(problem)
        return None

    def _read(self, scope: Scope, found: TypedColumn, wanted: Wanted) -> TypedColumn | Problem:
        """An untyped column, read as wanted or declared; why it cannot be, if it cannot."""
        name = found.expression.name
        declared = look_up(name, scope.model.fields)
        read = conversion(found.expression, wanted, declared[1] if declared else None, self._zone)
        if read is None or scope.table.untyped is None:
            return found
        fits, *forms = (_without_table(each) for each in (read.fits, *read.forms.values()))
        misfits = scope.table.untyped.misfits(
            scope.table.parts[-1], name, fits, dict(zip(read.forms, forms, strict=True))
        )
        sentence = _sentence(name, read, misfits)
        if misfits.misfits > misfits.values * MAX_MISFIT_SHARE:
            return Problem(scope.model.place, "", sentence, hint=_hint(name, read, declared))
        if misfits.misfits:
            self._remarks[f"{sentence} They count as blank."] = None
        return TypedColumn(*read.typed(misfits.values - misfits.misfits, misfits.forms))

    def column_of(self, table: Table, alias: str, name: str) -> TypedColumn | None:
        """A column, its name in any case, of the table under an alias; None, and no problem, without one."""
        found = look_up(name, table.columns)
        return None if found is None else TypedColumn(column(alias, found[0]), found[1])

    def comparable(
        self, left: TypedColumn, right: TypedColumn, what: str, place: Place, subject: str
    ) -> tuple[exp.Expr, exp.Expr] | None:
        """Two columns as expressions that compare, or None if their types do not; `what` compares them."""
        if left.type.family != right.type.family:
            message = f"{what} compares {left.type.type} with {right.type.type}."
            hint = "Use columns of the same type."
            self.note(Problem(place, subject, message, hint=hint))
            return None
        if left.type.type == right.type.type:
            return left.expression, right.expression
        return as_text(left.expression, left.type), as_text(right.expression, right.type)


MAX_MISFIT_SHARE = 0.01
"""The share of an untyped column's values that may be something else than a condition needs."""

_UNTELLING = re.compile(r"[\d\s/.,:+\-TZ%€$£]{1,30}|[A-Za-z/ ]{1,12}")


def _sentence(column: str, read: Conversion, found: Misfits) -> str:
    """What does not fit and where; a value that may identify a person is not shown."""
    is_shown = found.example and not found.example.isdigit() and _UNTELLING.fullmatch(found.example)
    example = "" if not is_shown else f", such as {found.example!r}"
    place = f" ({found.place})" if found.place else ""
    return (
        f"In the column {column!r}, {found.misfits:,} of {counted(found.values, 'value')}"
        f" {'is' if found.misfits == 1 else 'are'} not {read.title}{example}{place}."
    )


def _hint(column: str, read: Conversion, declared: object) -> str:
    if declared:
        return "Change the `format` in the model's `fields`, or the file."
    example = (
        '{type: number, format: "1.234,56"}' if read.title == NUMBER else '{type: date, format: "%m/%d/%Y"}'
    )
    return f"Declare in the model how to read it, for example fields: {{{column}: {example}}}."


def _without_table(condition: exp.Expr) -> exp.Expr:
    """A condition on a column of a table under an alias, for a statement that reads this table alone."""
    found = condition.copy()
    for column_ in found.find_all(exp.Column):
        column_.set("table", None)
    return found
