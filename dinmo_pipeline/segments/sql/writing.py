"""A finished statement as text in the source's dialect."""

import hashlib
import re

from sqlglot import exp

from dinmo_pipeline.segments.sql.identifiers import identifier

_SPECIAL = re.compile(r"[\\'\x00-\x1f\x7f]")
_VERBATIM = "verbatim"


def verbatim(select: str, alias: str) -> exp.Expr:
    """A SELECT as a table under an alias; `write` puts its text there as it is.

    sqlglot must not see it: what it does not understand, it writes with another meaning.
    """
    # No text contains its own hash.
    stand_in = f"verbatim_{hashlib.sha256(select.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"
    table = exp.Table(this=identifier(stand_in))
    table.meta[_VERBATIM] = select
    aliased: exp.Expr = exp.alias_(table, identifier(alias), table=True, copy=False)
    return aliased


def write(query: exp.Query, dialect: str, *, pretty: bool = False) -> str:
    """The statement's text, without comments but those in a `verbatim` text.

    How Redshift reads a backslash in quotes depends on settings and version; text with one is written so that
    both readings agree: `'it' || CHR(39) || 's'`.
    """
    written = query.transform(_without_special_characters) if dialect == "redshift" else query
    text = written.sql(dialect=dialect, comments=False, pretty=pretty)
    for table in query.find_all(exp.Table):
        if select := table.meta.get(_VERBATIM):
            stand_in = table.this.sql(dialect=dialect)
            # On lines of its own: it may end with a comment.
            text = text.replace(stand_in, f"(\n{select}\n)")
    return text


def select_from(select: str, what: str = "*", *, condition: str = "") -> str:
    r"""`SELECT what FROM (select) AS rows_`, whatever the dialect.

    >>> select_from("SELECT 1 AS id", "COUNT(*)")
    'SELECT COUNT(*) FROM (\nSELECT 1 AS id\n) AS rows_'
    """
    return f"SELECT {what} FROM (\n{select}\n) AS rows_{condition}"  # noqa: S608  # texts that were judged


def _without_special_characters(node: exp.Expr) -> exp.Expr:
    if not (isinstance(node, exp.Literal) and node.is_string and _SPECIAL.search(node.this)):
        return node
    text: str = node.this
    pieces: list[exp.Expr] = []
    for plain, special in zip(_SPECIAL.split(text), [*_SPECIAL.findall(text), ""], strict=True):
        if plain:
            pieces.append(exp.Literal.string(plain))
        if special:
            pieces.append(exp.Chr(expressions=[exp.Literal.number(ord(special))]))
    joined = pieces[0]
    for piece in pieces[1:]:
        joined = exp.DPipe(this=joined, expression=piece, safe=False)
    return exp.Paren(this=joined)
