"""Which tables of the source a segment reads, by their declared names."""

from collections.abc import Iterator

import duckdb
from sqlglot import exp

from dinmo_pipeline.config.declarations import Project
from dinmo_pipeline.config.lineage import uses_of
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
    uses = uses_of(segment_key, project.segments, project.models)
    names = [project.models[key].table for key in uses.models]
    for key in uses.segments:
        segment = project.segments[key]
        if segment.table is not None:
            names.append(segment.table)
        elif segment.sql is not None:
            names += _tables_of_sql(segment.sql, declared_dialect(project))
    return tuple({table_id(name): name for name in reversed(names)}.values())[::-1]


def _tables_of_sql(sql: str, dialect: str) -> Iterator[str]:
    try:
        select = one_select(sql, dialect)
        if dialect == "duckdb":
            with duckdb.connect(":memory:", config=SEALED) as connection:
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
            yield ".".join(map(_spelled, parts))


def _spelled(part: str) -> str:
    """A part of a name, in double quotes if it contains a dot or a quote."""
    quoted = part.replace('"', '""')
    return f'"{quoted}"' if "." in part or '"' in part else part
