"""The rows at the end of a path of relations, joined along the path."""

from dataclasses import dataclass

from sqlglot import exp

from dinmo_pipeline.config.declarations import Relation
from dinmo_pipeline.config.strict_yaml.problems import Place
from dinmo_pipeline.segments.compiler.catalog import Catalog, Scope
from dinmo_pipeline.segments.sql.key_sets import equal


@dataclass(frozen=True, slots=True)
class Step:
    """One relation on the path: its rows, and the pairs of (our, their) columns that must be equal."""

    scope: Scope
    pairs: tuple[tuple[exp.Expr, exp.Expr], ...]


@dataclass(frozen=True, slots=True)
class RelatedRows:
    """The rows at the end of a path for which `where` holds."""

    steps: tuple[Step, ...]
    where: exp.Expr | None

    @property
    def our_keys(self) -> list[exp.Expr]:
        """The outer row's columns that the first relation joins by."""
        return [ours.copy() for ours, _ in self.steps[0].pairs]

    @property
    def their_keys(self) -> list[exp.Expr]:
        """The columns of the first related rows that must equal the outer row's."""
        return [theirs.copy() for _, theirs in self.steps[0].pairs]

    def select(self, *expressions: exp.Expr) -> exp.Select:
        """The related rows of all outer rows."""
        first, *further = self.steps
        query = exp.select(*expressions).from_(first.scope.from_clause())
        for step in further:
            query = query.join(step.scope.from_clause(), on=equal(step.pairs))
        return query if self.where is None else query.where(self.where)


def follow(
    catalog: Catalog, path: tuple[str, ...], start: Scope, place: Place, subject: str
) -> tuple[Step, ...] | None:
    """The steps along a path of relations; None if a problem was noted."""
    steps: list[Step] = []
    here = start
    for name in path:
        relation = here.model.relations.get(name)
        if relation is None:
            message = f"The model {here.model.key!r} has no relation {name!r}."
            catalog.note_unknown(place, subject, message, name, here.model.relations)
            return None
        step = _step(catalog, here, relation)
        if step is None:
            return None
        steps.append(step)
        here = step.scope
    return tuple(steps)


def _step(catalog: Catalog, here: Scope, relation: Relation) -> Step | None:
    there = catalog.model(relation.model, here.model.place, f"model {here.model.key!r}")
    if there is None:
        return None
    joined = [_joined(catalog, here, there, ours, theirs) for ours, theirs in relation.join.columns]
    pairs = tuple(pair for pair in joined if pair is not None)
    return Step(there, pairs) if len(pairs) == len(joined) else None


def _joined(
    catalog: Catalog, here: Scope, there: Scope, ours: str, theirs: str
) -> tuple[exp.Expr, exp.Expr] | None:
    """Two columns that a relation joins by, as expressions that compare."""
    place, subject = here.model.place, f"model {here.model.key!r}"
    left = catalog.column(here, ours, place, subject)
    right = catalog.column(there, theirs, place, subject)
    if left is None or right is None:
        return None
    what = f"The join of {ours!r} with {theirs!r} of {there.model.key!r}"
    return catalog.comparable(left, right, what, place, subject)
