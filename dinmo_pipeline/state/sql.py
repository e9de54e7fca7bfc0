"""SQL fragments that several state modules share. Values become literals only here."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa

from dinmo_pipeline.config.declarations import MatchBy

# What people paste along with an identifier and nobody sees: white space, control and direction marks, and
# what Unicode calls default ignorable. NUL is left out, since it would end the literal.
_INVISIBLE_CATEGORIES = ("Zs", "Zl", "Zp", "Cc", "Cf")
INVISIBLE = (
    "".join(c for c in map(chr, range(1, 0x3001)) if unicodedata.category(c) in _INVISIBLE_CATEGORIES)
    + "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2065\u2800\u3164\ufeff\uffa0\ufff9\ufffa\ufffb"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0000, 0xE0080))))
)


def literal(text: str) -> str:
    """A text as an SQL literal: `it's` becomes `'it''s'`."""
    return "'" + text.replace("'", "''") + "'"


def normalised(column: str, match_by: MatchBy) -> str:
    """The identifier in `column` as it is compared, whatever it comes from: the only such rule.

    Emails are trimmed of what is invisible, in lower case, and in Unicode's form NFC, since `é` can be one
    character or two. User ids stay as they are. An identifier without a visible character becomes empty.
    """
    trimmed = f"trim({column}, {literal(INVISIBLE)})"
    if match_by == "user_id":
        return f"""CASE
            WHEN ord({column}) NOT BETWEEN 33 AND 126 AND {trimmed} = '' THEN ''
            ELSE {column}
        END"""
    # Trimming a set of characters costs fifty times as much as lower-casing (10 million on one core: 18 s
    # against 0.4 s). The first and last characters of most emails show that none is needed; most others
    # have only spaces.
    spaceless = f"trim({column})"
    return f"""CASE
        WHEN {_begins_and_ends_visibly(column)} THEN {_folded(column)}
        WHEN {_begins_and_ends_visibly(spaceless)} THEN {_folded(spaceless)}
        ELSE {_folded(trimmed)}
    END"""


def _folded(text: str) -> str:
    """Twice, as the lower case of a character can have another form: of `İ` it is `i` and a dot."""
    return f"nfc_normalize(lower(nfc_normalize({text})))"


def _begins_and_ends_visibly(text: str) -> str:
    return f"ord({text}) BETWEEN 33 AND 126 AND ord(array_extract({text}, -1)) BETWEEN 33 AND 126"


def contact_key(match_by: MatchBy) -> str:
    """The column of `dinmo.contacts` that has the members' identifiers."""
    return "email" if match_by == "email" else "external_id"


def members_of(activation: str) -> str:
    """The identifiers of an activation's current members, as a FROM item."""
    return f"(SELECT identifier FROM dinmo.segment_membership WHERE activation = {literal(activation)})"


def first_row(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    parameters: Sequence[object] | Mapping[str, object] = (),
) -> tuple[Any, ...] | None:
    """The first row of a query. The whole result is read, since an unread one would block the connection."""
    rows = connection.execute(query, parameters or None).fetchall()
    return rows[0] if rows else None


def one_row(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    parameters: Sequence[object] | Mapping[str, object] = (),
) -> tuple[Any, ...]:
    """The only row of a query that always has one, such as an aggregate without GROUP BY."""
    return connection.execute(query, parameters or None).fetchall()[0]


@contextmanager
def rows_as_table(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
) -> Iterator[None]:
    """Make rows of Python a table that SQL can read, within the block.

    `position` is a number, a column that starts with `is_` a truth value, all others are texts.
    """
    values = zip(*rows, strict=True) if rows else ((),) * len(columns)
    table = {
        column: pa.array(column_values, _arrow_type(column))
        for column, column_values in zip(columns, values, strict=True)
    }
    connection.register(name, pa.table(table))
    try:
        yield
    finally:
        connection.unregister(name)


def _arrow_type(column: str) -> pa.DataType:
    if column == "position":
        return pa.int64()
    return pa.bool_() if column.startswith("is_") else pa.string()
