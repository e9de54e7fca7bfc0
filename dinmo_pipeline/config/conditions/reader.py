"""Reads `where` into conditions."""

from dataclasses import dataclass
from typing import cast

from dinmo_pipeline.config.conditions.comparison_reader import read_comparison, take
from dinmo_pipeline.config.conditions.forms import FORM_WORDS, GROUP_WORDS, MEASURES
from dinmo_pipeline.config.conditions.operators import (
    nearest_operator,
)
from dinmo_pipeline.config.conditions.relation_paths import Models, read_path
from dinmo_pipeline.config.declarations import Model
from dinmo_pipeline.config.declarations.conditions import (
    AllOf,
    AnyOf,
    Condition,
    FieldCondition,
    InSegment,
    Measure,
    Not,
    RelatedCondition,
)
from dinmo_pipeline.config.strict_yaml.kinds import LINE
from dinmo_pipeline.config.strict_yaml.nodes import ListNode, MapNode, Node, Scalar, kind_of
from dinmo_pipeline.config.strict_yaml.report import Subject
from dinmo_pipeline.text.wording import shown, suggestion

MAX_DEPTH = 50


@dataclass(frozen=True, slots=True)
class SegmentReference:
    """An `in_segment`, and the model whose rows it tests (None if unknown)."""

    segment: str
    node: Node
    model: Model | None


class ConditionReader:
    """Reads the conditions of one object; problems go to the report, references to `references`."""

    def __init__(self, subject: Subject, models: Models) -> None:
        self._subject = subject
        self._models = models
        self.references: list[SegmentReference] = []

    def read(self, node: Node, model: Model | None, depth: int = 1) -> Condition | None:
        """The condition of a node over rows of `model`; None after a problem."""
        if depth > MAX_DEPTH:
            self._problem(node, f"Conditions are nested more than {MAX_DEPTH} levels deep.")
            return None
        if isinstance(node, ListNode):
            return self._group("all", node, model, depth)
        if not isinstance(node, MapNode):
            self._problem(node, f"A condition must be a mapping or a list, not {kind_of(node)}.", FORM_WORDS)
            return None
        return self._read_form(node, model, depth)

    def _read_form(self, node: MapNode, model: Model | None, depth: int) -> Condition | None:
        form = self._form_of(node)
        if form is None:
            return None
        value = cast("Node", node.get(form))
        if form in GROUP_WORDS:
            self._refuse_others(node, form)
            return self._group(form, value, model, depth)
        if form == "in_segment":
            self._refuse_others(node, form)
            return self._in_segment(value, model)
        if form == "field":
            return self._field(node, value, model)
        return self._related(cast("Measure", form), node, value, model, depth)

    def _form_of(self, node: MapNode) -> str | None:
        """The one key that gives the form of the condition."""
        forms = [key for key, _ in node.entries if key.text in FORM_WORDS]
        if len(forms) == 1:
            return forms[0].text
        if forms:
            self._refuse_two_forms(forms)
            return None
        first = node.entries[0][0] if node.entries else None
        hint = suggestion(first.text, FORM_WORDS) if first else None
        self._problem(first or node, "This condition has none of the known keys.", FORM_WORDS, hint)
        return None

    def _refuse_two_forms(self, forms: list[Scalar]) -> None:
        hint: str | None = "Write each as an item of `all` or `any`."
        wrong = forms[1]
        if any(key.text == "field" for key in forms):
            wrong = next(key for key in forms if key.text != "field")
            hint = nearest_operator(wrong.text) or hint
        message = f"`{forms[0].text}` and `{forms[1].text}` cannot be in one condition."
        self._problem(wrong, message, (), hint)

    def _group(self, form: str, node: Node, model: Model | None, depth: int) -> Condition | None:
        if form == "not":
            return self._negation(node, model, depth)
        if not isinstance(node, ListNode):
            hint = "Start each condition with '- '."
            self._problem(node, f"`{form}` must be a list of conditions, not {kind_of(node)}.", (), hint)
            return None
        if not node.items:
            self._problem(node, f"`{form}` must list at least one condition.")
            return None
        conditions = [self.read(item, model, depth + 1) for item in node.items]
        whole = tuple(condition for condition in conditions if condition is not None)
        if len(whole) < len(conditions):
            return None
        return AllOf(whole) if form == "all" else AnyOf(whole)

    def _negation(self, node: Node, model: Model | None, depth: int) -> Condition | None:
        if isinstance(node, ListNode):
            hint = "Write not: {all: […]} or not: {any: […]}."
            self._problem(node, "`not` takes one condition, not a list.", (), hint)
            return None
        condition = self.read(node, model, depth + 1)
        return None if condition is None else Not(condition)

    def _in_segment(self, node: Node, model: Model | None) -> Condition | None:
        segment = take(self._subject, "in_segment", lambda: LINE.read(node), node)
        if segment is None:
            return None
        self.references.append(SegmentReference(segment, node, model))
        return InSegment(segment, node.place)

    def _field(self, node: MapNode, value: Node, model: Model | None) -> Condition | None:
        field = take(self._subject, "field", lambda: LINE.read(value), value)
        test = read_comparison(node, ("field",), "field", "values", self._subject)
        if field is None or test is None:
            return None
        relation = field.partition(".")[0]
        if "." in field and model is not None and relation in model.relations:
            hint = f"To test related rows: {{exists: {shown(relation)}, where: {{field: …}}}}."
            self._problem(
                value,
                f"'{shown(relation)}' is a relation, not a column of '{model.key}'.",
                (),
                hint,
            )
            return None
        return FieldCondition(field, test, node.place)

    def _related(
        self, measure: Measure, node: MapNode, value: Node, model: Model | None, depth: int
    ) -> Condition | None:
        form = MEASURES[measure]
        own = (measure, "where", "by") if form.sorts else (measure, "where")
        found_before = self._subject.report.count
        path = take(
            self._subject,
            measure,
            lambda: read_path(value, model, self._models, with_column=form.measures_column),
            value,
        )
        test = read_comparison(node, own, measure, form.comparison, self._subject)
        order_by = self._order_by(node, measure) if form.sorts else None
        where = node.get("where")
        end = path.model if path else None
        condition = self.read(where, end, depth + 1) if where is not None else None
        if path is None or self._subject.report.count > found_before:
            return None
        return RelatedCondition(measure, path.relations, path.column, order_by, condition, test, node.place)

    def _order_by(self, node: MapNode, measure: str) -> str | None:
        by = node.get("by")
        if by is None:
            self._problem(node, f"`{measure}` needs `by`, the column to sort its rows by.")
            return None
        return take(self._subject, "by", lambda: LINE.read(by), by)

    def _refuse_others(self, node: MapNode, form: str) -> None:
        for key, _ in node.entries:
            if key.text != form:
                message = f"`{shown(key.text)}` cannot be used with `{form}`."
                self._problem(key, message, (form,), "Write each as an item of `all` or `any`.")

    def _problem(
        self, at: Node, message: str, allowed: tuple[str, ...] = (), hint: str | None = None
    ) -> None:
        self._subject.problem(at, message, allowed=allowed, hint=hint)
