"""The text of a `sql` segment: exactly one SELECT, which runs as its author wrote it.

What it means only the warehouse knows, so a source judges its texts itself (see `OpenSource.judge`). Here is
what a text shows without one: its tokens, and, where sqlglot can read it, its syntax.
"""

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokens import Token, TokenType  # type: ignore[attr-defined]  # documented to be there

from dinmo_pipeline.text.wording import counted

# What a query can begin with in any of the dialects.
_FIRST_WORDS = (
    *("SELECT", "WITH", "FROM", "VALUES", "TABLE", "("),
    *("PIVOT", "UNPIVOT", "DESCRIBE", "SHOW", "SUMMARIZE"),
)
_BLANKS = "\ufeff \t\r\n\v\f"

# Nodes that write or lock, at any depth: in PostgreSQL a WITH can contain an INSERT.
_REFUSED_NODES: dict[type[exp.Expr], str] = {
    exp.Insert: "INSERT",
    exp.Update: "UPDATE",
    exp.Delete: "DELETE",
    exp.Merge: "MERGE",
    exp.Create: "CREATE",
    exp.Drop: "DROP",
    exp.Into: "SELECT INTO",
    exp.Lock: "a row lock (FOR UPDATE or FOR SHARE)",
}
# Functions of warehouses without a read-only mode: they reach outside, or stop what others do.
_REFUSED_PREFIXES = ("http_", "read_", "system$")
_REFUSED_FUNCTIONS = frozenset({"external_query", "remote_query", "nextval", "setval", "set_config"})


class RefusedSqlError(Exception):
    """The text is not one SELECT that only reads; the message continues `The statement …`."""


def calls(function: str) -> RefusedSqlError:
    """The refusal of a function that does more than read tables."""
    return RefusedSqlError(f"must only read tables, but calls {function}().")


def one_select(sql: str, dialect: str) -> str:
    """The text of the only statement, without the semicolon after it; comments stay.

    Raises:
        RefusedSqlError: there are more or none, or it begins as no query does.
    """
    sql = sql.strip(_BLANKS)
    tokens = tokens_of(sql, dialect)
    if tokens is None:
        return sql
    ends = [token for token in tokens if token.token_type == TokenType.SEMICOLON]
    statements = _count_statements(tokens)
    if statements != 1:
        raise RefusedSqlError(f"must be exactly one SELECT, but has {counted(statements, 'statement')}.")
    for end in reversed(ends):
        sql = sql[: end.start] + " " + sql[end.end + 1 :]
    first = next(token for token in tokens if token.token_type != TokenType.SEMICOLON)
    if first.text.upper() not in _FIRST_WORDS:
        raise RefusedSqlError(f"must be a SELECT, but is {first.text.upper()}.")
    return sql


def tokens_of(sql: str, dialect: str) -> list[Token] | None:
    """The tokens of a text, with their places in it; None if sqlglot cannot tell them apart."""
    try:
        return list(sqlglot.tokenize(sql, dialect=dialect))
    except SqlglotError:
        return None


def called_names(sql: str, dialect: str) -> set[str]:
    """The names in front of an opening parenthesis, in lower case: all functions are among them.

    Raises:
        RefusedSqlError: sqlglot cannot find them.
    """
    tokens = tokens_of(sql, dialect)
    if tokens is None:
        raise RefusedSqlError("cannot be read: its quotes or comments do not end.")
    names = set()
    for before, name, after in zip([None, *tokens], tokens, tokens[1:], strict=False):
        if after.token_type == TokenType.L_PAREN:
            names.add(name.text.casefold())
            # PostgreSQL spells the name `a` as U&"\0061".
            if before is not None and before.token_type == TokenType.AMP and name.text.find("\\") >= 0:
                raise calls(f'U&"{name.text}"')
    return names


def parsed_select(sql: str, dialect: str) -> exp.Query | None:
    """The syntax of a text; None if sqlglot cannot read it, which says nothing about the warehouse."""
    try:
        parsed = sqlglot.parse_one(sql, dialect=dialect)
    except (SqlglotError, RecursionError):
        return None
    if not isinstance(parsed, exp.Query) or parsed.find(exp.Command):
        return None
    return parsed


def refuse_writing(sql: str, dialect: str) -> None:
    """Refuse what sqlglot recognises as writing or locking; raises RefusedSqlError."""
    parsed = parsed_select(sql, dialect)
    for node in parsed.walk() if parsed else ():
        for refused, name in _REFUSED_NODES.items():
            if isinstance(node, refused):
                raise RefusedSqlError(f"must only read, but contains {name}.")


def refuse_outreach(sql: str, dialect: str) -> None:
    """Refuse functions by name, for warehouses that cannot be asked; raises RefusedSqlError."""
    for name in sorted(called_names(sql, dialect)):
        if name.startswith(_REFUSED_PREFIXES) or name in _REFUSED_FUNCTIONS:
            raise calls(name)


def _count_statements(tokens: list[Token]) -> int:
    """The number of texts between semicolons that are not empty."""
    count, is_empty = 0, True
    for token in tokens:
        is_end = token.token_type == TokenType.SEMICOLON
        count += is_empty and not is_end
        is_empty = is_end
    return count
