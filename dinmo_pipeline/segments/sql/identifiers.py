"""The one place that quotes, splits and looks up names of tables and columns."""

import re
from collections.abc import Mapping
from typing import TypeVar

from sqlglot import exp

_PART = re.compile(r'"((?:[^"]|"")+)"|([^."]+)')
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

Value = TypeVar("Value")


def identifier(name: str) -> exp.Identifier:
    """A quoted identifier: reserved words, quotes and dots are just part of the name.

    >>> identifier('na"me').sql(dialect="duckdb")
    '"na""me"'
    """
    return exp.to_identifier(name, quoted=True)


def column(alias: str, name: str) -> exp.Column:
    """A column of the table under `alias`, both quoted."""
    return exp.column(identifier(name), table=identifier(alias))


def table_expression(parts: tuple[str, ...], alias: str | None = None) -> exp.Expr:
    """A quoted table such as `("analytics", "trialists")`, under an alias if one is given."""
    names = [identifier(part) for part in parts]
    table = exp.Table(
        this=names[-1],
        db=names[-2] if len(names) > 1 else None,
        catalog=names[-3] if len(names) > 2 else None,  # noqa: PLR2004  # catalog.schema.table
    )
    return table if alias is None else exp.alias_(table, identifier(alias), table=True)


def split_table_name(name: str) -> tuple[tuple[str, bool], ...] | None:
    """The parts of `schema.table`, each with whether it was in double quotes; None if it is not a name.

    >>> split_table_name('analytics."my.table"')
    (('analytics', False), ('my.table', True))
    """
    if _CONTROL.search(name):  # NUL ends a statement early, and no table has one in its name
        return None
    parts: list[tuple[str, bool]] = []
    position = 0
    while match := _PART.match(name, position):
        quoted, plain = match.groups()
        parts.append((quoted.replace('""', '"'), True) if quoted else (plain.strip(), False))
        position = match.end() + 1
        if match.end() == len(name) or name[match.end()] != ".":
            break
    whole = bool(parts) and position == len(name) + 1 and len(parts) <= 3  # noqa: PLR2004
    return tuple(parts) if whole and all(part for part, _ in parts) else None


def look_up(name: str, entries: Mapping[str, Value]) -> tuple[str, Value] | None:
    """The entry of exactly that name, or else the only one that differs in case alone."""
    if name in entries:
        return name, entries[name]
    same = [key for key in entries if key.casefold() == name.casefold()]
    return (same[0], entries[same[0]]) if len(same) == 1 else None
