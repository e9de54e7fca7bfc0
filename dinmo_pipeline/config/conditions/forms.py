"""The forms of a condition and what each takes: one table for the reader and the JSON Schema."""

from dataclasses import dataclass
from typing import Literal, get_args

from dinmo_pipeline.config.declarations.conditions import Measure

Comparison = Literal["none", "values", "numbers", "whole numbers"]


@dataclass(frozen=True, slots=True)
class MeasureForm:
    """What a measure of related rows takes: a column at the end of its path, `by`, and which comparison."""

    measures_column: bool
    sorts: bool
    comparison: Comparison


MEASURES: dict[Measure, MeasureForm] = {
    "exists": MeasureForm(measures_column=False, sorts=False, comparison="none"),
    "none": MeasureForm(measures_column=False, sorts=False, comparison="none"),
    "count": MeasureForm(measures_column=False, sorts=False, comparison="whole numbers"),
    "count_distinct": MeasureForm(measures_column=True, sorts=False, comparison="whole numbers"),
    "sum": MeasureForm(measures_column=True, sorts=False, comparison="numbers"),
    "avg": MeasureForm(measures_column=True, sorts=False, comparison="numbers"),
    "min": MeasureForm(measures_column=True, sorts=False, comparison="values"),
    "max": MeasureForm(measures_column=True, sorts=False, comparison="values"),
    "first": MeasureForm(measures_column=True, sorts=True, comparison="values"),
    "last": MeasureForm(measures_column=True, sorts=True, comparison="values"),
}
MEASURE_WORDS: tuple[Measure, ...] = get_args(Measure)
GROUP_WORDS = ("all", "any", "not")
FORM_WORDS: tuple[str, ...] = (*GROUP_WORDS, "field", "in_segment", *MEASURE_WORDS)
