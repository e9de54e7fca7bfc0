"""What is wrong with the text of `sql` segments, as far as it shows without asking the warehouse."""

from collections.abc import Iterator

from dinmo_pipeline.config.declarations import Project, Source
from dinmo_pipeline.config.strict_yaml.problems import Problem
from dinmo_pipeline.segments.sources.warehouses import WAREHOUSES
from dinmo_pipeline.segments.sql.statements import RefusedSqlError, one_select, refuse_writing


def problems_in_sql(project: Project) -> Iterator[Problem]:
    """The `sql` segments that are not one SELECT which only reads.

    A text that sqlglot cannot read is none of them: what it means only the warehouse knows.
    """
    for segment in project.segments.values():
        if segment.sql is None:
            continue
        try:
            refuse_writing(one_select(segment.sql, dialect_of(project.source)), dialect_of(project.source))
        except RefusedSqlError as error:
            yield Problem(segment.place, f"segment {segment.key!r}", f"Its SQL {error}")


def dialect_of(source: Source) -> str:
    """The dialect of a declared source, as sqlglot calls it: files are read by DuckDB."""
    return source.type if source.type in WAREHOUSES else "duckdb"
