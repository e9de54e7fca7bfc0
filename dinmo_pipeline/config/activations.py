"""Reads `activations` and resolves their settings."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from dinmo_pipeline.config.declarations import AFTER_UPSTREAM, Activation, Model, Segment
from dinmo_pipeline.config.destinations import DestinationDraft
from dinmo_pipeline.config.lineage import finds_upstream, upstream_of, uses_of
from dinmo_pipeline.config.strict_yaml.declared_fields import (
    Values,
    build,
    found_values,
    layered,
    setting_of,
    settings_of,
)
from dinmo_pipeline.config.strict_yaml.keys import named
from dinmo_pipeline.config.strict_yaml.nodes import MapNode, Node
from dinmo_pipeline.config.strict_yaml.references import check_reference
from dinmo_pipeline.config.strict_yaml.report import Report, Subject
from dinmo_pipeline.config.strict_yaml.settings import Found, read_settings
from dinmo_pipeline.text.wording import shown


@dataclass(frozen=True, slots=True)
class Declared:
    """What activations refer to; a value is None where it is declared but could not be read."""

    destinations: Mapping[str, DestinationDraft]
    segments: Mapping[str, Segment | None]
    models: Mapping[str, Model | None]


_SEGMENT, _DESTINATION, _NAME, _MATCH_BY, _COLUMN, _SCHEDULE = (
    setting_of(Activation, name)
    for name in ("segment", "destination", "name", "match_by", "column", "schedule")
)


def read_activation(
    key: str, node: Node, subject: Subject, declared: Declared
) -> tuple[Activation | None, Node]:
    """One activation, every setting resolved, and the place that its tag's name comes from."""
    found = read_settings(node, settings_of(Activation), subject)
    if found is None:
        return None, node
    own = found_values(found, Activation, subject)
    segment_key = _segment_key(key, found, node, subject, declared)
    destination_key = _destination_key(found, node, subject, declared)
    if own is None or segment_key is None or destination_key is None or not found.is_whole:
        return None, node
    segment = declared.segments[segment_key]
    defaults = declared.destinations[destination_key].defaults
    if segment is None or defaults is None:
        return None, node
    settings = layered(own, defaults)
    match_by = settings.get("match_by", _MATCH_BY.default)
    _refuse_column_of_other_match_by(own, defaults, match_by, node, subject)
    resolved = {
        "name": segment.name,
        "column": _default_column(match_by, segment, declared),
        **settings,
        "segment": segment_key,
        "destination": destination_key,
    }
    activation = build(Activation, {**resolved, "key": key, "place": node.place})
    return activation, found.node(_NAME) or node


def _segment_key(key: str, found: Found, node: Node, subject: Subject, declared: Declared) -> str | None:
    at = found.node(_SEGMENT)
    segment: str | None = found.get(_SEGMENT) if at is not None else key
    if segment is None:
        return None
    is_known = check_reference(segment, declared.segments, "segment", at or node, subject)
    return segment if is_known else None


def _destination_key(found: Found, node: Node, subject: Subject, declared: Declared) -> str | None:
    at = found.node(_DESTINATION)
    known = declared.destinations
    if at is None:
        if len(known) == 1:
            return next(iter(known))
        subject.problem(
            node,
            "`destination` is missing, and there is not exactly one destination to use by default.",
            allowed=tuple(known) or ("none is declared",),
            needs_all_files=True,
        )
        return None
    destination: str | None = found.get(_DESTINATION)
    if destination is None:
        return None
    return destination if check_reference(destination, known, "destination", at, subject) else None


def _default_column(match_by: str, segment: Segment, declared: Declared) -> str:
    if match_by == "email":
        return "email"
    model = declared.models.get(segment.model or "")
    return (model.primary_key if model else None) or "user_id"


def _refuse_column_of_other_match_by(
    own: Values, defaults: Values, match_by: str, node: Node, subject: Subject
) -> None:
    """Refuse a default column that goes with the other identifier: emails would be sent as user ids."""
    goes_with = defaults.get("match_by", _MATCH_BY.default)
    if "column" not in own and "column" in defaults and match_by != goes_with:
        message = (
            f"`match_by` is {match_by}, but `column` is the destination's default,"
            f" '{shown(defaults['column'])}', which goes with {goes_with}."
        )
        subject.problem(node, message, hint=f"Set `{_COLUMN.key}` here as well.")


def comparable_name(name: str) -> str:
    """A form of a tag's name in which equal means the same tag: Intercom ignores case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name.strip()).casefold())


def refuse_shared_tags(
    activations: Mapping[str, Activation], names: Mapping[str, Node], report: Report
) -> None:
    """Refuse two activations with one tag in one destination: each would undo the other's work."""
    first: dict[tuple[str, str], str] = {}
    for key, activation in activations.items():
        tag = activation.destination, comparable_name(activation.name)
        other = first.setdefault(tag, key)
        if other != key:
            message = (
                f"The tag '{shown(activation.name)}' in '{activation.destination}' already belongs to"
                f" activation '{other}' at {names[other].place}. Names that differ only in case are the same"
                " tag."
            )
            named("activation", key, report).problem(
                names[key], message, hint="Give one of them another `name`."
            )


def refuse_without_upstream(
    activations: Mapping[str, Activation],
    declared: Declared,
    nodes: Mapping[str, Node],
    report: Report,
) -> None:
    """Refuse `{after: upstream}` without upstream assets: the activation would never be synced."""
    for key, activation in activations.items():
        segment = activation.segment
        if (
            activation.schedule == AFTER_UPSTREAM
            and not upstream_of(segment, declared.segments, declared.models)
            and not finds_upstream(segment, declared.segments, declared.models)
            # The upstream may be declared where it could not be read.
            and not uses_of(segment, declared.segments, declared.models).unread
        ):
            named("activation", key, report).problem(
                _schedule_node(nodes[key]),
                f"`schedule` is {{after: upstream}}, but neither segment '{segment}' nor a model that it"
                " uses has an `upstream`.",
                hint=f"Name the Dagster assets as `upstream` of '{segment}' or of its models, write"
                " `upstream: auto`, or set another `schedule` here.",
                needs_all_files=True,
            )


def _schedule_node(activation: Node) -> Node:
    """The node of the activation's schedule; the activation itself if the schedule is inherited."""
    own = activation.get(_SCHEDULE.key) if isinstance(activation, MapNode) else None
    return own or activation
