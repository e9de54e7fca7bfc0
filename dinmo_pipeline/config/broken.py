"""What cannot be used of declarations with problems: each broken object, and whatever is made from it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from dinmo_pipeline.config.conditions.relation_paths import Models
from dinmo_pipeline.config.declarations import Model, Project
from dinmo_pipeline.config.lineage import Segments, uses_of
from dinmo_pipeline.config.strict_yaml.nodes import MapNode, Node, Scalar
from dinmo_pipeline.config.strict_yaml.problems import Owner, Problem
from dinmo_pipeline.config.strict_yaml.report import Report

Sections = Mapping[str, Mapping[str, Node]]
_Problems = tuple[Problem, ...]
_T = TypeVar("_T")


def without_broken(
    project: Project, segments: Segments, models: Models, sections: Sections, report: Report
) -> Project:
    """The project without what its problems break, which `broken` has instead.

    A value of `segments` or `models` is None where it could not be read.
    """
    own = report.by_owner()
    found = {key: _problems_of_segment(key, segments, models, own) for key in segments}
    broken = {owner: problems for owner, problems in own.items() if owner[0] == "model"}
    for kind, section in (("segment", None), ("activation", "activations"), ("test", "tests")):
        nodes = sections[section] if section else dict.fromkeys(segments)
        for key, node in nodes.items():
            segment = _segment_of(kind, key, node)
            problems = _distinct(own.get((kind, key), ()), found.get(segment, ()))
            if problems:
                broken[kind, key] = problems
    return replace(
        project,
        models={
            key: _without_relations(model, broken)
            for key, model in project.models.items()
            if ("model", key) not in broken
        },
        segments=_whole(project.segments, "segment", broken),
        activations=_whole(project.activations, "activation", broken),
        tests=_whole(project.tests, "test", broken),
        problems=report.problems(),
        broken=broken,
    )


def _problems_of_segment(
    key: str, segments: Segments, models: Models, own: Mapping[Owner, _Problems]
) -> _Problems:
    """The problems of a segment and of everything that it is made from."""
    uses = uses_of(key, segments, models)
    owners = [
        *(("segment", each) for each in uses.segments),
        *(("model", each) for each in uses.models),
        *uses.unread,
    ]
    return _distinct(*(own.get(owner, ()) for owner in owners))


def _segment_of(kind: str, key: str, node: Node | None) -> str:
    """The segment that an object names; an activation without one means that of its own key."""
    named = node.get("segment") if isinstance(node, MapNode) and kind != "segment" else None
    return named.text.strip() if isinstance(named, Scalar) else key


def _without_relations(model: Model, broken: Mapping[Owner, _Problems]) -> Model:
    """A model without relations to broken ones; what uses those is broken as well."""
    relations = {
        name: relation
        for name, relation in model.relations.items()
        if ("model", relation.model) not in broken
    }
    return replace(model, relations=relations)


def _whole(objects: Mapping[str, _T], kind: str, broken: Mapping[Owner, _Problems]) -> dict[str, _T]:
    return {key: each for key, each in objects.items() if (kind, key) not in broken}


def _distinct(*problems: Iterable[Problem]) -> _Problems:
    return tuple(dict.fromkeys(problem for each in problems for problem in each))
