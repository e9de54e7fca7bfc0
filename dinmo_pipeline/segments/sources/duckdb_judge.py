"""Whether a `sql` segment only reads, by DuckDB's own parser and its list of functions.

DuckDB refuses files and changed settings too: external access is off, and the configuration is locked.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import duckdb

from dinmo_pipeline.segments.sql.statements import RefusedSqlError, calls
from dinmo_pipeline.text.wording import shown

# Table functions are refused but for these: others read files, run text as SQL, or change DuckDB.
_HARMLESS_TABLE_FUNCTIONS = frozenset(
    {
        *("range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree"),
        *("summary", "pg_timezone_names", "icu_calendar_names", "test_all_types", "pragma_table_info"),
        *("duckdb_columns", "duckdb_constraints", "duckdb_databases", "duckdb_functions", "duckdb_indexes"),
        *("duckdb_keywords", "duckdb_schemas", "duckdb_sequences", "duckdb_tables", "duckdb_types"),
        *("duckdb_views", "pragma_show", "pragma_version"),
    }
)
# Volatile functions are refused but for these, which return something and do nothing.
_HARMLESS_VOLATILE_FUNCTIONS = frozenset(
    {
        *("random", "uuid", "gen_random_uuid", "uuidv4", "uuidv7", "currval", "error", "stats"),
        *("current_query", "current_connection_id", "current_query_id", "current_transaction_id"),
        "vector_type",
    }
)
# A WITH can contain an INSERT_QUERY_NODE.
_WRITING_NODE = "_QUERY_NODE"
_LIKE_A_FILE = re.compile(r"[./\\*?]")
_TABLES = """
    SELECT lower(table_name) FROM information_schema.tables
    WHERE lower(table_name) IN (SELECT lower(unnest($names::VARCHAR[])))
"""
_FUNCTIONS = """
    SELECT DISTINCT function_name, function_type, macro_definition,
           stability = 'VOLATILE' OR coalesce(has_side_effects, false) AS is_volatile
    FROM duckdb_functions() WHERE function_name IN (SELECT unnest($names::VARCHAR[]))
"""


def judge_select(connection: duckdb.DuckDBPyConnection, select: str) -> None:
    """Refuse a text that DuckDB does not read as one SELECT, or that calls more than reading takes.

    Raises:
        RefusedSqlError: it is refused.
        duckdb.Error: DuckDB cannot parse it.
    """
    statements = connection.extract_statements(select)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        kind = statements[0].type.name if len(statements) == 1 else "several statements"
        raise RefusedSqlError(f"must be exactly one SELECT, but is {kind}.")
    _judge(connection, select, set())


def tables_in(connection: duckdb.DuckDBPyConnection, select: str) -> Iterator[tuple[str, ...]]:
    """The tables that a SELECT names, in parts; also those that its own WITH defines."""
    for node in _nodes(_syntax(connection, select)):
        if node.get("type") == "BASE_TABLE":
            yield tuple(
                filter(None, (node.get(part) for part in ("catalog_name", "schema_name", "table_name")))
            )


def tables_defined_in(connection: duckdb.DuckDBPyConnection, select: str) -> set[str]:
    """The names that the WITH clauses of a SELECT define, in lower case."""
    maps = (node["cte_map"] for node in _nodes(_syntax(connection, select)) if "cte_map" in node)
    return {entry["key"].casefold() for each in maps for entry in each["map"]}


def _judge(connection: duckdb.DuckDBPyConnection, select: str, judged: set[str]) -> None:
    """Judge a text, and the macros that it calls; `judged` are the functions that were, and grows."""
    nodes = list(_nodes(_syntax(connection, select)))
    for node in nodes:
        kind = str(node.get("type"))
        if kind.endswith(_WRITING_NODE):
            raise RefusedSqlError(f"must only read, but contains {kind.removesuffix(_WRITING_NODE)}.")
    _refuse_files(connection, nodes)
    new = {node["function_name"].casefold() for node in nodes if node.get("function_name")} - judged
    judged |= new
    for name, kind, definition, is_volatile in connection.execute(
        _FUNCTIONS, {"names": sorted(new)}
    ).fetchall():
        if kind in ("table", "pragma") and name not in _HARMLESS_TABLE_FUNCTIONS:
            raise calls(name)
        if is_volatile and name not in _HARMLESS_VOLATILE_FUNCTIONS:
            raise calls(name)
        if definition and kind in ("macro", "table_macro"):
            body = definition if kind == "table_macro" else f"SELECT ({definition})"
            _judge(connection, body, judged)


def _refuse_files(connection: duckdb.DuckDBPyConnection, nodes: list[dict[str, Any]]) -> None:
    """Refuse a table whose name is that of a file, unless there is such a table: DuckDB reads the file."""
    names = {str(node["table_name"]) for node in nodes if node.get("type") == "BASE_TABLE"}
    files = sorted(name for name in names if _LIKE_A_FILE.search(name))
    known = connection.execute(_TABLES, {"names": files}).fetchall() if files else []
    for name in files:
        if (name.casefold(),) not in known:
            raise RefusedSqlError(f"must only read tables, but reads the file '{shown(name)}'.")


def _syntax(connection: duckdb.DuckDBPyConnection, select: str) -> Any:
    """DuckDB's syntax tree of a SELECT."""
    ((written,),) = connection.execute("SELECT json_serialize_sql($1::VARCHAR)", [select]).fetchall()
    tree = json.loads(written)
    if tree["error"]:
        raise RefusedSqlError(f"must be exactly one SELECT. DuckDB: {tree['error_message']}")
    return tree


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object in a tree, without recursion: an author's conditions may be nested deeply."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            yield node
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
