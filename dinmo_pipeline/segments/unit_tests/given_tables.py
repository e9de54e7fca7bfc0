"""The tables of a segment's test, made in a DuckDB in memory."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
from sqlglot import exp
from sqlglot.errors import SqlglotError

from dinmo_pipeline.config.declarations import GivenTable, Project, SegmentTest
from dinmo_pipeline.config.strict_yaml.problems import Place, Problem
from dinmo_pipeline.segments.errors import SegmentError
from dinmo_pipeline.segments.sources.duckdb_source import DIALECT, SEALED, DuckDBSource, seal
from dinmo_pipeline.segments.sql import literals
from dinmo_pipeline.segments.sql.identifiers import (
    identifier,
    look_up,
    split_table_name,
    table_expression,
)
from dinmo_pipeline.segments.unit_tests.given_columns import Columns
from dinmo_pipeline.segments.unit_tests.tables_read import TableId, table_id, tables_read
from dinmo_pipeline.text.wording import suggestion


@dataclass(frozen=True, slots=True)
class MadeTable:
    """A table to make: its name in parts, its columns, and the rows given, if any."""

    parts: tuple[str, ...]
    columns: Columns
    given: GivenTable | None


def tables_of(
    project: Project, test: SegmentTest, known: Mapping[TableId, Columns]
) -> list[MadeTable]:
    """The tables that the segment reads, and those of other models that rows are given for.

    Raises:
        SegmentError: a table or a column that rows are given for does not exist.
    """
    given = {table_id(table.table): table for table in test.given}
    read = {table_id(name): name for name in tables_read(project, test.segment)}
    problems = [
        _problem(
            test,
            table.place,
            f"The segment reads no table {table.table!r}.",
            read.values(),
            table.table,
        )
        for id_, table in given.items()
        if table.model is None and id_ not in read
    ]
    others = {id_: table.table for id_, table in given.items() if known.get(id_)}
    names = {**others, **read}
    for id_, name in names.items():
        columns = known.get(id_, {})
        if not columns:
            message = f"Nothing is known of the columns of the table {name!r}."
            hint = "The source does not tell: give at least one row of it, in this or another test."
            problems.append(Problem(test.place, _subject(test), message, hint=hint))
        elif id_ in given:
            problems += _unknown_columns(test, given[id_], columns)
    if problems:
        raise SegmentError(problems)
    return [MadeTable(_parts(name), known[id_], given.get(id_)) for id_, name in names.items()]


def _unknown_columns(test: SegmentTest, table: GivenTable, columns: Columns) -> Iterator[Problem]:
    for row in table.rows:
        for column in row.values:
            if look_up(column, columns) is None:
                message = f"The table {table.table!r} has no column {column!r}."
                yield _problem(test, row.place, message, columns, column)


def _problem(
    test: SegmentTest, place: Place, message: str, choices: Iterable[str], name: str
) -> Problem:
    hint = suggestion(name, choices, limit=3)
    return Problem(place, _subject(test), message, allowed=tuple(choices), hint=hint)


def _subject(test: SegmentTest) -> str:
    return f"test {test.key!r}"


def _parts(name: str) -> tuple[str, ...]:
    parts = split_table_name(name)
    return tuple(part for part, _ in parts) if parts else (name,)


@contextmanager
def warehouse_of(test: SegmentTest, tables: Iterable[MadeTable]) -> Iterator[DuckDBSource]:
    """A DuckDB in memory with these tables and their rows, opened as a source is.

    Raises:
        SegmentError: rows do not fit their table.
    """
    connection = duckdb.connect(":memory:", config=SEALED)
    try:
        # Times without an offset are on the wall clock of the test, as they are in conditions.
        zone = literals.text(test.timezone).sql(dialect=DIALECT)
        connection.execute(f"SET TimeZone = {zone}")
        for table in tables:
            _make(connection, test, table)
        seal(connection)
        yield DuckDBSource(connection)
    finally:
        connection.close()


def _make(connection: duckdb.DuckDBPyConnection, test: SegmentTest, table: MadeTable) -> None:
    place = table.given.place if table.given else test.place
    try:
        for statement in _statements(table):
            connection.execute(statement)
        for row in table.given.rows if table.given else ():
            place = row.place
            connection.execute(_insert(table, row.values), list(row.values.values()))
    except (duckdb.Error, SqlglotError) as error:
        message = f"The rows of {'.'.join(table.parts)!r} do not fit it: {_first_line(error)}"
        raise SegmentError([Problem(place, _subject(test), message)]) from error


def _statements(table: MadeTable) -> Iterator[str]:
    """What makes the table, and before it the database and the schema in its name."""
    *schema, _ = table.parts
    if len(schema) > 1:
        attached = identifier(schema[0]).sql(dialect=DIALECT)
        yield f"ATTACH IF NOT EXISTS ':memory:' AS {attached}"
    if schema:
        name = table_expression(tuple(schema))
        yield exp.Create(this=name, kind="SCHEMA", exists=True).sql(dialect=DIALECT)
    columns = [
        exp.ColumnDef(this=identifier(name), kind=exp.DataType.build(type_, dialect=DIALECT))
        for name, type_ in table.columns.items()
    ]
    shape = exp.Schema(this=table_expression(table.parts), expressions=columns)
    yield exp.Create(this=shape, kind="TABLE", exists=True).sql(dialect=DIALECT)


def _insert(table: MadeTable, columns: Iterable[str]) -> str:
    """One row, its values bound: DuckDB casts each to the type of its column."""
    names = [identifier(name) for name in columns]
    values = exp.Tuple(expressions=[exp.Placeholder() for _ in names])
    return exp.Insert(
        this=exp.Schema(this=table_expression(table.parts), expressions=names),
        expression=exp.Values(expressions=[values]),
    ).sql(dialect=DIALECT)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
