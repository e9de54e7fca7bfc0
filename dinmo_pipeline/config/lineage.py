"""What a segment is made from: the segments and models it uses, and the Dagster assets behind them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from dinmo_pipeline.config.conditions.relation_paths import Models
from dinmo_pipeline.config.declarations import Model, Segment
from dinmo_pipeline.config.declarations.conditions import (
    AllOf,
    AnyOf,
    Condition,
    InSegment,
    Not,
    RelatedCondition,
)
from dinmo_pipeline.config.strict_yaml.problems import Owner

Segments = Mapping[str, Segment | None]
"""Segments by key; None for one that is declared but could not be read."""


@dataclass(frozen=True, slots=True)
class Uses:
    """Keys of the segments and models that a segment is made from, itself first, each once.

    `unread` are those that are declared but could not be read.
    """

    segments: tuple[str, ...]
    models: tuple[str, ...]
    unread: tuple[Owner, ...] = ()


def uses_of(segment: str, segments: Segments, models: Models) -> Uses:
    """What a segment is made from, through relations and `in_segment` to any depth.

    Whatever is not declared is left out.
    """
    walk = _Walk(segments, models)
    walk.segment(segment)
    return Uses(tuple(walk.used_segments), tuple(walk.used_models), tuple(walk.unread))


def upstream_of(segment: str, segments: Segments, models: Models) -> tuple[str, ...]:
    """The Dagster assets that a segment depends on: its own `upstream`, and those of what it uses."""
    used = _used(segment, segments, models)
    return tuple(dict.fromkeys(asset for each in used for asset in each.upstream))


def finds_upstream(segment: str, segments: Segments, models: Models) -> bool:
    """Whether assets that a segment depends on are still to be found: `upstream: auto`."""
    return any(each.finds_upstream for each in _used(segment, segments, models))


def _used(segment: str, segments: Segments, models: Models) -> list[Segment | Model]:
    uses = uses_of(segment, segments, models)
    declared = [*(segments[key] for key in uses.segments), *(models[key] for key in uses.models)]
    return [each for each in declared if each]


@dataclass
class _Walk:
    """A walk over declarations; dictionaries without values are ordered sets."""

    segments: Segments
    models: Models
    used_segments: dict[str, None] = field(default_factory=dict)
    used_models: dict[str, None] = field(default_factory=dict)
    unread: dict[Owner, None] = field(default_factory=dict)

    def segment(self, key: str) -> None:
        """Visit a segment once, so that circles end."""
        segment = self.segments.get(key)
        if segment is None and key in self.segments:
            self.unread["segment", key] = None
        if segment is None or key in self.used_segments:
            return
        self.used_segments[key] = None
        model = self.model(segment.model)
        if segment.where is not None:
            self.condition(segment.where, model)

    def model(self, key: str | None) -> Model | None:
        """Visit a model."""
        if key is None:
            return None
        model = self.models.get(key)
        if model is not None:
            self.used_models[model.key] = None
        elif key in self.models:
            self.unread["model", key] = None
        return model

    def condition(self, condition: Condition, model: Model | None) -> None:
        """Visit a condition on the rows of a model."""
        if isinstance(condition, InSegment):
            self.segment(condition.segment)
        elif isinstance(condition, RelatedCondition):
            end = self.path(condition.relations, model)
            if condition.where is not None:
                self.condition(condition.where, end)
        else:
            for part in _parts(condition):
                self.condition(part, model)

    def path(self, relations: tuple[str, ...], model: Model | None) -> Model | None:
        """Visit the models along a path; the one at its end."""
        for name in relations:
            relation = model.relations.get(name) if model else None
            model = self.model(relation.model) if relation else None
        return model


def _parts(condition: Condition) -> Iterator[Condition]:
    """The conditions inside a group."""
    if isinstance(condition, AllOf | AnyOf):
        yield from condition.conditions
    elif isinstance(condition, Not):
        yield condition.condition
