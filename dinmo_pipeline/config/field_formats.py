"""Reads `fields` of a model: how to read the text of its columns in CSV files."""

import re
from collections.abc import Mapping
from typing import get_args

from dinmo_pipeline.config.declarations import FieldFormat, FieldType, Model, Source
from dinmo_pipeline.config.strict_yaml.json_schemas import first_of
from dinmo_pipeline.config.strict_yaml.keys import named
from dinmo_pipeline.config.strict_yaml.kinds import LINE, InvalidValueError, any_node, one_of
from dinmo_pipeline.config.strict_yaml.nodes import MapNode, Node, Scalar, kind_of
from dinmo_pipeline.config.strict_yaml.report import Report, Subject
from dinmo_pipeline.config.strict_yaml.settings import Setting, read_settings, settings_schema
from dinmo_pipeline.text.wording import shown

_TYPES: tuple[FieldType, ...] = get_args(FieldType)
# The specifiers of DuckDB's strptime.
_SPECIFIERS = re.compile(r"%(?:-[dHIjmMSy]|[aAbBcdDfgHIjmMnpSuUVwWxXyYzZ%])")
_NUMBER_EXAMPLE = re.compile(r"1([.,' \u00a0\u202f]?)234([.,])56")

TYPE = Setting("type", one_of(*_TYPES), "What the text is.", required=True)
FORMAT = Setting(
    "format",
    LINE,
    'A date or timestamp: its strptime format, "%m/%d/%Y". A number: how 1234.56 is written, "1.234,56".',
    default_doc="ISO 8601, and numbers such as 1234.56",
)
FIELD_SETTINGS = (TYPE, FORMAT)
FIELDS = Setting(
    "fields",
    any_node(
        {
            "type": ["object", "null"],
            "additionalProperties": first_of(
                [({"type": "object"}, settings_schema(FIELD_SETTINGS))], {"enum": list(_TYPES)}
            ),
        }
    ),
    "CSV only: how to read a column whose text is not in ISO 8601 or a plain number.",
)


def read_fields(node: Node | None, subject: Subject) -> dict[str, FieldFormat] | None:
    """The columns and their formats; None, with problems reported, if one is not valid."""
    if node is None or kind_of(node) == "nothing":
        return {}
    if not isinstance(node, MapNode):
        subject.problem(node, f"`fields` must be a mapping, not {kind_of(node)}.")
        return None
    fields = {
        name.text: _field(value, subject.part(f"field '{shown(name.text)}'")) for name, value in node.entries
    }
    whole = {name: format_ for name, format_ in fields.items() if format_ is not None}
    return whole if len(whole) == len(fields) else None


def _field(node: Node, subject: Subject) -> FieldFormat | None:
    if isinstance(node, Scalar) and node.kind == "text":
        try:
            return FieldFormat(TYPE.kind.read(node))
        except InvalidValueError as error:
            subject.problem(node, f"This {error.message}.", allowed=error.allowed, hint=error.hint)
            return None
    found = read_settings(node, FIELD_SETTINGS, subject)
    if found is None or not found.is_whole:
        return None
    type_: FieldType = found.get(TYPE) or "text"
    format_ = found.get(FORMAT)
    if format_ is None:
        return FieldFormat(type_)
    try:
        return _formatted(type_, format_)
    except InvalidValueError as error:
        message = f"`format` {error.message}."
        subject.problem(found.node(FORMAT) or node, message, allowed=error.allowed)
        return None


def _formatted(type_: FieldType, format_: str) -> FieldFormat:
    if type_ in ("text", "boolean"):
        raise InvalidValueError(f"does not apply to a field of type {type_}")
    if type_ == "number":
        example = _NUMBER_EXAMPLE.fullmatch(format_)
        if example is None or example[1] == example[2]:
            allowed = ("1.234,56", "1234,56", "1,234.56", "1 234,56")
            raise InvalidValueError("must show how 1234.56 is written", allowed=allowed)
        return FieldFormat(type_, None, (example[1], example[2]))
    rest = _SPECIFIERS.sub("", format_)
    if "%" in rest or rest == format_:
        examples = ("%m/%d/%Y", "%d.%m.%Y", "%d %b %Y %H:%M")
        raise InvalidValueError("must be a strptime format", allowed=examples)
    return FieldFormat(type_, format_)


def check_fields(
    models: Mapping[str, Model | None], nodes: Mapping[str, Node], source: Source | None, report: Report
) -> None:
    """Refuse `fields` where columns have types."""
    for key, model in models.items():
        if model and model.fields and source and source.type != "csv":
            node = nodes[key]
            at = node.get(FIELDS.key) if isinstance(node, MapNode) else None
            named("model", key, report).problem(
                at or node,
                f"`fields` is for CSV files; the columns of a {source.type} source have types.",
                hint="Remove it, or convert the column in a view.",
            )
