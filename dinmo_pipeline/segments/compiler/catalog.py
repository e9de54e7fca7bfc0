"""The source's tables and columns by their declared names, and every problem found on the way."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlglot import exp

from dinmo_pipeline.config.declarations import Model, Project
from dinmo_pipeline.config.strict_yaml.problems import Place, Problem
from dinmo_pipeline.segments.compiler.comparisons import as_text
from dinmo_pipeline.segments.errors import MissingTableError, unknown_name
from dinmo_pipeline.segments.sources.opening import OpenSource
from dinmo_pipeline.segments.sql.columns import ColumnType, Table
from dinmo_pipeline.segments.sql.identifiers import column, look_up, table_expression


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

    def __init__(self, project: Project, source: OpenSource) -> None:
        self._project = project
        self._source = source
        self._aliases = 0
        self._problems: dict[Problem, None] = {}

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The problems noted so far, each once, in the order they were found."""
        return tuple(self._problems)

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
