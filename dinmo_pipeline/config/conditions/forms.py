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
FORM_DOCS = {
    "all": "A list of conditions: every one of them holds.",
    "any": "A list of conditions: at least one of them holds.",
    "not": "One condition, which does not hold; so it is true of unknown fields, which no comparison is.",
    "field": "A column of the row, tested by the one operator beside it.",
    "in_segment": "The row is a member of another segment, found by the model's `key`.",
    "exists": "A relation: there is at least one related row. With `where`, one that meets it.",
    "none": "A relation: there are no related rows. With `where`, none that meets it.",
    "count": "A relation: how many related rows there are, 0 without any.",
    "count_distinct": "A relation and its column: how many different values it has, 0 without rows.",
    "sum": "A relation and its column: the sum over the related rows; unknown without any.",
    "avg": "A relation and its column: the average over the related rows; unknown without any.",
    "min": "A relation and its column: the least value among the related rows.",
    "max": "A relation and its column: the greatest value among the related rows.",
    "first": "A relation and its column: the value in the first row by the column `by`.",
    "last": "A relation and its column: the value in the last row by the column `by`.",
}
"""What each form means, for editors."""
OWN_DOCS = {
    "where": "A condition on the related rows, before they are measured.",
    "by": "The column that sorts the related rows.",
}
