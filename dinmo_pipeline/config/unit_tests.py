"""Reads `tests`: given these rows, exactly these are a segment's members."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dinmo_pipeline.config.conditions.moments import ISO_PATTERN, parse_iso
from dinmo_pipeline.config.conditions.operators import read_value
from dinmo_pipeline.config.conditions.relation_paths import Models
from dinmo_pipeline.config.declarations import Given, GivenRow, GivenTable, Segment, SegmentTest
from dinmo_pipeline.config.declarations.conditions import Scalar
from dinmo_pipeline.config.lineage import Segments, uses_of
from dinmo_pipeline.config.models import TABLE
from dinmo_pipeline.config.schedules.kinds import TIMEZONE
from dinmo_pipeline.config.strict_yaml.json_schemas import first_of, matching
from dinmo_pipeline.config.strict_yaml.kinds import (
    LINE,
    InvalidValueError,
    Kind,
    any_node,
    expect_text,
    list_of,
)
from dinmo_pipeline.config.strict_yaml.nodes import ListNode, MapNode, Node, kind_of
from dinmo_pipeline.config.strict_yaml.nodes import Scalar as ScalarNode
from dinmo_pipeline.config.strict_yaml.references import check_reference
from dinmo_pipeline.config.strict_yaml.report import Subject
from dinmo_pipeline.config.strict_yaml.settings import Setting, read_settings, settings_schema
from dinmo_pipeline.text.wording import shown, suggestion


def _now(node: Node) -> datetime:
    text = " ".join(expect_text(node).split())
    moment = parse_iso(text)
    if moment is None:
        examples = ("2026-03-01", "2026-03-01 12:00", "2026-03-01T12:00+01:00")
        raise InvalidValueError("must be a day or a time", allowed=examples)
    if isinstance(moment, datetime):
        return moment
    return datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001 - in the test's time zone


def _given_value(node: Node) -> Given:
    if isinstance(node, ScalarNode) and node.kind == "null":
        return None
    return read_value(node)


def _row(node: Node) -> GivenRow:
    if not isinstance(node, MapNode):
        raise InvalidValueError(f"must be a row, {{column: value}}, not {kind_of(node)}", at=node)
    if not node.entries:
        raise InvalidValueError("must name at least one column", at=node)
    values: dict[str, Given] = {}
    for column, value in node.entries:
        try:
            values[LINE.read(column)] = _given_value(value)
        except InvalidValueError as error:
            message = f"has '{shown(column.text)}', which {error.message}"
            raise InvalidValueError(message, at=value) from None
    return GivenRow(values, node.place)


_SCALAR_SCHEMA = {
    "type": ["string", "number", "boolean"],
    "errorMessage": "This must be one value: text, a number, true or false.",
}
ROW: Kind[GivenRow] = Kind(
    _row,
    {
        "type": "object",
        "errorMessage": "This must be a row: {column: value}.",
        "minProperties": 1,
        "additionalProperties": {
            "type": ["string", "number", "boolean", "null"],
            "errorMessage": "This must be one value: text, a number, true, false, or null.",
        },
    },
)
MEMBER: Kind[Scalar] = Kind(read_value, _SCALAR_SCHEMA)
NOW: Kind[datetime] = Kind(
    _now,
    matching(
        rf"^\s*{ISO_PATTERN}\s*$",
        "This must be a day or a time: 2026-03-01, 2026-03-01 12:00, 2026-03-01T12:00+01:00.",
        "2026-03-01 12:00",
    ),
)

COLUMN = Setting("column", LINE, "The column of the segment's rows.", required=True)
MEMBERS = Setting("members", list_of(MEMBER), "Its values for all members.", required=True)
EXPECT_SETTINGS: tuple[Setting[Any], ...] = (COLUMN, MEMBERS)

SEGMENT = Setting("segment", LINE, "The segment that is tested.", required=True)
NOW_SETTING = Setting("now", NOW, "The moment that relative days are relative to. Default: the present.")
TIMEZONE_SETTING = Setting(
    "timezone", TIMEZONE, "The time zone of `now` and of the days in conditions.", default="UTC"
)
GIVEN = Setting(
    "given",
    any_node(
        {
            "type": "object",
            "errorMessage": "This must be a mapping of models to rows: {customers: [{customer_id: 1}]}.",
            "additionalProperties": {
                "type": ["array", "null"],
                "errorMessage": "This must be a list of rows: [{customer_id: 1}].",
                "items": dict(ROW.schema),
            },
        }
    ),
    "The rows of each model, or of a table by its name.",
    required=True,
)
EXPECT = Setting(
    "expect",
    any_node(first_of([({"type": "object"}, settings_schema(EXPECT_SETTINGS))], dict(MEMBERS.kind.schema))),
    "The members: values of the model's key, or a column and its values.",
    required=True,
)
TEST_SETTINGS: tuple[Setting[Any], ...] = (SEGMENT, NOW_SETTING, TIMEZONE_SETTING, GIVEN, EXPECT)


@dataclass(frozen=True, slots=True)
class _Expected:
    column: str
    members: tuple[Scalar, ...]


def read_test(
    key: str, node: Node, subject: Subject, segments: Segments, models: Models
) -> SegmentTest | None:
    """One test; None after a problem. Whether its columns exist shows when it runs."""
    found = read_settings(node, TEST_SETTINGS, subject)
    if found is None:
        return None
    segment_key, segment_node = found.get(SEGMENT), found.node(SEGMENT)
    if segment_key is None or segment_node is None:
        return None
    if not check_reference(segment_key, segments, "segment", segment_node, subject):
        return None
    given_node, expect_node = found.node(GIVEN), found.node(EXPECT)
    tables = _Tables(segment_key, segments, models, subject)
    given = tables.read(given_node) if given_node is not None else None
    expected = None
    if expect_node is not None:
        expected = _read_expected(expect_node, segments[segment_key], models, subject)
    if given is None or expected is None or not found.is_whole:
        return None
    return SegmentTest(
        key=key,
        segment=segment_key,
        now=found.get(NOW_SETTING),
        timezone=found.get(TIMEZONE_SETTING) or "UTC",
        given=given,
        column=expected.column,
        members=expected.members,
        place=node.place,
    )


class _Tables:
    """Reads the rows of each table that a test gives."""

    def __init__(self, segment: str, segments: Segments, models: Models, subject: Subject) -> None:
        used = [segments[key] for key in uses_of(segment, segments, models).segments]
        self._listed = tuple(each.table for each in used if each and each.table)
        # Which tables a SELECT reads is known only once it is parsed; of what could not be read, nothing.
        self._any_table = any(each.sql for each in used if each) or segments[segment] is None
        self._models = models
        self._subject = subject

    def read(self, node: Node) -> tuple[GivenTable, ...] | None:
        """All tables; None after a problem."""
        if not isinstance(node, MapNode):
            message = f"`given` must be a mapping of models to rows, not {kind_of(node)}."
            self._subject.problem(node, message, hint="given: {customers: [{customer_id: 1}]}")
            return None
        tables = [self._table(key, rows) for key, rows in node.entries]
        whole = [table for table in tables if table is not None]
        return tuple(whole) if len(whole) == len(tables) and self._are_different(whole) else None

    def _table(self, key: ScalarNode, node: Node) -> GivenTable | None:
        name = self._name(key)
        rows = self._rows(node, key.text)
        if name is None or rows is None:
            return None
        model = self._models.get(key.text)
        return GivenTable(name, model.key if model else None, rows, key.place)

    def _name(self, key: ScalarNode) -> str | None:
        """The table that is given: a model's, or the one of that name."""
        if key.text in self._models:
            model = self._models[key.text]
            return model.table if model else None
        if key.text in self._listed:
            return key.text
        if self._any_table:
            try:
                return TABLE.read(key)
            except InvalidValueError as error:
                self._subject.problem(key, f"`{shown(key.text)}` {error.message}.")
                return None
        known = (*self._models, *self._listed)
        message = f"There is no model '{shown(key.text)}', and the segment reads no table of that name."
        self._subject.problem(
            key,
            message,
            allowed=known or ("none is declared",),
            hint=suggestion(key.text, known),
            needs_all_files=True,
        )
        return None

    def _rows(self, node: Node, name: str) -> tuple[GivenRow, ...] | None:
        if isinstance(node, ScalarNode) and node.kind == "null":
            return ()
        if not isinstance(node, ListNode):
            message = f"`{shown(name)}` must be a list of rows, not {kind_of(node)}."
            self._subject.problem(node, message)
            return None
        rows = [self._row(item, name) for item in node.items]
        whole = tuple(row for row in rows if row is not None)
        return whole if len(whole) == len(rows) else None

    def _row(self, node: Node, name: str) -> GivenRow | None:
        try:
            return ROW.read(node)
        except InvalidValueError as error:
            message = f"A row of `{shown(name)}` {error.message}."
            self._subject.problem(error.at or node, message, hint=error.hint)
            return None

    def _are_different(self, tables: list[GivenTable]) -> bool:
        first: dict[str, GivenTable] = {}
        for table in tables:
            if first.setdefault(table.table.casefold(), table) is not table:
                message = f"The table '{shown(table.table)}' is given twice."
                self._subject.problem(table.place, message, hint="Merge the two lists.")
                return False
        return True


def _read_expected(node: Node, segment: Segment | None, models: Models, subject: Subject) -> _Expected | None:
    if isinstance(node, MapNode):
        found = read_settings(node, EXPECT_SETTINGS, subject.part("expect"))
        column = found.get(COLUMN) if found else None
        members = found.get(MEMBERS) if found else None
        return None if column is None or members is None else _Expected(column, members)
    try:
        members = MEMBERS.kind.read(node)
    except InvalidValueError as error:
        message = f"`expect` {error.message}."
        subject.problem(error.at or node, message, hint=error.hint)
        return None
    if segment is None or (segment.model and models.get(segment.model) is None):
        return None
    model = models.get(segment.model or "")
    if model is None or model.primary_key is None:
        what = f"Model '{model.key}' has no `key`" if model else f"Segment '{segment.key}' has no model"
        subject.problem(
            node,
            f"{what}, so `expect` must name the column of its values.",
            hint="Write expect: {column: email, members: […]}.",
        )
        return None
    return _Expected(model.primary_key, members)
