"""Dataclasses whose fields declare their settings: kind, default, unit and description, each in one place.

The reader, the chain of defaults, the JSON Schema, the reference page and the Dagster resource derive from
the fields, so adding a setting is adding a field.
"""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypeVar, get_type_hints

from dinmo_pipeline.config.strict_yaml.kinds import Kind, any_node
from dinmo_pipeline.config.strict_yaml.nodes import Node
from dinmo_pipeline.config.strict_yaml.report import Subject
from dinmo_pipeline.config.strict_yaml.settings import (
    Found,
    Setting,
    read_settings,
    settings_schema,
)

T = TypeVar("T")
Values = Mapping[str, Any]
"""What one place declares, by name of the field; an object inside is a mapping of its own."""


def setting(
    kind: Kind[Any],
    doc: str,
    *,
    default: Any = MISSING,
    default_doc: str | None = None,
    unit: str | None = None,
    inherited: bool = True,
) -> Any:
    """A field that is a setting of the same name.

    Args:
        kind: How its value is read.
        doc: What it does, in a sentence or two.
        default: The value where nothing is declared. Without one, the reader of the object finds it.
        default_doc: That value in words, where it depends on other declarations.
        unit: What a number counts, such as `share, 0 to 1`.
        inherited: Whether an object of defaults, such as `default_activation`, may hold it too.
    """
    words = {"kind": kind, "doc": doc, "default_doc": default_doc, "unit": unit}
    return field(default=default, metadata={"setting": words, "inherited": inherited})


def part(cls: type[Any], doc: str, *, key: str | None = None) -> Any:
    """A field that is an object with settings of its own; `key` where it is declared by another name."""
    return field(default_factory=cls, metadata={"part": cls, "doc": doc, "key": key})


@dataclass(frozen=True, slots=True)
class Member:
    """A field that declares a setting; `part` is the class of an object inside."""

    name: str
    setting: Setting[Any]
    part: type[Any] | None
    inherited: bool


_known_members: dict[type[Any], tuple[Member, ...]] = {}


def members_of(cls: type[Any]) -> tuple[Member, ...]:
    """The fields of a class that declare settings, in order."""
    if cls not in _known_members:
        _known_members[cls] = tuple(_members(cls))
    return _known_members[cls]


def _members(cls: type[Any]) -> Iterator[Member]:
    for each in fields(cls):
        declared = each.metadata
        if "setting" in declared:
            default = None if each.default is MISSING else each.default
            own = Setting(each.name, default=default, **declared["setting"])
            yield Member(each.name, own, None, inherited=declared["inherited"])
        elif "part" in declared:
            schema = settings_schema(settings_of(declared["part"]))
            own = Setting(declared["key"] or each.name, any_node(schema), declared["doc"])
            yield Member(each.name, own, declared["part"], inherited=True)


def settings_of(cls: type[Any], *, inherited_only: bool = False) -> tuple[Setting[Any], ...]:
    """The settings of a class, in the order of its fields."""
    return tuple(m.setting for m in members_of(cls) if m.inherited or not inherited_only)


def setting_of(cls: type[Any], name: str) -> Setting[Any]:
    """The setting that a field declares."""
    return next(member.setting for member in members_of(cls) if member.name == name)


def read_values(
    node: Node, cls: type[Any], subject: Subject, *, inherited_only: bool = False
) -> Values | None:
    """What a mapping declares of a class; None after a problem, which goes to the report."""
    found = read_settings(node, settings_of(cls, inherited_only=inherited_only), subject)
    values = found_values(found, cls, subject) if found else None
    return values if found and found.is_whole else None


def found_values(found: Found, cls: type[Any], subject: Subject) -> Values | None:
    """The values among the settings found; None after a problem in an object inside."""
    values: dict[str, Any] = {}
    is_whole = True
    for member in members_of(cls):
        node = found.node(member.setting)
        if member.part is None:
            value = found.get(member.setting)
        elif node is not None:
            value = read_values(node, member.part, subject.part(member.setting.key))
            is_whole = is_whole and value is not None
        else:
            value = {}
        if value is not None:
            values[member.name] = value
    return values if is_whole else None


def layered(own: Values, defaults: Values) -> dict[str, Any]:
    """`own`, and `defaults` where it says nothing; objects inside are layered field by field."""
    merged = {**defaults, **own}
    for name, value in defaults.items():
        if isinstance(value, Mapping) and name in own:
            merged[name] = layered(own[name], value)
    return merged


def build(cls: type[T], values: Values) -> T:
    """An object of a class; what `values` leave out has its default."""
    parts = {m.name: m.part for m in members_of(cls) if m.part}
    return cls(**{name: build(parts[name], v) if name in parts else v for name, v in values.items()})


def flat_fields(cls: type[Any]) -> Iterator[tuple[str, Any, str]]:
    """The settings of a class as (name, type, description), those of objects inside among them.

    The latter have the object's key before their name: `guards_max_removed_share`.
    """
    types = get_type_hints(cls)
    for member in members_of(cls):
        if member.part is None:
            yield member.name, types[member.name], member.setting.full_doc
        else:
            for name, type_, doc in flat_fields(member.part):
                yield f"{member.setting.key}_{name}", type_, doc


def flat_values(value: Any) -> dict[str, Any]:
    """The values of an object by the names of `flat_fields`."""
    flat: dict[str, Any] = {}
    for member in members_of(type(value)):
        own = getattr(value, member.name)
        if member.part is None:
            flat[member.name] = own
        else:
            flat |= {f"{member.setting.key}_{name}": v for name, v in flat_values(own).items()}
    return flat


def nested_values(cls: type[Any], flat: Values) -> dict[str, Any]:
    """The opposite of `flat_values`, as `build` takes it."""
    nested: dict[str, Any] = {}
    for member in members_of(cls):
        if member.part is None:
            nested[member.name] = flat[member.name]
        else:
            prefix = f"{member.setting.key}_"
            inner = {n.removeprefix(prefix): v for n, v in flat.items() if n.startswith(prefix)}
            nested[member.name] = nested_values(member.part, inner)
    return nested
