"""Which names a condition may use: the models, their tables as the source has them, and what is wrong."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlglot import exp

from dinmo_pipeline.config.declarations import Model, Project
from dinmo_pipeline.config.strict_yaml.problems import Place, Problem
from dinmo_pipeline.segments.errors import MissingTableError
from dinmo_pipeline.segments.sources.opening import OpenSource
from dinmo_pipeline.segments.sql.columns import ColumnType, Table
from dinmo_pipeline.segments.sql.identifiers import column, look_up, table_expression
from dinmo_pipeline.text.wording import nearest, suggestion


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


class Findings:
    """The problems of one segment, each once, in the order they were found."""

    def __init__(self) -> None:
        self._problems: dict[Problem, None] = {}

    def add(self, problem: Problem) -> None:
        """Note a problem."""
        self._problems.setdefault(problem)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All of them."""
        return tuple(self._problems)


class Catalog:
    """The source's tables and columns, looked up by the names that are declared."""

    def __init__(self, project: Project, source: OpenSource, findings: Findings) -> None:
        self._project = project
        self._source = source
        self._findings = findings
        self._aliases = 0

    def alias(self) -> str:
        """A table alias that nothing else in the statement has."""
        self._aliases += 1
        return f"t{self._aliases}"

    def model(self, key: str, place: Place, subject: str) -> Scope | None:
        """The rows of a model; None, with a problem noted, if it or its table does not exist."""
        model = self._project.models.get(key)
        if model is None:
            self.missing(place, subject, f"there is no model {key!r}", key, self._project.models)
            return None
        table = self.table(model.table, model.place, f"model {key!r}")
        return None if table is None else Scope(model, table, self.alias())

    def table(self, name: str, place: Place, subject: str) -> Table | None:
        """A table of the source; None, with a problem noted, if it has none of that name."""
        try:
            return self._source.table(name)
        except MissingTableError as error:
            message = f"the source has no table {name!r}"
            self.missing(place, subject, message, name, error.nearest)
            return None

    def column(self, scope: Scope, name: str, place: Place, subject: str) -> TypedColumn | None:
        """A column of a model's rows; None, with a problem noted, if the table has none of that name."""
        found = self.column_of(scope.table, scope.alias, name)
        if found is None:
            message = f"the table {scope.model.table!r} has no column {name!r}"
            self.missing(place, subject, message, name, scope.table.columns)
        return found

    def column_of(self, table: Table, alias: str, name: str) -> TypedColumn | None:
        """A column of a table that goes by an alias, in any upper and lower case; None if there is none."""
        found = look_up(name, table.columns)
        return None if found is None else TypedColumn(column(alias, found[0]), found[1])

    def missing(
        self, place: Place, subject: str, message: str, name: str, choices: Iterable[str]
    ) -> None:
        """Note that a name is unknown, and the names that it may have meant."""
        choices = tuple(choices)
        close = nearest(name, choices, limit=3)
        hint = suggestion(name, choices, limit=3)
        few = choices if len(choices) <= _MOST_SHOWN else close
        self._findings.add(Problem(place, subject, message, value=name, allowed=few, hint=hint))


_MOST_SHOWN = 30
