"""The tables of a unit test, in an in-memory DuckDB."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
from sqlglot import exp
from sqlglot.errors import SqlglotError

from dinmo_pipeline.config.declarations import GivenTable, Project, SegmentTest
from dinmo_pipeline.config.strict_yaml.problems import Problem
from dinmo_pipeline.segments.errors import SegmentError, unknown_name
from dinmo_pipeline.segments.sources.duckdb_source import DIALECT, SEALED, DuckDBSource, seal
from dinmo_pipeline.segments.sql import literals
from dinmo_pipeline.segments.sql.identifiers import (
    identifier,
    look_up,
    split_table_name,
    table_expression,
)
from dinmo_pipeline.segments.tables_read import TableId, table_id, tables_read
from dinmo_pipeline.segments.unit_tests.inferred_columns import Columns


@dataclass(frozen=True, slots=True)
class MadeTable:
    """A table to make: its name in parts, its columns, and the rows given, if any."""

    parts: tuple[str, ...]
    columns: Columns
    given: GivenTable | None


def tables_of(project: Project, test: SegmentTest, known: Mapping[TableId, Columns]) -> list[MadeTable]:
    """The tables that the segment reads, and those of other models that rows are given for.

    Raises:
        SegmentError: a table or column that rows are given for does not exist.
    """
    given = {table_id(table.table): table for table in test.given}
    read = {table_id(name): name for name in tables_read(project, test.segment)}
    others = {id_: table.table for id_, table in given.items() if known.get(id_)}
    names = {**others, **read}
    problems = [
        *_tables_not_read(test, given, read),
        *(
            problem
            for id_, name in names.items()
            for problem in _column_problems(test, name, given.get(id_), known.get(id_, {}))
        ),
    ]
    if problems:
        raise SegmentError(problems)
    return [MadeTable(_parts(name), known[id_], given.get(id_)) for id_, name in names.items()]


def _tables_not_read(
    test: SegmentTest, given: Mapping[TableId, GivenTable], read: Mapping[TableId, str]
) -> Iterator[Problem]:
    for id_, table in given.items():
        if table.model is None and id_ not in read:
            message = f"The segment does not read a table {table.table!r}."
            yield unknown_name(table.place, _subject(test), message, table.table, read.values())


def _column_problems(
    test: SegmentTest, table: str, given: GivenTable | None, columns: Columns
) -> Iterator[Problem]:
    if not columns:
        message = f"The columns of the table {table!r} are unknown."
        hint = "Give at least one row of it, in this or another test."
        yield Problem(test.place, _subject(test), message, hint=hint)
        return
    for row in given.rows if given else ():
        for column in row.values:
            if look_up(column, columns) is None:
                message = f"The table {table!r} has no column {column!r}."
                yield unknown_name(row.place, _subject(test), message, column, columns)


def _subject(test: SegmentTest) -> str:
    return f"test {test.key!r}"


def _parts(name: str) -> tuple[str, ...]:
    parts = split_table_name(name)
    return tuple(part for part, _ in parts) if parts else (name,)


@contextmanager
def warehouse_of(test: SegmentTest, tables: Iterable[MadeTable]) -> Iterator[DuckDBSource]:
    """An in-memory DuckDB with these tables and their rows, as an open source.

    Raises:
        SegmentError: a row does not fit its table.
    """
    connection = duckdb.connect(":memory:", config=SEALED)
    try:
        # Times without an offset are on the wall clock of the test, as in conditions.
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
        message = f"A row does not fit the table {'.'.join(table.parts)!r}: {_first_line(error)}"
        raise SegmentError([Problem(place, _subject(test), message)]) from error


def _statements(table: MadeTable) -> Iterator[str]:
    """The statements that create the table, and first the database and schema in its name."""
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
    """Insert one row with its values bound: DuckDB casts each to its column's type."""
    names = [identifier(name) for name in columns]
    values = exp.Tuple(expressions=[exp.Placeholder() for _ in names])
    return exp.Insert(
        this=exp.Schema(this=table_expression(table.parts), expressions=names),
        expression=exp.Values(expressions=[values]),
    ).sql(dialect=DIALECT)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
