"""The conditions of a segment, as values: what `where` in the declarations means.

A condition is true or false of one row, never unknown: a test of a field that is NULL is false, and
`not` turns it into true. `not_equals` and `not_in` are `not` of their opposites, so they are true of NULL.
"""

from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, TypeAlias

from dinmo_pipeline.config.strict_yaml.problems import Place

Unit: TypeAlias = Literal["minutes", "hours", "days", "weeks", "months", "years"]


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time: `365 days`. The amount is zero or more."""

    amount: int
    unit: Unit


@dataclass(frozen=True, slots=True)
class Relative:
    """A moment relative to now: `today`, `yesterday`, `now`, `30 days ago`, `in 2 hours`.

    `offset` counts in `unit` and is negative in the past. In days and longer units the moment is a whole
    day of the activation's time zone; in hours and minutes it is an instant.
    """

    offset: int
    unit: Unit


# A plain YAML `2026-03-01` is a date; in quotes it is text.
Scalar: TypeAlias = str | int | Decimal | bool | date | datetime
Moment: TypeAlias = date | datetime | Relative

Operator: TypeAlias = Literal[
    "equals",
    "not_equals",
    "in",
    "not_in",
    "greater_than",
    "at_least",
    "less_than",
    "at_most",
    "between",  # both ends included
    "contains",
    "starts_with",
    "ends_with",
    "is_set",  # value True: not NULL and, for text, not blank; False: the opposite
    "is_blank",  # the opposite of is_set
    "is_true",
    "is_false",
    "within_last",  # Duration
    "within_next",  # Duration
    "before",  # Moment
    "after",  # Moment
    "on",  # a day: date or Relative in days
    "anniversary_on",  # a day; the month and day agree (29 February falls on 28 February in short years)
    "anniversary_within_next",  # Duration in days or weeks; today counts
]

Value: TypeAlias = Scalar | Duration | Relative | tuple[Scalar, ...] | None


@dataclass(frozen=True, slots=True)
class Test:
    """One operator and what it compares with; `ignore_case` is for text operators."""

    operator: Operator
    value: Value
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class FieldCondition:
    """`{field: country, in: [FR, BE]}`: a test of one column of the row."""

    field: str
    test: Test
    place: Place = dataclass_field(compare=False, repr=False)


Measure: TypeAlias = Literal[
    "exists", "none", "count", "count_distinct", "sum", "avg", "min", "max", "first", "last"
]


@dataclass(frozen=True, slots=True)
class RelatedCondition:
    """`{sum: orders.lines.amount, greater_than: 1000, where: …}`: a test of the related rows.

    `relations` is the path from the row's model (`("orders", "lines")`), `field` the measured column (None
    for exists, none and count), `order_by` the column that `first` and `last` sort by, `where` a condition on
    the rows at the end of the path, and `test` the comparison (None for exists and none).
    """

    measure: Measure
    relations: tuple[str, ...]
    field: str | None
    order_by: str | None
    where: "Condition | None"
    test: Test | None
    place: Place = dataclass_field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class InSegment:
    """`{in_segment: churned}`: the row is a member of another segment of the same model's key."""

    segment: str
    place: Place = dataclass_field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one of the conditions holds; true of none."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of the conditions holds; false of none."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The condition does not hold."""

    condition: "Condition"


Condition: TypeAlias = FieldCondition | RelatedCondition | InSegment | AllOf | AnyOf | Not
