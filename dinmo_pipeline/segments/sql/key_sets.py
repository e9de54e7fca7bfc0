"""Whether a row's key is among the keys that a query gives, and the opposite of any condition.

Positively it is `IN`, a semi-join in every warehouse. Negatively it is `NOT EXISTS`, an anti-join: PostgreSQL
plans `NOT … IN` row by row once the keys outgrow its working memory. NULL keys are among nothing.
"""

from collections.abc import Sequence

from sqlglot import exp

from dinmo_pipeline.segments.sql import literals
from dinmo_pipeline.segments.sql.identifiers import column, identifier

# In the one place where it stands, it meets the outer row's alias only, which is t1, t2, …
_ALIAS = "keys"


def among(ours: Sequence[exp.Expr], keys: exp.Select) -> exp.Expr:
    """True where the row's key, of one or several columns, is among those of the query."""
    if len(ours) == 1:
        return exp.In(this=ours[0], query=exp.Subquery(this=keys))
    return exp.Exists(this=_matching(ours, keys))


def not_among(ours: Sequence[exp.Expr], keys: exp.Select) -> exp.Expr:
    """True where it is not; also where the row has no key."""
    return exp.Not(this=exp.Exists(this=_matching(ours, keys)))


def negated(condition: exp.Expr) -> exp.Expr:
    """True where a condition is false or NULL, and false where it is true."""
    if isinstance(condition, exp.Exists):
        return exp.Not(this=condition)
    if isinstance(condition, exp.Not) and isinstance(condition.this, exp.Exists | exp.Is):
        return condition.this
    query = condition.args.get("query")
    if isinstance(condition, exp.In) and query is not None:
        return not_among([condition.this], query.this)
    return exp.Not(
        this=exp.Coalesce(this=exp.paren(condition, copy=False), expressions=[exp.false()])
    )


def equal(pairs: Sequence[tuple[exp.Expr, exp.Expr]]) -> exp.Expr:
    """Whether the columns of every pair are equal."""
    return exp.and_(*(exp.EQ(this=ours.copy(), expression=theirs.copy()) for ours, theirs in pairs))


def derived(query: exp.Query, alias: str) -> exp.Expr:
    """A query as a table, under an alias."""
    return exp.Subquery(this=query, alias=exp.TableAlias(this=identifier(alias)))


def _matching(ours: Sequence[exp.Expr], keys: exp.Select) -> exp.Select:
    """The keys that are equal to the row's; their columns get names, to be told from the row's."""
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
