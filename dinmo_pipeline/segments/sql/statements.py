"""A `sql` segment: exactly one SELECT, parsed, or refused.

What runs is written anew from what was parsed, without comments: a text that the warehouse might read in
another way than we do never reaches it.
"""

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError

_QUERIES = (exp.Select, exp.SetOperation, exp.Subquery)

# Nodes that write, lock or command, wherever they stand; a WITH can hold an INSERT in PostgreSQL.
_REFUSED_NODES: dict[type[exp.Expr], str] = {
    exp.Insert: "INSERT",
    exp.Update: "UPDATE",
    exp.Delete: "DELETE",
    exp.Merge: "MERGE",
    exp.Create: "CREATE",
    exp.Drop: "DROP",
    exp.Command: "a command",
    exp.Into: "SELECT INTO",
    exp.Lock: "a row lock (FOR UPDATE or FOR SHARE)",
}

# Functions that read files, run text as SQL, reach other servers, change settings or state, hold locks, or
# stop others. A read-only connection stops most of them too; this is the first of two walls.
_REFUSED_PREFIXES = (
    "dblink",
    "http_",
    "lo_",
    "mysql_",
    "parquet_",
    "pg_advisory",
    "pg_cancel",
    "pg_create_",
    "pg_drop_",
    "pg_file_",
    "pg_logical_",
    "pg_ls_",
    "pg_notify",
    "pg_promote",
    "pg_read_",
    "pg_reload",
    "pg_replication",
    "pg_rotate",
    "pg_sleep",
    "pg_stat_file",
    "pg_stat_reset",
    "pg_switch",
    "pg_terminate",
    "pg_try_advisory",
    "pg_wal_replay",
    "postgres_",
    "query_to_",
    "read_",
    "sqlite_",
    "system$",
    "table_to_",
    "database_to_",
    "schema_to_",
    "cursor_to_",
)
_REFUSED_FUNCTIONS = frozenset(
    {
        "checkpoint",
        "delta_scan",
        "disable_logging",
        "duckdb_secrets",
        "enable_logging",
        "external_query",
        "force_checkpoint",
        "getenv",
        "glob",
        "iceberg_scan",
        "nextval",
        "query",
        "query_table",
        "remote_query",
        "set_config",
        "setval",
        "sniff_csv",
        "truncate_duckdb_logs",
        "which_secret",
        "write_log",
        "xpath_table",
    }
)


class RefusedSqlError(Exception):
    """The text is not one SELECT that only reads; the message says what it is instead."""


def parse_select(sql: str, dialect: str) -> exp.Query:
    """The one SELECT that a text holds: WITH and UNION are fine.

    Raises:
        RefusedSqlError: it does not parse, is not exactly one SELECT, or would do more than read.
    """
    try:
        parsed = sqlglot.parse(sql, dialect=dialect)
    except ParseError as error:
        raise RefusedSqlError(f"does not parse as {dialect} SQL: {_first(error)}") from error
    except SqlglotError as error:
        raise RefusedSqlError(f"does not parse as {dialect} SQL: {error}") from error
    except RecursionError:
        raise RefusedSqlError("is nested too deeply") from None
    # A comment after the last semicolon is a statement to sqlglot.
    statements = [
        each for each in parsed if each is not None and not isinstance(each, exp.Semicolon)
    ]
    if len(statements) != 1:
        raise RefusedSqlError(f"must be exactly one SELECT, and holds {len(statements)} statements")
    (query,) = statements
    if not isinstance(query, _QUERIES):
        raise RefusedSqlError(f"must be a SELECT, and is {_kind(query)}")
    for node in query.walk():
        _check(node)
    return query


def _check(node: exp.Expr) -> None:
    for refused, name in _REFUSED_NODES.items():
        if isinstance(node, refused):
            raise RefusedSqlError(f"must only read, and holds {name}")
    if isinstance(node, exp.Func):
        for name in _function_names(node):
            if name.startswith(_REFUSED_PREFIXES) or name in _REFUSED_FUNCTIONS:
                raise RefusedSqlError(f"must only read tables, and calls {name}()")


def _function_names(node: exp.Func) -> list[str]:
    """What a function may be called; one that sqlglot has a class for goes by several names."""
    if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc):
        name = node.this
        return [(name.name if isinstance(name, exp.Expr) else str(name)).casefold()]
    return [name.casefold() for name in node.sql_names()]


def _kind(statement: exp.Expr) -> str:
    if isinstance(statement, exp.Command):
        return f"a command, {str(statement.this).upper()}"
    return f"a statement of another kind, {statement.key.upper()}"


def _first(error: ParseError) -> str:
    """The first error of several, without sqlglot's terminal colours."""
    if not error.errors:
        return str(error)
    first = error.errors[0]
    return f"{first['description']} Line {first['line']}, column {first['col']}."
