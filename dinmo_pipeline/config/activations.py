"""Reads `activations` and resolves their settings."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dinmo_pipeline.config.activation_settings import (
    BUILT_IN,
    COLUMN,
    DEFAULTABLE_SETTINGS,
    SCHEDULE_SETTING,
    ActivationSettings,
    activation_settings,
)
from dinmo_pipeline.config.declarations import (
    AFTER_UPSTREAM,
    Activation,
    Guards,
    Model,
    Reconciliation,
    Segment,
)
from dinmo_pipeline.config.destinations import DestinationDraft
from dinmo_pipeline.config.lineage import upstream_of
from dinmo_pipeline.config.strict_yaml.keys import named
from dinmo_pipeline.config.strict_yaml.kinds import LINE, NAME
from dinmo_pipeline.config.strict_yaml.nodes import MapNode, Node
from dinmo_pipeline.config.strict_yaml.references import check_reference
from dinmo_pipeline.config.strict_yaml.report import Report, Subject
from dinmo_pipeline.config.strict_yaml.settings import Found, Setting, read_settings
from dinmo_pipeline.text.wording import shown

SEGMENT = Setting("segment", LINE, "The segment. Default: the one with the activation's key.")
DESTINATION = Setting("destination", LINE, "The destination. Default: the only one.")
TAG_NAME = Setting("name", NAME, "The tag's name in Intercom. Default: the segment's name.")
ACTIVATION_SETTINGS: tuple[Setting[Any], ...] = (
    SEGMENT,
    DESTINATION,
    TAG_NAME,
    *DEFAULTABLE_SETTINGS,
)


@dataclass(frozen=True, slots=True)
class Declared:
    """What activations refer to; a value is None where it is declared but could not be read."""

    destinations: Mapping[str, DestinationDraft]
    segments: Mapping[str, Segment | None]
    models: Mapping[str, Model | None]


def read_activation(
    key: str, node: Node, subject: Subject, declared: Declared
) -> tuple[Activation | None, Node]:
    """One activation, every setting resolved, and the place that its tag's name comes from."""
    found = read_settings(node, ACTIVATION_SETTINGS, subject)
    if found is None:
        return None, node
    own = activation_settings(found, subject)
    segment_key = _segment_key(key, found, node, subject, declared)
    destination_key = _destination_key(found, node, subject, declared)
    if own is None or segment_key is None or destination_key is None or not found.is_whole:
        return None, node
    segment = declared.segments[segment_key]
    defaults = declared.destinations[destination_key].defaults
    if segment is None or defaults is None:
        return None, node
    settings = own.over(defaults).over(BUILT_IN)
    _refuse_column_of_other_match_by(own, defaults, settings, node, subject)
    activation = Activation(
        key=key,
        segment=segment_key,
        destination=destination_key,
        name=found.get(TAG_NAME) or segment.name,
        match_by=settings.match_by or "email",
        column=settings.column or _built_in_column(settings, segment, declared),
        schedule=settings.schedule or "",
        timezone=settings.timezone or "",
        enabled=settings.enabled is not False,
        on_multiple_users=settings.on_multiple_users,
        guards=_guards(settings),
        reconciliation=Reconciliation(
            settings.reconcile_schedule or "", repair=settings.reconcile_repair is True
        ),
        place=node.place,
    )
    return activation, found.node(TAG_NAME) or node


def _guards(settings: ActivationSettings) -> Guards:
    removed, failed = settings.max_removed_share, settings.max_failed_share
    unidentified = settings.max_unidentified_share
    if removed is None or unidentified is None or failed is None:
        raise AssertionError("the built-in settings hold every share")
    return Guards(removed, unidentified, failed)


def _segment_key(
    key: str, found: Found, node: Node, subject: Subject, declared: Declared
) -> str | None:
    at = found.node(SEGMENT)
    segment = found.get(SEGMENT) if at is not None else key
    if segment is None:
        return None
    is_known = check_reference(segment, declared.segments, "segment", at or node, subject)
    return segment if is_known else None


def _destination_key(found: Found, node: Node, subject: Subject, declared: Declared) -> str | None:
    at = found.node(DESTINATION)
    known = declared.destinations
    if at is None:
        if len(known) == 1:
            return next(iter(known))
        message = "`destination` is missing, and there is not exactly one to choose."
        subject.problem(
            node,
            message,
            allowed=tuple(known) or ("none is declared",),
            needs_all_files=True,
        )
        return None
    destination = found.get(DESTINATION)
    if destination is None:
        return None
    return destination if check_reference(destination, known, "destination", at, subject) else None


def _built_in_column(settings: ActivationSettings, segment: Segment, declared: Declared) -> str:
    if settings.match_by == "email":
        return "email"
    model = declared.models.get(segment.model or "")
    return (model.primary_key if model else None) or "user_id"


def _refuse_column_of_other_match_by(
    own: ActivationSettings,
    defaults: ActivationSettings,
    settings: ActivationSettings,
    node: Node,
    subject: Subject,
) -> None:
    """Refuse a default column that was meant for the other identifier: emails would be sent as user ids."""
    meant_for = defaults.match_by or BUILT_IN.match_by
    if own.column is None and defaults.column is not None and settings.match_by != meant_for:
        message = (
            f"`match_by` is {settings.match_by}, but `column` is the destination's default, "
            f"'{shown(defaults.column)}', which goes with {meant_for}."
        )
        subject.problem(node, message, hint=f"Set `{COLUMN.key}` here as well.")


def comparable_name(name: str) -> str:
    """Names that Intercom takes for one tag have one comparable name: case does not count there."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name.strip()).casefold())


def refuse_shared_tags(
    activations: Mapping[str, Activation], names: Mapping[str, Node], report: Report
) -> None:
    """Refuse two activations with one tag on one destination: each would undo the other's work."""
    first: dict[tuple[str, str], str] = {}
    for key, activation in activations.items():
        tag = activation.destination, comparable_name(activation.name)
        other = first.setdefault(tag, key)
        if other != key:
            message = (
                f"The tag '{shown(activation.name)}' on '{activation.destination}' is already that of "
                f"activation '{other}' at {names[other].place}; names that differ in case are one tag."
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
    """Refuse to follow assets where none is named: such an activation would never be synced."""
    if None in declared.segments.values() or None in declared.models.values():
        return  # the upstream may be in what could not be read
    for key, activation in activations.items():
        if activation.schedule == AFTER_UPSTREAM and not upstream_of(
            activation.segment, declared.segments, declared.models
        ):
            segment = activation.segment
            named("activation", key, report).problem(
                _schedule_node(nodes[key]),
                f"`schedule` is {{after: upstream}}, but segment '{segment}' has no `upstream`,"
                " nor has a model that it uses.",
                hint=f"Name the Dagster assets as `upstream` of '{segment}' or of its models,"
                " or set another `schedule` here.",
                needs_all_files=True,
            )


def _schedule_node(activation: Node) -> Node:
    """Where the activation sets its schedule; the activation, where the destination does."""
    own = activation.get(SCHEDULE_SETTING.key) if isinstance(activation, MapNode) else None
    return own or activation
