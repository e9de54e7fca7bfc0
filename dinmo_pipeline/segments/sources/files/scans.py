"""Names of files and columns in DuckDB's SQL."""

import re
from pathlib import Path

from sqlglot import exp

from dinmo_pipeline.segments.sql.identifiers import identifier


def literal(text: str | None) -> str:
    """Text as a literal, or NULL.

    >>> literal("it's")
    "'it''s'"
    """
    return "NULL" if text is None else exp.Literal.string(text).sql(dialect="duckdb")


def name_of(column: str) -> str:
    """The name of a table or column, in quotes."""
    return identifier(column).sql(dialect="duckdb")


def glob_of(path: Path) -> str:
    """The pattern that only this file matches: DuckDB takes `[`, `]`, `*` and `?` in a name for one.

    >>> glob_of(Path("orders [ab].csv"))
    'orders [[]ab].csv'
    """
    return re.sub(r"([*?[])", r"[\1]", str(path))
