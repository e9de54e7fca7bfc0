"""Reads `models`: tables of the source and the relations between them."""

from collections.abc import Mapping
from typing import Any

from dinmo_pipeline.config.dbt.section import DbtReferences
from dinmo_pipeline.config.declarations import Join, Model, Relation
from dinmo_pipeline.config.field_formats import FIELDS, read_fields
from dinmo_pipeline.config.strict_yaml.json_schemas import (
    JsonSchema,
    dotted,
    first_of,
    has,
    matching,
    without,
)
from dinmo_pipeline.config.strict_yaml.keys import check_key, named, section_schema
from dinmo_pipeline.config.strict_yaml.kinds import LINE, InvalidValueError, Kind, any_node, list_of
from dinmo_pipeline.config.strict_yaml.nodes import MapNode, Node, Scalar, kind_of
from dinmo_pipeline.config.strict_yaml.references import check_reference
from dinmo_pipeline.config.strict_yaml.report import Report, Subject
from dinmo_pipeline.config.strict_yaml.settings import Found, Setting, read_settings, settings_schema
from dinmo_pipeline.text.wording import shown

OWN_ASSETS = ("segment_membership", "membership_changes", "intercom_tags")
"""The pipeline's own Dagster assets, in order; none of them can be upstream of a segment."""

_MAX_TABLE_PARTS = 3


def _table(node: Node) -> str:
    text = LINE.read(node)
    parts = text.split(".")
    if len(parts) > _MAX_TABLE_PARTS or not all(part.strip() for part in parts):
        raise InvalidValueError("must be a table, schema.table, or database.schema.table")
    return text


def table_name(parts: tuple[str, ...]) -> str:
    """Parts of a name as `table` has them, in double quotes where one contains a dot or a quote.

    >>> table_name(("shop", "main", "my.table"))
    'shop.main."my.table"'
    """
    return ".".join('"{}"'.format(p.replace('"', '""')) if set(p) & {".", '"'} else p for p in parts)


def _upstream(node: Node) -> str:
    parts = [part.strip() for part in LINE.read(node).split("/")]
    if not all(parts):
        raise InvalidValueError("must be an asset key with '/' between its parts, as in raw/orders")
    key = "/".join(parts)
    if key in OWN_ASSETS:
        raise InvalidValueError(f"must be an asset upstream of the segments; {key} comes after them")
    return key


def _join(node: Node) -> Join:
    if not isinstance(node, MapNode):
        column = LINE.read(node)
        return Join(((column, column),))
    if not node.entries:
        raise InvalidValueError("must name at least one pair of columns: {ours: theirs}")
    pairs = []
    for ours, theirs in node.entries:
        try:
            pairs.append((LINE.read(ours), LINE.read(theirs)))
        except InvalidValueError as error:
            raise InvalidValueError(
                f"contains a column that {error.message}", hint=error.hint, at=theirs
            ) from None
    return Join(tuple(pairs))


TABLE: Kind[str] = Kind(
    _table,
    matching(
        dotted(".", most=_MAX_TABLE_PARTS), "This must be a table, schema.table, or database.schema.table."
    ),
)
UPSTREAM_KEY: Kind[str] = Kind(
    _upstream,
    matching(dotted("/"), "This must be an asset key with '/' between its parts, as in raw/orders."),
)
AUTO = "auto"
_KEYS = list_of(UPSTREAM_KEY)


def _upstream_or_auto(node: Node) -> tuple[str, ...] | str:
    return AUTO if isinstance(node, Scalar) and node.text == AUTO else _KEYS.read(node)


UPSTREAM_OR_AUTO: Kind[tuple[str, ...] | str] = Kind(
    _upstream_or_auto,
    {
        "examples": [AUTO],
        **first_of(
            [
                (
                    {"type": "string"},
                    {"enum": [AUTO], "errorMessage": "Write `auto`, or a list: [raw/orders]."},
                )
            ],
            dict(_KEYS.schema),
        ),
    },
)
JOIN: Kind[Join] = Kind(
    _join,
    first_of(
        [({"type": "object"}, {"minProperties": 1, "additionalProperties": LINE.schema})],
        {**LINE.schema, "errorMessage": "This must be a column, or pairs of columns: {ours: theirs}."},
    ),
)

RELATED_MODEL = Setting("model", LINE, "The model of the related rows.", required=True)
JOIN_SETTING = Setting(
    "join",
    JOIN,
    "The column that both models have, or pairs of our column: their column.",
    required=True,
)
RELATION_SETTINGS: tuple[Setting[Any], ...] = (RELATED_MODEL, JOIN_SETTING)

TABLE_SETTING = Setting(
    "table", TABLE, "The table or view in the source; may be schema.table. Default: the key."
)
REF = Setting("ref", LINE, "Instead of `table`: a dbt model, seed or snapshot, as in dbt's own ref.")
PRIMARY_KEY = Setting("key", LINE, "The column that identifies a row.")
RELATIONS = Setting(
    "relations",
    any_node(section_schema(settings_schema(RELATION_SETTINGS))),
    "Named ways to the rows of other models.",
)
UPSTREAM = Setting(
    "upstream",
    UPSTREAM_OR_AUTO,
    "Dagster assets that fill the table, as [raw/orders]; or `auto`, to find them by the table's name.",
)
MODEL_SETTINGS: tuple[Setting[Any], ...] = (TABLE_SETTING, REF, PRIMARY_KEY, RELATIONS, UPSTREAM, FIELDS)
_TWO_TABLES = "`table` and `ref` both name the table. Keep one."


def model_schema() -> JsonSchema:
    """The JSON Schema of a model: one of `table` and `ref`, or neither."""
    rule = first_of([(has(TABLE_SETTING.key), without([REF.key], _TWO_TABLES))], {})
    return settings_schema(MODEL_SETTINGS, rule)


def read_model(
    key: str, node: Node, subject: Subject, *, dbt: DbtReferences, finds_upstream: bool
) -> Model | None:
    """One model; whether its relations lead anywhere is checked by `check_relations`.

    `finds_upstream` is for a model that says nothing about its upstream.
    """
    found = read_settings(node, MODEL_SETTINGS, subject)
    if found is None:
        return None
    relations = _read_relations(found.node(RELATIONS), subject)
    fields = read_fields(found.node(FIELDS), subject)
    table = _table_of(found, key, subject, dbt)
    if not found.is_whole or relations is None or fields is None or table is None:
        return None
    return Model(
        key=key,
        table=table,
        primary_key=found.get(PRIMARY_KEY),
        relations=relations,
        upstream=declared_upstream(found),
        place=node.place,
        fields=fields,
        finds_upstream=is_auto(found, finds_upstream),
    )


def declared_upstream(found: Found) -> tuple[str, ...]:
    """The assets that are listed as `upstream`."""
    listed = found.get(UPSTREAM)
    return listed if isinstance(listed, tuple) else ()


def is_auto(found: Found, default: bool) -> bool:  # noqa: FBT001 - the one thing it is about
    """Whether the assets upstream are to be found; the default is for those who say nothing about it."""
    return default if found.node(UPSTREAM) is None else found.get(UPSTREAM) == AUTO


def _table_of(found: Found, key: str, subject: Subject, dbt: DbtReferences) -> str | None:
    """The table of a model, by default of its key; None after a problem."""
    ref, at = found.get(REF), found.node(REF)
    if at is None or ref is None:
        return found.get(TABLE_SETTING) or key
    if found.node(TABLE_SETTING) is not None:
        subject.problem(at, _TWO_TABLES)
        return None
    try:
        node = dbt.find(ref)
    except InvalidValueError as error:
        subject.problem(at, f"`{REF.key}` {error.message}.", allowed=error.allowed, hint=error.hint)
        return None
    return table_name(node.table) if node else None


def _read_relations(node: Node | None, subject: Subject) -> dict[str, Relation] | None:
    if node is None or kind_of(node) == "nothing":
        return {}
    if not isinstance(node, MapNode):
        subject.problem(node, f"`relations` must be a mapping, not {kind_of(node)}.")
        return None
    relations: dict[str, Relation] = {}
    is_whole = True
    for name, value in node.entries:
        inner = subject.part(f"relation '{shown(name.text)}'")
        relation = _read_relation(value, inner)
        if check_key(name, inner) and relation is not None:
            relations[name.text] = relation
        else:
            is_whole = False
    return relations if is_whole else None


def _read_relation(node: Node, subject: Subject) -> Relation | None:
    found = read_settings(node, RELATION_SETTINGS, subject)
    if found is None or not found.is_whole:
        return None
    model, join = found.get(RELATED_MODEL), found.get(JOIN_SETTING)
    return Relation(model, join) if model and join else None


def check_relations(models: Mapping[str, Model | None], nodes: Mapping[str, Node], report: Report) -> None:
    """Refuse relations to models that are not declared."""
    for key, model in models.items():
        for name, relation in model.relations.items() if model else ():
            at = _model_node(nodes[key], name)
            subject = named("model", key, report).part(f"relation '{name}'")
            check_reference(relation.model, models, "model", at, subject)


def _model_node(model: Node, relation: str) -> Node:
    """Where a relation names its model."""
    node = model
    for key in (RELATIONS.key, relation, RELATED_MODEL.key):
        inner = node.get(key) if isinstance(node, MapNode) else None
        node = inner or node
    return node
