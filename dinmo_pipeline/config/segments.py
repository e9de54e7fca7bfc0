"""Reads `segments`: named sets of users."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from dinmo_pipeline.config.conditions.reader import ConditionReader, SegmentReference
from dinmo_pipeline.config.conditions.relation_paths import Models
from dinmo_pipeline.config.conditions.schema import CONDITION_REFERENCE
from dinmo_pipeline.config.declarations import Model, Segment
from dinmo_pipeline.config.declarations.conditions import Condition
from dinmo_pipeline.config.models import TABLE, UPSTREAM, declared_upstream, is_auto
from dinmo_pipeline.config.strict_yaml.json_schemas import JsonSchema, first_of, has, needs, without
from dinmo_pipeline.config.strict_yaml.keys import named
from dinmo_pipeline.config.strict_yaml.kinds import DESCRIPTION, LINE, NAME, QUERY, any_node
from dinmo_pipeline.config.strict_yaml.nodes import Node
from dinmo_pipeline.config.strict_yaml.references import check_reference
from dinmo_pipeline.config.strict_yaml.report import Report, Subject
from dinmo_pipeline.config.strict_yaml.settings import Found, Setting, read_settings, settings_schema

SEGMENT_NAME = Setting("name", NAME, "The name that people see, and the tag's. Default: the key.")
DESCRIPTION_SETTING = Setting("description", DESCRIPTION, "Who is in it, for people.")
MODEL = Setting("model", LINE, "The model whose rows `where` chooses.")
WHERE = Setting("where", any_node(CONDITION_REFERENCE), "The condition that members meet.")
SQL = Setting("sql", QUERY, "One SELECT of the members.")
TABLE_OF_MEMBERS = Setting("table", TABLE, "A table or view of the members.")
SEGMENT_SETTINGS: tuple[Setting[Any], ...] = (
    SEGMENT_NAME,
    DESCRIPTION_SETTING,
    MODEL,
    WHERE,
    SQL,
    TABLE_OF_MEMBERS,
    UPSTREAM,
)


def segment_schema() -> JsonSchema:
    """The JSON Schema of a segment: one of where, sql and table, with `model` for `where` only."""
    where, sql, table, model = WHERE.key, SQL.key, TABLE_OF_MEMBERS.key, MODEL.key
    two = "This also defines the members. Keep one of `where`, `sql` and `table`."
    alone = f"`{model}` goes with `{where}` only, not with `{sql}` or `{table}`."
    of_where = without([sql, table], two)
    needs_model = needs(model, f"`{where}` needs `{model}`, the rows to choose from.")
    no_model = without([model], alone)
    rule = first_of(
        [
            (has(where), first_of([(of_where, needs_model)], of_where)),
            (has(sql), first_of([(has(table), without([table], two))], no_model)),
            (has(table), no_model),
        ],
        needs(where, "The segment does not define its members: `model` and `where`, or `sql`, or `table`."),
    )
    return settings_schema(SEGMENT_SETTINGS, rule)


@dataclass(frozen=True, slots=True)
class SegmentDraft:
    """A segment (None after a problem) and the segments that its conditions name."""

    segment: Segment | None
    references: tuple[SegmentReference, ...]


def read_segment(
    key: str, node: Node, subject: Subject, models: Models, *, finds_upstream: bool
) -> SegmentDraft:
    """One segment; `finds_upstream` is for one that says nothing about its upstream."""
    found = read_settings(node, SEGMENT_SETTINGS, subject)
    if found is None:
        return SegmentDraft(None, ())
    is_whole = _check_one_definition(found, node, subject) and found.is_whole
    model_key, model_node = found.get(MODEL), found.node(MODEL)
    if model_key is not None and model_node is not None:
        is_known = check_reference(model_key, models, "model", model_node, subject)
        is_whole = is_whole and is_known
    reader = ConditionReader(subject, models)
    where = _read_where(found, models.get(model_key or ""), reader)
    references = tuple(reader.references)
    if not is_whole or (where is None and found.node(WHERE) is not None):
        return SegmentDraft(None, references)
    segment = _segment(key, found, where, node)
    return SegmentDraft(replace(segment, finds_upstream=is_auto(found, finds_upstream)), references)


def _segment(key: str, found: Found, where: Condition | None, node: Node) -> Segment:
    return Segment(
        key=key,
        name=found.get(SEGMENT_NAME) or key,
        description=found.get(DESCRIPTION_SETTING) or None,
        model=found.get(MODEL),
        where=where,
        sql=found.get(SQL),
        table=found.get(TABLE_OF_MEMBERS),
        upstream=declared_upstream(found),
        place=node.place,
    )


def _read_where(found: Found, model: Model | None, reader: ConditionReader) -> Condition | None:
    where = found.node(WHERE)
    return None if where is None else reader.read(where, model)


def _check_one_definition(found: Found, node: Node, subject: Subject) -> bool:
    """Whether exactly one of where, sql and table defines the members, with `model` for `where` only."""
    given = [setting for setting in (WHERE, SQL, TABLE_OF_MEMBERS) if found.node(setting) is not None]
    has_model = found.node(MODEL) is not None
    allowed = ("model and where", "sql", "table")
    if len(given) > 1:
        message = f"`{given[0].key}` and `{given[1].key}` both define the members. Keep one."
        subject.problem(found.node(given[1]) or node, message, allowed=allowed)
    elif not given:
        hint = "Add the condition that members meet as `where`." if has_model else None
        subject.problem(node, "The segment does not define its members.", allowed=allowed, hint=hint)
    elif given[0] is WHERE and not has_model:
        subject.problem(found.node(WHERE) or node, "`where` needs `model`, the rows to choose from.")
    elif given[0] is not WHERE and has_model:
        subject.problem(
            found.node(MODEL) or node,
            f"`model` can only be used with `where`, not with `{given[0].key}`.",
        )
    else:
        return True
    return False


def check_segment_references(drafts: Mapping[str, SegmentDraft], report: Report) -> None:
    """Refuse references to segments that are not declared, of other keys, or in a circle."""
    for key, draft in drafts.items():
        subject = named("segment", key, report)
        for reference in draft.references:
            if check_reference(reference.segment, drafts, "segment", reference.node, subject):
                _check_key(reference, subject)
    for cycle, at in _cycles(drafts):
        subject = named("segment", cycle[0], report)
        subject.problem(
            at, f"These segments refer to each other in a circle: {' → '.join((*cycle, cycle[0]))}."
        )


def _check_key(reference: SegmentReference, subject: Subject) -> None:
    """Check the model's key, by which a row is found in another segment."""
    model = reference.model
    if model is not None and model.primary_key is None:
        message = f"`in_segment` needs the model '{model.key}' to have a `key`, to find members by."
        subject.problem(reference.node, message, hint=f"Add `key` to the model '{model.key}'.")


def _cycles(drafts: Mapping[str, SegmentDraft]) -> list[tuple[tuple[str, ...], Node]]:
    """Each circle of references once, with the reference that closes it."""
    done: set[str] = set()
    cycles: list[tuple[tuple[str, ...], Node]] = []
    for start in drafts:
        trail: list[str] = []
        pending: list[tuple[str, int]] = [(start, 0)]
        while pending:
            key, position = pending.pop()
            if position == 0:
                if key in done:
                    continue
                trail.append(key)
            references = drafts[key].references
            if position == len(references):
                done.add(trail.pop())
                continue
            pending.append((key, position + 1))
            reference = references[position]
            if reference.segment in trail:
                cycles.append((tuple(trail[trail.index(reference.segment) :]), reference.node))
            elif reference.segment in drafts:
                pending.append((reference.segment, 0))
    return cycles
