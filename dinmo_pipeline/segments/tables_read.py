"""Which tables of the source a segment reads, by their declared names."""

from collections.abc import Iterator
from typing import Self

import duckdb
from sqlglot import exp

from dinmo_pipeline.config.declarations import Project, Segment
from dinmo_pipeline.config.lineage import uses_of
from dinmo_pipeline.config.models import table_name
from dinmo_pipeline.segments.sources.duckdb_judge import tables_defined_in, tables_in
from dinmo_pipeline.segments.sources.duckdb_source import SEALED
from dinmo_pipeline.segments.sql.identifiers import split_table_name
from dinmo_pipeline.segments.sql.statements import RefusedSqlError, one_select, parsed_select

TableId = tuple[str, ...]
"""The parts of a table's name in lower case: the same for every way of writing it."""


def table_id(name: str) -> TableId:
    """The parts of a name.

    >>> table_id('Analytics."Trialists"')
    ('analytics', 'trialists')
    """
    parts = split_table_name(name)
    return tuple(part.casefold() for part, _ in parts) if parts else (name.casefold(),)


def declared_dialect(project: Project) -> str:
    """The dialect of `sql` segments: DuckDB's for files."""
    type_ = project.source.type
    return "duckdb" if type_ in ("duckdb", "parquet", "csv") else type_


def tables_read(project: Project, segment_key: str) -> tuple[str, ...]:
    """The tables that a segment reads, each once, including through relations and `in_segment`.

    A `sql` segment that does not parse reads none: compiling it reports why.
    """
    with SqlTables(project) as sql_tables:
        return sql_tables.read_by(project, segment_key)


class SqlTables:
    """Reads which tables `sql` segments name, with one DuckDB for all of them: to open it takes 50 ms."""

    def __init__(self, project: Project) -> None:
        self._dialect = declared_dialect(project)
        self._connection: duckdb.DuckDBPyConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection:
            self._connection.close()

    def read_by(self, project: Project, segment_key: str) -> tuple[str, ...]:
        """The tables that a segment reads, as `tables_read` has them."""
        uses = uses_of(segment_key, project.segments, project.models)
        names = [project.models[key].table for key in uses.models]
        for key in uses.segments:
            names += self.named_by(project.segments[key])
        return tuple({table_id(name): name for name in reversed(names)}.values())[::-1]

    def named_by(self, segment: Segment) -> tuple[str, ...]:
        """The tables that a segment names itself, not by its model."""
        if segment.table is not None:
            return (segment.table,)
        return tuple(self._of_sql(segment.sql)) if segment.sql is not None else ()

    def _of_sql(self, sql: str) -> Iterator[str]:
        if self._dialect == "duckdb" and self._connection is None:
            self._connection = duckdb.connect(":memory:", config=SEALED)
        return _tables_of_sql(sql, self._dialect, self._connection)


def _tables_of_sql(sql: str, dialect: str, connection: duckdb.DuckDBPyConnection | None) -> Iterator[str]:
    try:
        select = one_select(sql, dialect)
        if connection is not None:
            own = tables_defined_in(connection, select)
            tables = list(tables_in(connection, select))
        else:
            query = parsed_select(select, dialect)
            own = {cte.alias.casefold() for cte in query.find_all(exp.CTE)} if query else set()
            named = query.find_all(exp.Table) if query else ()
            tables = [
                tuple(part.name for part in table.parts)
                for table in named
                if isinstance(table.this, exp.Identifier)  # not a function
            ]
    except (RefusedSqlError, duckdb.Error):
        return
    for parts in tables:
        if len(parts) > 1 or parts[0].casefold() not in own:
            yield table_name(parts)
