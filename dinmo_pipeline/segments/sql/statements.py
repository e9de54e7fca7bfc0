"""A `sql` segment parsed as exactly one SELECT, or refused.

The statement that runs is written from what was parsed, without comments. So the warehouse never sees text
that it might read differently.
"""

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError

from dinmo_pipeline.text.wording import counted

_QUERIES = (exp.Select, exp.SetOperation, exp.Subquery)

# Nodes that write, lock or command, at any depth: in PostgreSQL a WITH can contain an INSERT.
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

# Functions that read files, run text as SQL, reach other servers, change settings or state, take locks, or
# stop other sessions. A read-only connection stops most of them too; this is the first of two walls.
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
    """The text is not one SELECT that only reads; the message continues `The statement …`."""


def parse_select(sql: str, dialect: str) -> exp.Query:
    """The one SELECT in a text; WITH and UNION are fine.

    Raises:
        RefusedSqlError: it does not parse, is not exactly one SELECT, or does more than read.
    """
    try:
        parsed = sqlglot.parse(sql, dialect=dialect)
    except ParseError as error:
        raise RefusedSqlError(f"does not parse as {dialect} SQL: {_first_error(error)}") from error
    except SqlglotError as error:
        raise RefusedSqlError(f"does not parse as {dialect} SQL: {error}.") from error
    except RecursionError:
        raise RefusedSqlError("is nested too deeply.") from None
    # To sqlglot, a comment after the last semicolon is a statement.
    statements = [each for each in parsed if each is not None and not isinstance(each, exp.Semicolon)]
    if len(statements) != 1:
        raise RefusedSqlError(f"must be exactly one SELECT, but has {counted(len(statements), 'statement')}.")
    (query,) = statements
    if not isinstance(query, _QUERIES):
        raise RefusedSqlError(f"must be a SELECT, but is {_keyword(query)}.")
    for node in query.walk():
        _check(node)
    return query


def _check(node: exp.Expr) -> None:
    for refused, name in _REFUSED_NODES.items():
        if isinstance(node, refused):
            raise RefusedSqlError(f"must only read, but contains {name}.")
    if isinstance(node, exp.Func):
        for name in _function_names(node):
            if name.startswith(_REFUSED_PREFIXES) or name in _REFUSED_FUNCTIONS:
                raise RefusedSqlError(f"must only read tables, but calls {name}().")


def _function_names(node: exp.Func) -> list[str]:
    """The names of a function; one that sqlglot has a class for has several."""
    if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc):
        name = node.this
        return [(name.name if isinstance(name, exp.Expr) else str(name)).casefold()]
    return [name.casefold() for name in node.sql_names()]


def _keyword(statement: exp.Expr) -> str:
    word = statement.this if isinstance(statement, exp.Command) else statement.key
    return str(word).upper()


def _first_error(error: ParseError) -> str:
    """The first error of several, without sqlglot's terminal colours."""
    if not error.errors:
        return str(error)
    first = error.errors[0]
    return f"{first['description']} Line {first['line']}, column {first['col']}."
