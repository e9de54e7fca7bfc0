"""A finished statement as text in the source's dialect."""

import re

from sqlglot import exp

_SPECIAL = re.compile(r"[\\'\x00-\x1f\x7f]")


def write(query: exp.Query, dialect: str) -> str:
    """The statement's text, without comments.

    How Redshift reads a backslash in quotes depends on settings and version; text with one is written so that
    both readings agree: `'it' || CHR(39) || 's'`.
    """
    written = query.transform(_without_special_characters) if dialect == "redshift" else query
    return written.sql(dialect=dialect, comments=False)


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
