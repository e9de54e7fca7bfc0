"""The source's columns of the tables in unit tests, as DuckDB types."""

import re
from collections.abc import Mapping

from dinmo_pipeline.config.declarations import Project
from dinmo_pipeline.segments.errors import MissingTableError
from dinmo_pipeline.segments.sources.opening import OpenSource
from dinmo_pipeline.segments.sql.columns import ColumnKind, ColumnType
from dinmo_pipeline.segments.sql.identifiers import look_up
from dinmo_pipeline.segments.tables_read import TableId, table_id, tables_read
from dinmo_pipeline.segments.unit_tests.inferred_columns import EXACT, Columns, inferred_columns

_TYPES: Mapping[ColumnKind, str] = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "decimal": EXACT,
    "float": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
    "other": "VARCHAR",
}
_PRECISION_AND_SCALE = re.compile(r"\(\s*([0-9]+)\s*,\s*([0-9]+)\s*\)")


def columns_in_source(project: Project, source: OpenSource) -> dict[TableId, Columns]:
    """The source's columns of each table in a test; tables that do not exist there are left out.

    Raises:
        SourceError: the source does not answer.
    """
    found: dict[TableId, Columns] = {}
    inferred = inferred_columns(project) if project.source.type == "csv" else {}
    for name in _tables_of_tests(project):
        try:
            columns = source.columns(name)
        except MissingTableError:
            continue
        known = inferred.get(table_id(name), {})
        found[table_id(name)] = {
            column: _type_in_test(column, type_, known, source.dialect) for column, type_ in columns.items()
        }
    return found


def _type_in_test(column: str, type_: ColumnType, inferred: Columns, dialect: str) -> str:
    if type_.is_untyped and (found := look_up(column, inferred)):
        return found[1]
    return type_.type if dialect == "duckdb" else _duckdb_type(type_)


def _tables_of_tests(project: Project) -> list[str]:
    names: dict[TableId, str] = {}
    for test in project.tests.values():
        given = (table.table for table in test.given)
        for name in (*tables_read(project, test.segment), *given):
            names.setdefault(table_id(name), name)
    return list(names.values())


def _duckdb_type(type_: ColumnType) -> str:
    digits = _PRECISION_AND_SCALE.search(type_.type)
    if type_.kind == "decimal" and digits and int(digits[1]) <= 38:  # noqa: PLR2004  # DuckDB's widest
        return f"DECIMAL({digits[1]}, {digits[2]})"
    return _TYPES[type_.kind]
