"""How `where` is read, and what is refused."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dinmo_pipeline.config.declarations.conditions import (
    AllOf,
    AnyOf,
    Duration,
    FieldCondition,
    InSegment,
    Not,
    RelatedCondition,
    Relative,
)
from dinmo_pipeline.config.declarations.conditions import (
    Test as Comparison,
)
from dinmo_pipeline.config.strict_yaml.problems import Place
from dinmo_pipeline_tests.config.reading import (
    MODELS,
    SOURCE_AND_STATE,
    condition,
    load,
    messages,
    with_where,
)

_ANYWHERE = Place("", 1, 1)


def _field(name, operator, value, *, ignore_case=False):
    return FieldCondition(name, Comparison(operator, value, ignore_case), _ANYWHERE)


@pytest.mark.parametrize(
    ("written", "operator", "value"),
    [
        ("equals: NO", "equals", "NO"),
        ("equals: 5", "equals", 5),
        ("equals: 0.10", "equals", Decimal("0.10")),
        ("equals: true", "equals", True),
        ("equals: 2026-03-01", "equals", date(2026, 3, 1)),
        ("equals: '2026-03-01'", "equals", "2026-03-01"),
        ("equals: ''", "equals", ""),
        ("not_equals: FR", "not_equals", "FR"),
        ("in: [FR, BE]", "in", ("FR", "BE")),
        ("in: [1, 2.5]", "in", (1, Decimal("2.5"))),
        ("not_in: [1]", "not_in", (1,)),
        ("greater_than: -3", "greater_than", -3),
        ("at_least: 1e2", "at_least", Decimal(100)),
        ("less_than: m", "less_than", "m"),
        ("at_most: 2026-03-01T09:30", "at_most", datetime(2026, 3, 1, 9, 30)),
        ("between: [1, 1]", "between", (1, 1)),
        ("between: [b, a]", "between", ("b", "a")),
        ("contains: '100%'", "contains", "100%"),
        ("starts_with: ' '", "starts_with", " "),
        ("ends_with: .com", "ends_with", ".com"),
        ("is: set", "is_set", True),
        ("is: blank", "is_blank", True),
        ("is: true", "is_true", None),
        ("is: false", "is_false", None),
        ("within_last: 30 days", "within_last", Duration(30, "days")),
        ("within_last: 1 Hour", "within_last", Duration(1, "hours")),
        ("within_next: 2  weeks", "within_next", Duration(2, "weeks")),
        ("before: today", "before", Relative(0, "days")),
        ("before: now", "before", Relative(0, "minutes")),
        ("after: 30 days ago", "after", Relative(-30, "days")),
        ("after: in 2 hours", "after", Relative(2, "hours")),
        ("after: 2026-03-01T09:30:00Z", "after", datetime(2026, 3, 1, 9, 30, tzinfo=UTC)),
        (
            "after: 2026-03-01 09:30:00.5+01:00",
            "after",
            datetime(2026, 3, 1, 9, 30, 0, 500_000, tzinfo=timezone(timedelta(hours=1))),
        ),
        ("on: yesterday", "on", Relative(-1, "days")),
        ("on: '2026-03-01'", "on", date(2026, 3, 1)),
        ("on: in 1 month", "on", Relative(1, "months")),
        ("anniversary: tomorrow", "anniversary_on", Relative(1, "days")),
        ("anniversary: {within_next: 7 days}", "anniversary_within_next", Duration(7, "days")),
    ],
)
def test_each_operator_and_value(written, operator, value):
    """Values keep their type exactly."""
    found = condition(f"{{field: x, {written}}}")
    assert isinstance(found, FieldCondition)
    assert found == _field("x", operator, value)
    assert type(found.test.value) is type(value)


def test_text_operators_can_ignore_case():
    """The test that is read has the flag."""
    found = condition("{field: x, contains: Shoe, ignore_case: true}")
    assert found == _field("x", "contains", "Shoe", ignore_case=True)


def test_groups_nest_and_a_list_means_all():
    """To any depth a person writes."""
    a, b = "{field: a, equals: 1}", "{field: b, equals: 2}"
    one, two = _field("a", "equals", 1), _field("b", "equals", 2)
    assert condition(f"[{a}, {b}]") == AllOf((one, two))
    assert condition(f"{{any: [{a}, {{not: [{b}]}}]}}".replace(f"[{b}]", b)) == AnyOf((one, Not(two)))
    assert condition(f"{{all: [{{any: [{a}]}}, [{b}]]}}") == AllOf((AnyOf((one,)), AllOf((two,))))
    assert condition("{not: {in_segment: t}}") == Not(InSegment("t", _ANYWHERE))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{exists: orders}", ("exists", ("orders",), None, None, None)),
        ("{none: orders.lines}", ("none", ("orders", "lines"), None, None, None)),
        (
            "{count: orders, at_least: 3}",
            ("count", ("orders",), None, None, Comparison("at_least", 3)),
        ),
        (
            "{count_distinct: orders.lines.sku, in: [1, 2]}",
            ("count_distinct", ("orders", "lines"), "sku", None, Comparison("in", (1, 2))),
        ),
        (
            "{sum: orders.total, greater_than: 99.5}",
            ("sum", ("orders",), "total", None, Comparison("greater_than", Decimal("99.5"))),
        ),
        (
            "{avg: orders.total, at_most: 5}",
            ("avg", ("orders",), "total", None, Comparison("at_most", 5)),
        ),
        (
            "{min: orders.ordered_at, before: today}",
            ("min", ("orders",), "ordered_at", None, Comparison("before", Relative(0, "days"))),
        ),
        (
            "{max: orders.code, is: set}",
            ("max", ("orders",), "code", None, Comparison("is_set", value=True)),
        ),
        (
            "{last: orders.status, by: ordered_at, equals: paid}",
            ("last", ("orders",), "status", "ordered_at", Comparison("equals", "paid")),
        ),
    ],
)
def test_measures_of_related_rows(written, expected):
    """Path, column, order and comparison."""
    found = condition(written)
    measure, relations, field, order_by, test = expected
    assert found == RelatedCondition(measure, relations, field, order_by, None, test, _ANYWHERE)


def test_where_of_related_rows_is_about_the_end_of_the_path():
    """Its relations are those of the last model."""
    found = condition("{exists: orders, where: {count: lines, at_least: 2}}")
    assert isinstance(found, RelatedCondition)
    assert isinstance(found.where, RelatedCondition)
    assert found.where.relations == ("lines",)
    assert messages(with_where("{exists: orders, where: {count: orders, at_least: 2}}")) == [
        "`count` is not a relation of model 'orders': 'orders'."
    ]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("x", "A condition must be a mapping or a list, not text."),
        ("~", "A condition must be a mapping or a list, not nothing."),
        ("{}", "This condition has none of the known keys."),
        ("[]", "`all` must list at least one condition."),
        ("{any: {field: x}}", "`any` must be a list of conditions, not a mapping."),
        ("{not: [{field: x, is: set}]}", "`not` takes one condition, not a list."),
        ("{feild: x, equals: 1}", "This condition has none of the known keys."),
        (
            "{all: [{field: x, is: set}], any: [{field: x, is: set}]}",
            "`all` and `any` cannot be in one condition.",
        ),
        ("{all: [{field: x, is: set}], where: y}", "`where` cannot be used with `all`."),
        ("{field: x}", "`field` needs an operator beside it."),
        ("{field: x, not: FR}", "`field` and `not` cannot be in one condition."),
        ("{field: x, more_than: 3}", "`more_than` is not an operator."),
        (
            "{field: x, at_least: 1, at_most: 3}",
            "`at_least` and `at_most` cannot be in one condition.",
        ),
        ("{field: x, equals: ~}", "`equals` must be a value, not null."),
        ("{field: x, equals: [1]}", "`equals` must be one value, not a list."),
        ("{field: x, equals: .inf}", "`equals` must be a finite number."),
        ("{field: x, equals: 1e99}", "`equals` must be a number of at most 38 digits."),
        (
            "{field: x, equals: 2026-02-30}",
            "`equals` is a day or time that does not exist: '2026-02-30'.",
        ),
        ("{field: x, in: []}", "`in` must not be an empty list."),
        ("{field: x, in: FR}", "`in` must be a list of values, not text."),
        (
            "{field: x, in: [1, FR]}",
            "`in` must contain values of one type, but mixes numbers and text.",
        ),
        ("{field: x, in: [1, ~]}", "`in` contains a value that must be a value, not null."),
        (
            "{field: x, at_least: true}",
            "`at_least` must be a number, a date or text, not true or false.",
        ),
        (
            "{field: x, between: [1]}",
            "`between` must be a list of two values, the lowest and the highest: [10, 20].",
        ),
        (
            "{field: x, between: [2, 1]}",
            "`between` has its highest value first: nothing is between them.",
        ),
        (
            "{field: x, between: [1, b]}",
            "`between` must contain values of one type, but mixes numbers and text.",
        ),
        ("{field: x, contains: 75}", "`contains` must be text, not a number."),
        ("{field: x, contains: ''}", "`contains` must not be empty: every text contains it."),
        ("{field: x, equals: a, ignore_case: true}", "`ignore_case` does not go with `equals`."),
        (
            "{field: x, contains: a, ignore_case: si}",
            "`ignore_case` must be true or false, not text.",
        ),
        ("{field: x, is: unset}", "`is` must be one of the allowed values."),
        (
            "{field: x, within_last: 30}",
            "`within_last` must look like one of the examples, not a number.",
        ),
        ("{field: x, within_last: -3 days}", "`within_last` must be a number and a unit."),
        (
            "{field: x, within_last: 2 fortnights}",
            "`within_last` has an unknown unit, 'fortnights'.",
        ),
        (
            "{field: x, within_last: 101 years}",
            "`within_last` must be at most 100 years: 100 years.",
        ),
        ("{field: x, before: soon}", "`before` must be a day, a time, or relative to now."),
        ("{field: x, on: now}", "`on` must be a whole day."),
        ("{field: x, on: 2 hours ago}", "`on` has an unknown unit, 'hours'."),
        (
            "{field: x, anniversary: {within: 1 day}}",
            "`anniversary` must be a day or {within_next: 7 days}.",
        ),
        (
            "{field: x, anniversary: {within_next: 53 weeks}}",
            "`anniversary` must look at most a year ahead: every anniversary is within a year.",
        ),
        (
            "{field: orders.total, at_least: 1}",
            "'orders' is a relation, not a column of 'customers'.",
        ),
        ("{exists: order}", "`exists` is not a relation of model 'customers': 'order'."),
        ("{exists: orders..lines}", "`exists` has an empty part between dots."),
        ("{exists: orders, at_least: 2}", "`exists` does not take a comparison."),
        ("{count: orders}", "`count` needs an operator beside it."),
        (
            "{count: orders, at_least: x}",
            "`count` can only be compared with whole numbers, zero or more.",
        ),
        (
            "{count: orders, at_least: 1.5}",
            "`count` can only be compared with whole numbers, zero or more.",
        ),
        (
            "{count: orders, between: [-1, 2]}",
            "`count` can only be compared with whole numbers, zero or more.",
        ),
        (
            "{count: orders, contains: x}",
            "`contains` cannot be used with `count`, which is a number.",
        ),
        ("{sum: orders, at_least: 1}", "`sum` must name a relation and one of its columns."),
        ("{sum: orders.total, equals: abc}", "`sum` can only be compared with numbers."),
        (
            "{last: orders.status, equals: paid}",
            "`last` needs `by`, the column to sort its rows by.",
        ),
        ("{in_segment: s}", "These segments refer to each other in a circle: s → s."),
        ("{in_segment: u}", "There is no segment 'u'."),
        (
            "{exists: orders.lines, where: {in_segment: t}}",
            "`in_segment` needs the model 'order_lines' to have a `key`, to find members by.",
        ),
    ],
)
def test_each_mistake_has_its_sentence(written, message):
    """Exactly one."""
    assert messages(with_where(written)) == [message]


def test_each_mistake_in_a_condition_is_reported():
    """Not only the first."""
    where = "{all: [{count: ordrs, at_least: x}, {field: x, is: y}, {in_segment: z}]}"
    assert len(messages(with_where(where))) == 4


def test_circles_of_segments_are_named_once():
    """With every segment on the way."""
    text = (
        SOURCE_AND_STATE
        + MODELS
        + (
            "segments:\n"
            "  a: {model: customers, where: {in_segment: b}}\n"
            "  b: {model: customers, where: {not: {in_segment: c}}}\n"
            "  c: {model: customers, where: [{in_segment: a}, {in_segment: d}]}\n"
            "  d: {model: customers, where: {exists: orders}}\n"
        )
    )
    assert messages(text) == ["These segments refer to each other in a circle: a → b → c → a."]


def test_segments_may_share_a_segment():
    """That is not a circle."""
    text = (
        SOURCE_AND_STATE
        + MODELS
        + (
            "segments:\n"
            "  a: {model: customers, where: [{in_segment: b}, {in_segment: c}]}\n"
            "  b: {model: customers, where: {in_segment: c}}\n"
            "  c: {table: c}\n"
        )
    )
    assert load(text)


def test_nesting_is_bounded():
    """Fifty levels are read, more are refused."""
    deep = "{not: " * 49 + "{field: x, is: set}" + "}" * 49
    assert condition(deep)
    assert messages(with_where("{not: " + deep + "}")) == ["Conditions are nested more than 50 levels deep."]


@given(st.one_of(st.integers(-(10**30), 10**30), st.decimals(-(10**9), 10**9, places=6)))
def test_numbers_come_back_exactly(number):
    """No binary fraction on the way."""
    found = condition(
        f"{{field: x, equals: {number:f}}}"
        if isinstance(number, Decimal)
        else f"{{field: x, equals: {number}}}"
    )
    assert isinstance(found, FieldCondition)
    assert found.test.value == number


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_text_comes_back_exactly(text):
    """Whatever it looks like."""
    found = condition(f"{{field: x, equals: {json.dumps(text)}}}")
    assert isinstance(found, FieldCondition)
    assert found.test.value == text
