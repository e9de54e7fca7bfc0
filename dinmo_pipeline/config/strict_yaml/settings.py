"""Settings of an object: one table per object drives its reading, its errors and its JSON Schema."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from dinmo_pipeline.config.strict_yaml.json_schemas import JsonSchema, needs, object_of
from dinmo_pipeline.config.strict_yaml.kinds import InvalidValueError, Kind
from dinmo_pipeline.config.strict_yaml.nodes import MapNode, Node, Scalar, kind_of
from dinmo_pipeline.config.strict_yaml.report import Subject, is_secret_name
from dinmo_pipeline.text.wording import nearest, shown, suggestion

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Setting(Generic[T]):
    """A key of an object and the kind of its value.

    `doc` says what it does, `unit` what a number counts, and `default_doc` what holds where nothing is
    declared and that depends on other declarations.
    """

    key: str
    kind: Kind[T]
    doc: str
    required: bool = False
    default: Any = None
    default_doc: str | None = None
    unit: str | None = None

    @property
    def full_doc(self) -> str:
        """What people see of it: description, unit, and a default that is not a plain value."""
        unit = f" ({self.unit})" if self.unit else ""
        default = f" Default: {self.default_doc}." if self.default_doc else ""
        return f"{self.doc.removesuffix('.')}{unit}.{default}"


class Found:
    """The settings of an object as they were read; `is_whole` is false if one was refused."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self._nodes = nodes
        self._values: dict[str, Any] = {}
        self.is_whole = True

    def put(self, setting: Setting[T], value: T) -> None:
        """Store a value that was read."""
        self._values[setting.key] = value

    def get(self, setting: Setting[T]) -> T | None:
        """The value; None if the setting is absent or was refused."""
        value: T | None = self._values.get(setting.key)
        return value

    def node(self, setting: Setting[Any]) -> Node | None:
        """The node of the setting's value."""
        return self._nodes.get(setting.key)


def read_settings(
    node: Node, settings: Sequence[Setting[Any]], subject: Subject, *, holds_secret: bool = False
) -> Found | None:
    """Read the settings in a mapping; None if it is not a mapping. Each problem goes to the report.

    If the object `holds_secret`, the value of an unknown key is masked, since it may be a misspelt secret.
    """
    if isinstance(node, Scalar) and node.kind == "null":
        node = MapNode((), node.place, node.end, 1)
    if not isinstance(node, MapNode):
        names = tuple(setting.key for setting in settings)
        subject.problem(node, f"This must be a mapping of settings, not {kind_of(node)}.", allowed=names)
        return None
    by_key = {setting.key: setting for setting in settings}
    found = Found({key.text: value for key, value in node.entries})
    misspelt = set()
    for key, value in node.entries:
        if key.text in by_key:
            _read_one(found, by_key[key.text], value, subject)
        else:
            misspelt.add(_refuse_unknown(key, value, by_key, subject, holds_secret=holds_secret))
            found.is_whole = False
    for setting in settings:
        if setting.required and found.node(setting) is None:
            found.is_whole = False
            if setting.key not in misspelt:
                subject.problem(node, f"`{setting.key}` is missing. {setting.doc}")
    return found


def _read_one(found: Found, setting: Setting[Any], value: Node, subject: Subject) -> None:
    try:
        found.put(setting, setting.kind.read(value))
    except InvalidValueError as error:
        found.is_whole = False
        message = f"`{setting.key}` {error.message}."
        subject.problem(error.at or value, message, allowed=error.allowed, hint=error.hint)


def _refuse_unknown(
    key: Scalar,
    value: Node,
    known: Mapping[str, Setting[Any]],
    subject: Subject,
    *,
    holds_secret: bool,
) -> str | None:
    """Report an unknown key; the setting it was perhaps meant to be."""
    near = nearest(key.text, known)
    meant = near[0] if near else None
    if holds_secret and (meant is None or is_secret_name(meant) or is_secret_name(key.text)):
        subject.report.hide(value)
    message = f"There is no setting `{shown(key.text)}` here."
    subject.problem(key, message, allowed=known, hint=suggestion(key.text, known))
    return meant


def settings_schema(settings: Sequence[Setting[Any]], *rules: JsonSchema) -> JsonSchema:
    """The JSON Schema of an object with these settings; `key:` alone is one without any.

    `rules` are what must hold among the settings, besides that the required ones are there.
    """
    required = [setting for setting in settings if setting.required]
    listed = ", ".join(setting.key for setting in settings)
    return object_of(
        {setting.key: _setting_schema(setting) for setting in settings},
        rules=[*(needs(each.key, f"`{each.key}` is missing. {each.doc}") for each in required), *rules],
        nullable=not required,
        wrong_type=f"This must be a mapping of settings: {listed}.",
        unknown_key=f"There is no such setting here. Settings: {listed}.",
    )


def _setting_schema(setting: Setting[Any]) -> JsonSchema:
    described = {**setting.kind.schema, "description": setting.full_doc}
    return described if setting.default is None else {**described, "default": setting.default}
