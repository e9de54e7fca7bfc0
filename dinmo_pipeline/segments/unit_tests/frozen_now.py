"""A `sql` segment as it would run on DuckDB at another moment, for its unit tests."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sqlglot import exp

from dinmo_pipeline.segments.sql.literals import day, text, wall
from dinmo_pipeline.segments.sql.statements import parse_select

_CLOCK_FUNCTIONS = ("now", "get_current_timestamp", "statement_timestamp", "transaction_timestamp")


def on_duckdb(sql: str, dialect: str, now: datetime) -> str:
    """The SELECT in DuckDB's dialect, with `now` in place of the current day and time.

    Days are in UTC, as on an open source, unless the SQL names a time zone.

    Raises:
        RefusedSqlError: it is not one SELECT that only reads.
    """
    query = parse_select(sql, dialect).transform(lambda node: _at(node, now))
    return query.sql(dialect="duckdb", comments=False)


def _at(node: exp.Expr, now: datetime) -> exp.Expr:
    match node:
        case exp.CurrentDate():
            return day(_local(node, now).date())
        case exp.CurrentDatetime() | exp.Localtimestamp():
            return wall(_local(node, now).replace(tzinfo=None))
        case exp.CurrentTimestamp():
            return _instant(now)
        case exp.Anonymous() if node.name.casefold() in _CLOCK_FUNCTIONS:
            return _instant(now)
    return node


def _local(node: exp.Expr, now: datetime) -> datetime:
    """`now` in the time zone that the function names, or in UTC."""
    zone = node.args.get("this")
    is_named = isinstance(zone, exp.Literal) and zone.is_string
    return now.astimezone(ZoneInfo(zone.name) if is_named and zone is not None else UTC)


def _instant(now: datetime) -> exp.Expr:
    return exp.cast(text(now.isoformat(sep=" ")), exp.DataType.Type.TIMESTAMPTZ)
