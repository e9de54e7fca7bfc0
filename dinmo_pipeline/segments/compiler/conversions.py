"""Untyped text as what a condition compares it with: a number, a day, a moment, or true and false.

By ISO 8601 and plain decimal notation, or by the format that the model declares. DuckDB runs all of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, TypeAlias

from sqlglot import exp

from dinmo_pipeline.config.declarations import FieldFormat
from dinmo_pipeline.config.declarations.conditions import Duration, Relative, Test, Value
from dinmo_pipeline.segments.compiler.temporal import parse_moment
from dinmo_pipeline.segments.sql.columns import ColumnType
from dinmo_pipeline.segments.sql.literals import text as literal

Wanted: TypeAlias = Literal["as it is", "text", "number", "moment", "boolean", "order"]
"""What a column is needed as; `order` is a moment or else a number, and `text` what the model declares."""

_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?)"
_OFFSET = r"\s*(Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)"
_WALL = rf"({_DAY})[T ]{_TIME}"
_TRUE, _FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")
_Type = exp.DataType.Type
_DECIMAL = exp.DataType.build("DECIMAL(38, 12)")

DAYS, OFFSETS = "days", "offsets"
NUMBER = "a number"


@dataclass(frozen=True, slots=True)
class Conversion:
    """How to read the text of a column.

    Attributes:
        title: what its values should be, in words.
        fits: whether a value is that.
        forms: the forms that decide on the type.
        typed: the value and its type, by how many values fit and have each form.
    """

    title: str
    fits: exp.Expr
    typed: Callable[[int, Mapping[str, int]], tuple[exp.Expr, ColumnType]]
    forms: Mapping[str, exp.Expr] = field(default_factory=dict)


def wanted_by(test: Test) -> Wanted:
    """What a test compares a column with."""
    if test.operator in ("is_set", "is_blank"):
        return "as it is"
    values = test.value if isinstance(test.value, tuple) else (test.value,)
    if test.operator in ("is_true", "is_false") or _all(values, bool):
        return "boolean"
    if test.operator in ("on", "before", "after") or test.operator.startswith(("within", "anniversary")):
        return "moment"
    if _all(values, date, datetime, Relative, Duration):
        return "moment"
    if _all(values, int, Decimal):
        return "number"
    orders = test.operator in ("greater_than", "at_least", "less_than", "at_most", "between")
    return "moment" if orders and all(map(_is_moment, values)) else "text"


def _all(values: tuple[Value, ...], *kinds: type) -> bool:
    return bool(values) and all(isinstance(value, kinds) for value in values)


def _is_moment(value: Value) -> bool:
    return isinstance(value, str) and parse_moment(value) is not None


def conversion(
    operand: exp.Expr, wanted: Wanted, declared: FieldFormat | None, zone: str
) -> Conversion | None:
    """How to read a column as the model declares it, or else as a test wants it; None for text."""
    if wanted == "as it is":
        return None
    value = operand
    kind = declared.type if declared else wanted
    format_ = declared.format if declared else None
    match kind:
        case "number":
            return _number(value, *(declared.separators if declared else ("", ".")))
        case "boolean":
            return _boolean(value)
        case "date" | "timestamp" if format_:
            return _formatted(value, format_, is_day=kind == "date")
        case "date" | "timestamp" | "moment":
            return _iso(value, zone, is_day=kind == "date")
    return None


def _number(value: exp.Expr, thousands: str, point: str) -> Conversion:
    # DuckDB drops spaces around a number, and also reads 1_000 as one.
    condition: exp.Expr = exp.Not(this=_call("contains", value, literal("_")))
    plain: exp.Expr = value
    if (thousands, point) != ("", "."):
        groups = rf"[0-9]{{1,3}}(?:[{thousands}][0-9]{{3}})+|" if thousands else ""
        condition = _matches(_trimmed(value), rf"[+-]?(?:{groups}[0-9]+)(?:[{point}][0-9]+)?")
        if thousands:
            plain = exp.func("replace", plain.copy(), literal(thousands), literal(""))
        plain = exp.func("replace", plain.copy(), literal(point), literal("."))
    number = exp.TryCast(this=_if(condition, plain), to=_DECIMAL)
    type_ = ColumnType("decimal", NUMBER)
    return Conversion(NUMBER, _is_set(number), lambda _values, _forms: (number, type_))


def _boolean(value: exp.Expr) -> Conversion:
    lower = exp.Lower(this=_trimmed(value))
    found = exp.Case(
        ifs=[
            exp.If(this=exp.In(this=lower.copy(), expressions=[*map(literal, words)]), true=truth)
            for words, truth in ((_TRUE, exp.true()), (_FALSE, exp.false()))
        ]
    )
    type_ = ColumnType("boolean", "true or false")
    return Conversion("true or false", _is_set(found), lambda _values, _forms: (found, type_))


def _formatted(value: exp.Expr, format_: str, *, is_day: bool) -> Conversion:
    moment: exp.Expr = _call("try_strptime", _trimmed(value), literal(format_))
    if is_day:
        moment, type_ = exp.cast(moment, _Type.DATE), ColumnType("date", "a day")
    elif "%z" in format_ or "%Z" in format_:
        type_ = ColumnType("timestamptz", "a moment")
    else:
        type_ = ColumnType("timestamp", "a moment")
    return Conversion(f"written as {format_}", _is_set(moment), lambda _values, _forms: (moment, type_))


def _iso(value: exp.Expr, zone: str, *, is_day: bool) -> Conversion:
    """By ISO 8601: days if all values are days, instants if any has an offset, or else local times.

    The usual forms are recognised by LIKE, which is several times as fast as a regular expression.
    """
    trimmed = _trimmed(value)
    looks_like_day = _like(value, "____-__-__")
    as_day = [
        exp.If(this=looks_like_day, true=value.copy()),
        exp.If(this=_matches(trimmed, _DAY), true=trimmed),
    ]
    day = exp.TryCast(this=exp.Case(ifs=[each.copy() for each in as_day]), to=exp.DataType.build("DATE"))
    if is_day:
        return Conversion("a day", _is_set(day), lambda _values, _forms: (day, ColumnType("date", "a day")))
    looks_local = exp.or_(_like(value, "____-__-__ __:__:__"), _like(value, "____-__-__T__:__:__"))
    clean = exp.func("replace", trimmed.copy(), literal(","), literal("."))
    as_local = [
        exp.If(this=looks_local, true=value.copy()),
        *as_day,
        exp.If(this=_matches(trimmed, _WALL), true=clean),
    ]
    local = exp.TryCast(this=exp.Case(ifs=as_local), to=exp.DataType.build("TIMESTAMP"))
    looks_usual = exp.paren(exp.or_(looks_like_day.copy(), looks_local.copy()))
    has_offset = exp.and_(exp.Not(this=looks_usual), _matches(trimmed, _WALL + _OFFSET))
    offset = _replaced(clean, _WALL + _OFFSET, r"\1 \2\3")
    offset = _replaced(offset, r"(Z|UTC|GMT)$", "+00")
    # DuckDB 1.5 needs seconds before an offset, and a colon in it.
    offset = _replaced(offset, r"( [0-9]{2}:[0-9]{2})([+-])", r"\1:00\2")
    offset = _replaced(offset, r"([+-][0-9]{2})([0-9]{2})$", r"\1:\2")
    instant = exp.TryCast(this=_if(has_offset, offset), to=exp.DataType.build("TIMESTAMPTZ"))
    moment = exp.Coalesce(this=_call("timezone", literal(zone), local), expressions=[instant])

    def typed(values: int, forms: Mapping[str, int]) -> tuple[exp.Expr, ColumnType]:
        if values and forms[DAYS] == values:
            return day, ColumnType("date", "a day")
        if not forms[OFFSETS]:
            return local, ColumnType("timestamp", "a moment")
        return moment, ColumnType("timestamptz", "a moment")

    fits = exp.or_(_is_set(local), _is_set(instant))
    forms = {DAYS: _is_set(day), OFFSETS: _is_set(instant)}
    return Conversion("a day or a moment in ISO 8601", fits, typed, forms)


def _trimmed(value: exp.Expr) -> exp.Expr:
    return exp.Trim(this=value.copy())


def _like(value: exp.Expr, pattern: str) -> exp.Expr:
    return exp.Like(this=value.copy(), expression=literal(pattern))


def _matches(value: exp.Expr, pattern: str) -> exp.Expr:
    return _call("regexp_full_match", value, literal(pattern), literal("i"))


def _replaced(value: exp.Expr, pattern: str, by: str) -> exp.Expr:
    return _call("regexp_replace", value, literal(pattern), literal(by), literal("i"))


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])


def _if(condition: exp.Expr, then: exp.Expr) -> exp.Expr:
    return exp.Case(ifs=[exp.If(this=condition.copy(), true=then.copy())])


def _is_set(value: exp.Expr) -> exp.Expr:
    return exp.Not(this=exp.Is(this=value.copy(), expression=exp.null()))
