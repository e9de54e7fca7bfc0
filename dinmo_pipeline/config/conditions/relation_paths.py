"""Follows paths such as `orders.lines` through the declared relations."""

from collections.abc import Mapping
from dataclasses import dataclass

from dinmo_pipeline.config.declarations import Model
from dinmo_pipeline.config.strict_yaml.kinds import LINE, InvalidValueError
from dinmo_pipeline.config.strict_yaml.nodes import Node
from dinmo_pipeline.text.wording import shown, suggestion

Models = Mapping[str, Model | None]
"""Models by key; None for one that is declared but could not be read; nothing is checked against it."""


@dataclass(frozen=True, slots=True)
class Path:
    """Relations from a row to its related rows, the column there, and the model there if known."""

    relations: tuple[str, ...]
    column: str | None
    model: Model | None


def read_path(node: Node, start: Model | None, models: Models, *, with_column: bool) -> Path:
    """The path written in a node; raises InvalidValueError for a relation that is not declared."""
    text = LINE.read(node)
    parts = [part.strip() for part in text.split(".")]
    if not all(parts):
        raise InvalidValueError("has an empty part between dots", allowed=(_form(with_column=with_column),))
    if with_column and len(parts) < 2:  # noqa: PLR2004 - a relation and a column
        hint = "Put the relation before the column, with a dot between them."
        raise InvalidValueError(
            "must name a relation and one of its columns", allowed=("orders.amount",), hint=hint
        )
    relations = tuple(parts[:-1] if with_column else parts)
    end = _follow(relations, start, models)
    return Path(relations, parts[-1] if with_column else None, end)


def _form(*, with_column: bool) -> str:
    return "orders.lines.amount" if with_column else "orders.lines"


def _follow(relations: tuple[str, ...], start: Model | None, models: Models) -> Model | None:
    here = start
    for name in relations:
        if here is None:
            return None
        relation = here.relations.get(name)
        if relation is None:
            known = tuple(here.relations)
            message = f"is not a relation of model '{here.key}': '{shown(name)}'"
            raise InvalidValueError(
                message, allowed=known or ("none is declared",), hint=suggestion(name, known)
            )
        here = models.get(relation.model)
    return here
