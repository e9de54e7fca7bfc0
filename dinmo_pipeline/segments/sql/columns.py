"""The columns a source really has, by the few kinds that conditions distinguish."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import pyarrow as pa
from sqlglot import exp
from sqlglot.errors import SqlglotError

from dinmo_pipeline.segments.sql.untyped import UntypedSource

ColumnKind: TypeAlias = Literal[
    "text",
    "integer",
    "decimal",
    "float",
    "boolean",
    "date",
    "timestamp",
    "timestamptz",
    "other",
]


_FIXED_LENGTH = re.compile(r"(n?char|character|bpchar)\b(?! varying)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ColumnType:
    """What a column holds: its `kind`, and `type`, the source's own word for it.

    `as_text` marks types whose values become text only by a cast: UUID, ENUM, and PostgreSQL's
    blank-padded `char(n)`. `is_foreign` marks those of them that the driver does not know, such as `citext`.
    `is_untyped` marks text in a file, which becomes a number, a day or a moment where a condition needs one.
    """

    kind: ColumnKind
    type: str
    as_text: bool = False
    is_foreign: bool = False
    is_untyped: bool = False

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers, exact or not."""
        return self.kind in ("integer", "decimal", "float")

    @property
    def family(self) -> str:
        """The kinds that compare with each other without a cast: all numbers, or this kind alone."""
        return "number" if self.is_number else self.kind

    @property
    def is_padded(self) -> bool:
        """Whether its texts end in spaces that fill a fixed length: `char(10)`."""
        return self.kind == "text" and _FIXED_LENGTH.match(self.type) is not None

    @property
    def is_temporal(self) -> bool:
        """Whether its values are days or moments."""
        return self.kind in ("date", "timestamp", "timestamptz")


@dataclass(frozen=True, slots=True)
class Table:
    """A table as the source spells it: the parts of its name, and its columns in order.

    `untyped` is the source if some of the columns are untyped.
    """

    parts: tuple[str, ...]
    columns: Mapping[str, ColumnType]
    untyped: UntypedSource | None = None


AMBIGUOUS = ColumnType("other", "the name of several columns")


def by_name(columns: Iterable[tuple[str, ColumnType]]) -> dict[str, ColumnType]:
    """Columns in order; a name that a SELECT gives to several of them is `AMBIGUOUS`."""
    named: dict[str, ColumnType] = {}
    for name, type_ in columns:
        named[name] = AMBIGUOUS if name in named else type_
    return named


_Type = exp.DataType.Type
_TEXTS_AFTER_CAST = {_Type.UUID, _Type.ENUM}
# The first match counts: sqlglot's REAL_TYPES include the floating-point ones.
_KINDS_OF_SQL: tuple[tuple[ColumnKind, frozenset[Any] | set[Any]], ...] = (
    ("other", {_Type.BIT}),
    ("text", exp.DataType.TEXT_TYPES),
    ("integer", exp.DataType.INTEGER_TYPES),
    ("float", exp.DataType.FLOAT_TYPES),
    ("decimal", exp.DataType.REAL_TYPES),
    ("boolean", {_Type.BOOLEAN}),
    ("date", {_Type.DATE, _Type.DATE32}),
    ("timestamptz", {_Type.TIMESTAMPTZ, _Type.TIMESTAMPLTZ}),
    (
        "timestamp",
        {
            _Type.DATETIME,
            _Type.DATETIME2,
            _Type.TIMESTAMP,
            _Type.TIMESTAMPNTZ,
            _Type.TIMESTAMP_S,
            _Type.TIMESTAMP_MS,
            _Type.TIMESTAMP_NS,
        },
    ),
)


def column_type_of_sql(type_text: str, dialect: str) -> ColumnType:
    """The type of a column, from the source's own word for it.

    >>> column_type_of_sql("DECIMAL(5,2)", "duckdb")
    ColumnType(kind='decimal', type='DECIMAL(5,2)', as_text=False)
    """
    try:
        parsed = exp.DataType.build(type_text, dialect=dialect)
    except SqlglotError:
        return ColumnType("other", type_text)
    if parsed.this in _TEXTS_AFTER_CAST:
        return ColumnType("text", type_text, as_text=True)
    kinds = [kind for kind, types in _KINDS_OF_SQL if parsed.this in types]
    return ColumnType(kinds[0] if kinds else "other", type_text)


_POSTGRES_TYPE = b"POSTGRESQL:type"
_POSTGRES_OTHER_TYPE = b"ADBC:postgresql:typname"
# PostgreSQL's names of types that Arrow lacks, or has only as strings.
_POSTGRES_KINDS: dict[str, ColumnType] = {
    "numeric": ColumnType("decimal", "numeric"),
    "uuid": ColumnType("text", "uuid", as_text=True),
    "json": ColumnType("other", "json"),
    "jsonb": ColumnType("other", "jsonb"),
    "xml": ColumnType("other", "xml"),
    "money": ColumnType("other", "money"),
}

_POSTGRES_TEXTS = ("", "text", "varchar")


def columns_of_arrow(schema: pa.Schema) -> dict[str, ColumnType]:
    """The columns of a remote source's Arrow result, in order."""
    return by_name((field.name, _column_type_of_arrow(field)) for field in schema)


def _column_type_of_arrow(field: pa.Field) -> ColumnType:
    metadata = field.metadata or {}
    name = (metadata.get(_POSTGRES_TYPE) or metadata.get(_POSTGRES_OTHER_TYPE) or b"").decode()
    if name in _POSTGRES_KINDS:
        return _POSTGRES_KINDS[name]
    kind = _kind_of_arrow(field.type)
    # Enumerations, citext, char(n) and the like arrive as strings, but not all text functions accept them.
    as_text = kind == "text" and name not in _POSTGRES_TEXTS
    return ColumnType(kind, name or str(field.type), as_text=as_text)


_KINDS_OF_ARROW: tuple[tuple[ColumnKind, Callable[[pa.DataType], bool]], ...] = (
    ("text", pa.types.is_string),
    ("text", pa.types.is_large_string),
    ("text", pa.types.is_string_view),
    ("integer", pa.types.is_integer),
    ("decimal", pa.types.is_decimal),
    ("float", pa.types.is_floating),
    ("boolean", pa.types.is_boolean),
    ("date", pa.types.is_date),
    ("timestamptz", lambda arrow: pa.types.is_timestamp(arrow) and arrow.tz is not None),
    ("timestamp", pa.types.is_timestamp),
)


def _kind_of_arrow(arrow: pa.DataType) -> ColumnKind:
    kinds = [kind for kind, is_of in _KINDS_OF_ARROW if is_of(arrow)]
    return kinds[0] if kinds else "other"
