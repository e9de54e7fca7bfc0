"""Values as SQL literals made by sqlglot: the only way a declared value enters a statement."""

from datetime import date, datetime
from decimal import Decimal

from sqlglot import exp

from dinmo_pipeline.segments.sql.clock import Clock
from dinmo_pipeline.segments.sql.columns import ColumnType


def text(value: str) -> exp.Expr:
    """A text literal. sqlglot escapes what is special in the dialect: quotes and backslashes.

    >>> text("it's").sql(dialect="duckdb")
    "'it''s'"
    """
    return exp.Literal.string(value)


def number(value: int | Decimal) -> exp.Expr:
    """An exact number in plain digits; negative ones in parentheses, so `- -1` is not a comment."""
    literal = exp.Literal.number(format(abs(Decimal(value)), "f"))
    return exp.Paren(this=exp.Neg(this=literal)) if value < 0 else literal


def day(value: date) -> exp.Expr:
    """A date."""
    return exp.cast(text(value.isoformat()), exp.DataType.Type.DATE)


def instant(value: datetime, column: ColumnType, clock: Clock) -> exp.Expr:
    """An instant as a column holds it: with its offset, or on the time zone's wall clock."""
    if column.kind == "timestamptz":
        stamp = value.isoformat(sep=" ")
        return exp.cast(text(stamp), exp.DataType.Type.TIMESTAMPTZ)
    return wall(clock.wall(value))


def wall(value: datetime) -> exp.Expr:
    """A wall clock time without an offset."""
    return exp.cast(text(value.isoformat(sep=" ")), exp.DataType.Type.TIMESTAMPNTZ)
