"""Which tables of the source a segment reads, by their declared names."""

from collections.abc import Iterator

from sqlglot import exp

from dinmo_pipeline.config.declarations import Project
from dinmo_pipeline.config.lineage import uses_of
from dinmo_pipeline.segments.sql.identifiers import split_table_name
from dinmo_pipeline.segments.sql.statements import RefusedSqlError, parse_select

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
        query = parse_select(sql, dialect)
    except RefusedSqlError:
        return
    own = {cte.alias.casefold() for cte in query.find_all(exp.CTE)}
    for table in query.find_all(exp.Table):
        is_function = not isinstance(table.this, exp.Identifier)
        if not is_function and (table.db or table.name.casefold() not in own):
            yield ".".join(_spelled(part.name) for part in table.parts)


def _spelled(part: str) -> str:
    """A part of a name, in double quotes if it contains a dot or a quote."""
    quoted = part.replace('"', '""')
    return f'"{quoted}"' if "." in part or '"' in part else part
