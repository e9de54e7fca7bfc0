"""A `sql` segment as it would run on DuckDB at another moment, for its unit tests.

DuckDB's own text stays as it is but for the calls of its clock. Another warehouse's text is translated, and
refused where the translation is known to lose something.
"""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sqlglot import exp

from dinmo_pipeline.segments.sql.literals import day, text, wall
from dinmo_pipeline.segments.sql.statements import RefusedSqlError, one_select, parsed_select, tokens_of

_INSTANTS = (
    *("now", "get_current_timestamp", "current_timestamp", "transaction_timestamp"),
    "statement_timestamp",
)
_DAYS = ("today", "current_date")
_WALL_CLOCKS = ("current_localtimestamp", "localtimestamp")
_WITHOUT_PARENTHESES = ("current_timestamp", "current_date", "localtimestamp")
_TIMES_OF_DAY = ("current_time", "localtime", "get_current_time", "current_localtime")
# What sqlglot translates: one number, a unit. It drops `ago`, clock times, and the months of `P6M`.
_CASTS_TO_INTERVAL = (["::", "interval"], ["as", "interval"])
_PLAIN_INTERVAL = re.compile(r"\s*[+-]?[0-9]+(\.[0-9]+)?(\s*[a-zA-Z]+)?\s*")


def on_duckdb(sql: str, dialect: str, now: datetime) -> str:
    """The SELECT in DuckDB's dialect, with `now` in place of the current day and time.

    Days are in UTC, as on an open source, unless the SQL names a time zone.

    Raises:
        RefusedSqlError: it is not one SELECT, or it cannot be made to run on DuckDB with the same meaning.
    """
    select = one_select(sql, dialect)
    if dialect == "duckdb":
        return _with_clock_replaced(select, now)
    _refuse_untranslatable(select, dialect)
    query = parsed_select(select, dialect)
    if query is None:
        raise RefusedSqlError(f"cannot be translated from {dialect} to DuckDB, which runs unit tests.")
    translated: str = query.transform(lambda node: _at(node, now)).sql(dialect="duckdb", comments=False)
    return translated


def _with_clock_replaced(select: str, now: datetime) -> str:
    """The text with a literal at the exact place of each call of the clock."""
    tokens = tokens_of(select, "duckdb")
    if tokens is None:
        raise RefusedSqlError("cannot be read: its quotes or comments do not end.")
    places: list[tuple[int, int, str]] = []
    for index, token in enumerate(tokens):
        name = token.text.casefold()
        before = tokens[index - 1].text.casefold() if index else ""
        following = [each.text for each in tokens[index + 1 : index + 3]]
        is_call = following == ["(", ")"]
        is_word = name in _WITHOUT_PARENTHESES and following[:1] != ["("]
        is_quoted = select[token.start] in "\"'$"
        if is_quoted or before in (".", "as") or not (is_call or is_word):
            continue
        if name in _TIMES_OF_DAY:
            raise RefusedSqlError(f"calls {name}, which cannot have another time in a unit test.")
        literal = _literal(name, now)
        if literal is not None:
            end = tokens[index + 2].end if is_call else token.end
            places.append((token.start, end + 1, literal.sql(dialect="duckdb")))
    for start, end, literal_text in reversed(places):
        select = f"{select[:start]}{literal_text}{select[end:]}"
    return select


def _literal(function: str, now: datetime) -> exp.Expr | None:
    """What a function of the clock returns at `now`; None for other functions."""
    if function in _DAYS:
        return day(now.astimezone(UTC).date())
    if function in _WALL_CLOCKS:
        return wall(now.astimezone(UTC).replace(tzinfo=None))
    return _instant(now) if function in _INSTANTS else None


def _refuse_untranslatable(select: str, dialect: str) -> None:
    """Refuse intervals that sqlglot writes with another meaning, such as `interval 'P6M'`."""
    tokens = tokens_of(select, dialect) or []
    words = [token.text.casefold() for token in tokens]
    for index, token in enumerate(tokens):
        is_text = select[token.start] in "'$"
        is_interval = words[index - 1] == "interval" or words[index + 1 : index + 3] in _CASTS_TO_INTERVAL
        if is_text and is_interval and not _PLAIN_INTERVAL.fullmatch(token.text):
            raise RefusedSqlError(
                f"has the interval '{token.text}', which cannot be translated to DuckDB for unit tests. Write"
                " it as one number and a unit."
            )


def _at(node: exp.Expr, now: datetime) -> exp.Expr:
    match node:
        case exp.CurrentDate():
            return day(_local(node, now).date())
        case exp.CurrentDatetime() | exp.Localtimestamp():
            return wall(_local(node, now).replace(tzinfo=None))
        case exp.CurrentTimestamp():
            return _instant(now)
        case exp.Anonymous() if node.name.casefold() in _INSTANTS:
            return _instant(now)
    return node


def _local(node: exp.Expr, now: datetime) -> datetime:
    """`now` in the time zone that the function names, or in UTC."""
    zone = node.args.get("this")
    is_named = isinstance(zone, exp.Literal) and zone.is_string
    return now.astimezone(ZoneInfo(zone.name) if is_named and zone is not None else UTC)


def _instant(now: datetime) -> exp.Expr:
    return exp.cast(text(now.isoformat(sep=" ")), exp.DataType.Type.TIMESTAMPTZ)
