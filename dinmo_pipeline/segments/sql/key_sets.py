"""Whether a row's key is among the keys of a query, and the negation of any condition.

It is `IN`, a semi-join in every warehouse; negated, `NOT EXISTS`, an anti-join: PostgreSQL plans `NOT … IN`
row by row once the keys outgrow its working memory. A NULL key is never among the keys.
"""

from collections.abc import Sequence

from sqlglot import exp

from dinmo_pipeline.segments.sql import literals
from dinmo_pipeline.segments.sql.identifiers import column, identifier

# Beside it stands the outer row's alias only, which is t1, t2, …
_ALIAS = "keys"


def among(ours: Sequence[exp.Expr], keys: exp.Select) -> exp.Expr:
    """True where the row's key, of one or more columns, is among the query's keys."""
    if len(ours) == 1:
        return exp.In(this=ours[0], query=exp.Subquery(this=keys))
    return exp.Exists(this=_matching(ours, keys))


def not_among(ours: Sequence[exp.Expr], keys: exp.Select) -> exp.Expr:
    """True where it is not, or the row's key is NULL."""
    return exp.Not(this=exp.Exists(this=_matching(ours, keys)))


def negated(condition: exp.Expr) -> exp.Expr:
    """True where a condition is false or NULL, false where it is true."""
    if isinstance(condition, exp.Exists):
        return exp.Not(this=condition)
    if isinstance(condition, exp.Not) and isinstance(condition.this, exp.Exists | exp.Is):
        return condition.this
    query = condition.args.get("query")
    if isinstance(condition, exp.In) and query is not None:
        return not_among([condition.this], query.this)
    return exp.Not(this=exp.Coalesce(this=exp.paren(condition, copy=False), expressions=[exp.false()]))


def equal(pairs: Sequence[tuple[exp.Expr, exp.Expr]]) -> exp.Expr:
    """Whether the columns of every pair are equal."""
    return exp.and_(*(exp.EQ(this=ours.copy(), expression=theirs.copy()) for ours, theirs in pairs))


def derived(query: exp.Query, alias: str) -> exp.Expr:
    """A query as a table under an alias."""
    return exp.Subquery(this=query, alias=exp.TableAlias(this=identifier(alias)))


def _matching(ours: Sequence[exp.Expr], keys: exp.Select) -> exp.Select:
    """The query's keys that equal the row's, renamed so that they cannot be confused with it."""
    names = [f"k{index}" for index, _ in enumerate(ours, start=1)]
    named = keys.copy()
    named.set(
        "expressions",
        [
            exp.alias_(key.unalias(), identifier(name))
            for key, name in zip(named.expressions, names, strict=True)
        ],
    )
    pairs = [(our, column(_ALIAS, name)) for our, name in zip(ours, names, strict=True)]
    return exp.select(literals.number(1)).from_(derived(named, _ALIAS)).where(equal(pairs))
