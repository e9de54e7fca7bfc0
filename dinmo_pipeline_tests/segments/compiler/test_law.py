"""The law of segments: the SELECT has the same members as a plain reading of the declaration."""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dinmo_pipeline.config.declarations.conditions import (
    AllOf,
    AnyOf,
    Condition,
    Duration,
    FieldCondition,
    Not,
    RelatedCondition,
    Relative,
)
from dinmo_pipeline.config.declarations.conditions import (
    Test as Comparison,
)
from dinmo_pipeline_tests.segments.compiler.evaluator import Evaluator, Row
from dinmo_pipeline_tests.segments.declaring import HERE, in_segment, model, project, segment
from dinmo_pipeline_tests.segments.engines import DuckDBEngine, PostgresEngine
from dinmo_pipeline_tests.segments.reading import members

NOW = datetime(2024, 2, 28, 22, 30, tzinfo=UTC)  # the 29th in Paris, and a leap year
ZONES = ("UTC", "Europe/Paris", "America/New_York", "Pacific/Auckland")

CUSTOMERS = pa.schema(
    [
        ("id", pa.int32()),
        ("area", pa.int32()),
        ("country", pa.string()),
        ("spent", pa.decimal128(9, 2)),
        ("vip", pa.bool_()),
        ("born", pa.date32()),
        ("seen", pa.timestamp("us")),
        ("bought", pa.timestamp("us", tz="UTC")),
    ]
)
ORDERS = pa.schema(
    [
        ("order_id", pa.int32()),
        ("customer", pa.int32()),
        ("area", pa.int32()),
        ("amount", pa.decimal128(9, 2)),
        ("pieces", pa.int32()),
        ("state", pa.string()),
        ("day", pa.date32()),
    ]
)
LINES = pa.schema([("parent", pa.int32()), ("pieces", pa.int32()), ("state", pa.string())])
SCHEMAS = {"customers": CUSTOMERS, "orders": ORDERS, "order_lines": LINES}

HOW_MANY = {"customers": 14, "orders": 30, "order_lines": 40}

TODAY = date(2024, 2, 28)
FAR_DAYS = [
    date(2000, 2, 29),
    date(2001, 2, 28),
    date(2023, 12, 31),
    date(2024, 3, 1),
    date(2023, 3, 1),
]
MINUTES = [0, 1, 60, 719, 720, 1350, 1410, 1439]
TEXTS = ["FR", "fr", "Fr%", "f_r", "B\\E", "", " ", "É'"]


def at(day: date, minutes: int) -> datetime:
    """A time some minutes after midnight."""
    return datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)


def world_of(seed: int) -> dict[str, list[Row]]:
    """Rows any value of which may be NULL, and whose keys meet and repeat.

    Not drawn by Hypothesis: it likes few and equal rows, of which most conditions hold all or nothing.
    """
    chance = random.Random(seed)  # noqa: S311 - nothing to keep secret

    def day() -> date:
        return chance.choice([TODAY + timedelta(days=chance.randint(-4, 4)), chance.choice(FAR_DAYS)])

    by_type: dict[pa.DataType, Callable[[], Any]] = {
        pa.int32(): lambda: chance.randint(0, 5),
        pa.string(): lambda: chance.choice(TEXTS),
        pa.decimal128(9, 2): lambda: Decimal(chance.randint(-8, 8)) / 4,
        pa.bool_(): lambda: chance.random() < 0.5,
        pa.date32(): day,
        pa.timestamp("us"): lambda: at(day(), chance.choice(MINUTES)),
        pa.timestamp("us", tz="UTC"): lambda: at(day(), chance.choice(MINUTES)).replace(tzinfo=UTC),
    }
    wide = {"id": 11, "customer": 11, "order_id": 25, "parent": 25, "area": 1}

    def value(column: pa.Field) -> Any:
        if chance.random() < 0.15:
            return None
        return chance.randint(0, wide[column.name]) if column.name in wide else by_type[column.type]()

    return {
        name: [{column.name: value(column) for column in schema} for _ in range(HOW_MANY[name])]
        for name, schema in SCHEMAS.items()
    }


MODELS = (
    model(
        "customers",
        primary_key="id",
        orders=("orders", {"id": "customer"}),
        local=("orders", {"id": "customer", "area": "area"}),
    ),
    model("orders", primary_key="order_id", lines=("order_lines", {"order_id": "parent"})),
    model("order_lines"),
)

small = st.integers(0, 4)
days = st.integers(-3, 3).map(lambda offset: TODAY + timedelta(days=offset)) | st.sampled_from(FAR_DAYS)
texts = st.sampled_from(TEXTS)
amounts = st.integers(-8, 8).map(lambda quarters: Decimal(quarters) / 4)
moments = st.builds(at, days, st.sampled_from(MINUTES))


def compared(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Comparison]:
    """Comparisons that every ordered type has."""
    one = st.sampled_from(["equals", "not_equals", "greater_than", "at_least", "less_than", "at_most"])
    many = st.sampled_from(["in", "not_in"])
    return (
        st.builds(Comparison, one, values)
        | st.builds(Comparison, many, st.lists(values, min_size=1, max_size=3).map(tuple))
        | st.builds(Comparison, st.just("between"), st.tuples(values, values))
    )


known = st.sampled_from([Comparison("is_set", value=True), Comparison("is_blank", value=True)])
numbers = compared(small | amounts)
# Order among texts is the warehouse's own; equality and parts of text are not.
wordings = st.builds(
    Comparison,
    st.sampled_from(["equals", "not_equals", "contains", "starts_with", "ends_with"]),
    texts.filter(bool),
    st.booleans(),
) | st.builds(
    Comparison,
    st.sampled_from(["in", "not_in"]),
    st.lists(texts, min_size=1, max_size=3).map(tuple),
    st.booleans(),
)
relative = st.builds(Relative, st.integers(-13, 3), st.sampled_from(["days", "weeks", "months", "years"]))
clocks = st.builds(Relative, st.integers(-30, 3), st.sampled_from(["minutes", "hours"]))
lengths = st.builds(Duration, st.integers(0, 13), st.sampled_from(["days", "weeks", "months", "years"]))
hours = st.builds(Duration, st.integers(0, 50), st.sampled_from(["minutes", "hours"]))
anniversaries = st.builds(Comparison, st.just("anniversary_on"), days) | st.builds(
    Comparison,
    st.just("anniversary_within_next"),
    st.builds(Duration, st.integers(0, 366), st.just("days")) | st.builds(Duration, small, st.just("weeks")),
)
calendar = (
    compared(days)
    | st.builds(Comparison, st.sampled_from(["before", "after", "on"]), days | relative)
    | st.builds(Comparison, st.sampled_from(["within_last", "within_next"]), lengths)
    | anniversaries
)
timeline = (
    calendar
    | compared(moments | moments.map(lambda moment: moment.replace(tzinfo=UTC)))
    | st.builds(Comparison, st.sampled_from(["before", "after"]), clocks)
    | st.builds(Comparison, st.sampled_from(["within_last", "within_next"]), hours)
)
truths = st.sampled_from(
    [Comparison("is_true", None), Comparison("is_false", None), Comparison("equals", value=False)]
)


def fields(tests: Mapping[str, st.SearchStrategy[Comparison]]) -> st.SearchStrategy[FieldCondition]:
    """A test of one of the columns."""
    return st.sampled_from(sorted(tests)).flatmap(
        lambda name: st.builds(FieldCondition, st.just(name), tests[name] | known, st.just(HERE))
    )


def groups(leaves: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    """Conditions, joined and negated."""

    def extend(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
        several = st.lists(inner, min_size=2, max_size=3).map(tuple)
        return st.builds(AllOf, several) | st.builds(AnyOf, several) | st.builds(Not, inner)

    return st.recursive(leaves, extend, max_leaves=4)


def related(
    path: tuple[str, ...],
    where: st.SearchStrategy[Condition],
    columns: Mapping[str, Any],
    order: str,
) -> list[st.SearchStrategy[RelatedCondition]]:
    """Every measure of the rows at the end of a path, one strategy each."""
    numeric = sorted(name for name, tests in columns.items() if tests is numbers)
    maybe = st.none() | where

    def of(measure: str, names: list[str], test: Any, by: str | None = None) -> st.SearchStrategy[Any]:
        return st.sampled_from(names).flatmap(
            lambda name: st.builds(
                RelatedCondition,
                st.just(measure),
                st.just(path),
                st.just(name),
                st.just(by),
                maybe,
                test if test is not None else columns[name],
                st.just(HERE),
            )
        )

    plain = st.builds(
        RelatedCondition,
        st.sampled_from(["exists", "none"]),
        st.just(path),
        st.none(),
        st.none(),
        maybe,
        st.none(),
        st.just(HERE),
    )
    counted = st.builds(
        RelatedCondition,
        st.just("count"),
        st.just(path),
        st.none(),
        st.none(),
        maybe,
        compared(small),
        st.just(HERE),
    )
    texts_aside = [name for name in sorted(columns) if columns[name] is not wordings]
    return [
        plain,
        counted,
        of("count_distinct", sorted(columns), compared(small)),
        *(of(measure, numeric, numbers | known) for measure in ("sum", "avg")),
        *(of(measure, texts_aside, None) for measure in ("min", "max")),
        *(of(measure, texts_aside, None, order) for measure in ("first", "last")),
    ]


LINE = {"pieces": numbers, "state": wordings}
ORDER = {"amount": numbers, "pieces": numbers, "state": wordings, "day": calendar}
CUSTOMER = {
    "id": numbers,
    "country": wordings,
    "spent": numbers,
    "vip": truths,
    "born": calendar,
    "seen": timeline,
    "bought": timeline,
}
of_lines = groups(fields(LINE))
of_orders = groups(fields(ORDER) | st.one_of(related(("lines",), of_lines, LINE, "pieces")))
leaves = [
    *(fields({name: tests}) for name, tests in CUSTOMER.items() for _ in range(3)),
    *related(("orders",), of_orders, ORDER, "day"),
    *related(("local",), of_orders, ORDER, "amount"),
    *related(("orders", "lines"), of_lines, LINE, "pieces"),
    st.just(in_segment("other")),
]
# One of each kind, and some of them joined: no example leaves a kind out.
of_customers = st.tuples(*leaves, *[groups(st.one_of(leaves))] * 6)


@pytest.fixture(scope="module")
def server(postgres_uri: str) -> Iterator[PostgresEngine]:
    """A PostgreSQL server with the tables, empty."""
    with closing(PostgresEngine(postgres_uri, "law")) as engine:
        engine.load({name: schema.empty_table() for name, schema in SCHEMAS.items()})
        yield engine


@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    # What fails is told by its segment and seed; to shrink fifty conditions takes minutes.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(
    seed=st.integers(0, 2**32),
    other=groups(fields(CUSTOMER)),
    conditions=of_customers,
    zone=st.sampled_from(ZONES),
)
def test_a_segment_has_the_members_that_its_declaration_means(  # noqa: PLR0917 - Hypothesis gives them
    server: PostgresEngine,
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    other: Condition,
    conditions: tuple[Condition, ...],
    zone: str,
) -> None:
    """It holds for any condition over a few rows with NULLs anywhere, in any time zone, on both engines."""
    declared = project(
        *MODELS,
        segment("other", other, over="customers"),
        *(segment(f"s{n}", each, over="customers") for n, each in enumerate(conditions)),
    )
    world = world_of(seed)
    evaluator = Evaluator(declared, world, NOW, ZoneInfo(zone))
    expected = {key: evaluator.members(key, "id") for key in declared.segments}
    tables = {name: pa.Table.from_pylist(world[name], schema=SCHEMAS[name]) for name in SCHEMAS}
    file = DuckDBEngine(tmp_path_factory.mktemp("law") / "law.duckdb")
    server.run(f"TRUNCATE {', '.join(SCHEMAS)}")
    for engine in (file, server):
        engine.load(tables)
        with engine.open() as source:
            for key, segment_ in declared.segments.items():
                found = members(source, declared, key, now=NOW, timezone=zone)
                assert found == expected[key], (engine.name, seed, segment_)
