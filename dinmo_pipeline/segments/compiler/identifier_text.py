"""A column of identifiers as text: the same text for the same person, whatever the column's type.

A pandas frame makes numbers of a column with one gap floating-point, and a warehouse may keep keys as
`numeric(20,2)`; `1234`, `1234.0` and `1234.00` are one user id.
"""

from sqlglot import exp

from dinmo_pipeline.segments.compiler.catalog import TypedColumn
from dinmo_pipeline.segments.sql import literals
from dinmo_pipeline.segments.sql.columns import ColumnType

NOT_WHOLE = "not a whole number"
"""What stands for a number that is not a whole one, or may not be the one that was meant."""

# Below these, a floating-point type holds every whole number, and no other is rounded to one.
_EXACT_DOUBLES = 2**53
_EXACT_SINGLES = 2**24
_SINGLE_PRECISION = ("float", "real", "float4", "halffloat")
_Type = exp.DataType.Type


def identifier_text(column: TypedColumn, dialect: str) -> exp.Expr:
    """The text of a column; `NOT_WHOLE` for a number that cannot be a user id."""
    value, type_ = column.expression, column.type
    if type_.kind == "float":
        # `CAST` sees no number that it would overflow on, whatever the warehouse evaluates first.
        is_exact = exp.LT(this=exp.Abs(this=value), expression=literals.number(_exact_below(type_)))
        whole = exp.cast(exp.Case(ifs=[exp.If(this=is_exact, true=value.copy())]), _Type.BIGINT)
        return _digits_of(value, whole, exp.EQ(this=value.copy(), expression=whole.copy()))
    # BigQuery writes NUMERIC without zeros after the point, and has no DECIMAL(38, 0).
    if type_.kind == "decimal" and dialect != "bigquery":
        whole = exp.cast(value, exp.DataType.build("DECIMAL(38, 0)"))
        rest = exp.Mod(this=value.copy(), expression=literals.number(1))
        return _digits_of(value, whole, exp.EQ(this=rest, expression=literals.number(0)))
    text = exp.cast(value, _Type.TEXT)
    return exp.Trim(this=text, position="TRAILING") if type_.is_padded else text


def _digits_of(value: exp.Expr, whole: exp.Expr, is_whole: exp.Expr) -> exp.Expr:
    """`CASE WHEN x IS NULL THEN NULL WHEN x % 1 = 0 THEN CAST(… AS TEXT) ELSE 'not a whole number' END`."""
    is_null = exp.Is(this=value.copy(), expression=exp.null())
    return exp.Case(
        ifs=[
            exp.If(this=is_null, true=exp.null()),
            exp.If(this=is_whole, true=exp.cast(whole, _Type.TEXT)),
        ],
        default=literals.text(NOT_WHOLE),
    )


def _exact_below(type_: ColumnType) -> int:
    return _EXACT_SINGLES if type_.type.casefold() in _SINGLE_PRECISION else _EXACT_DOUBLES
