"""What conditions on related rows and on other segments mean, on DuckDB and PostgreSQL alike."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest

from dinmo_pipeline.config.declarations.conditions import AllOf, AnyOf, Condition, Duration, Not
from dinmo_pipeline.segments import OpenSource
from dinmo_pipeline_tests.segments.declaring import (
    field,
    in_segment,
    listed,
    model,
    project,
    related,
    segment,
)
from dinmo_pipeline_tests.segments.engines import Engine
from dinmo_pipeline_tests.segments.reading import holds

SHOP = project(
    model("customers", primary_key="id", orders=("orders", {"id": "customer_id"})),
    model(
        "orders",
        primary_key="order_id",
        lines=("lines", {"order_id": "order_id", "shop": "shop"}),
        customer=("customers", {"customer_id": "id"}),
    ),
    model("lines", product=("products", {"product": "code"})),
    model("products"),
    segment("french", field("country", equals="FR"), over="customers"),
    segment("buyers", "SELECT DISTINCT customer_id AS id FROM orders"),
    listed("listed", "listed"),
)
STATEMENTS = (
    "CREATE TABLE customers (id INTEGER, country TEXT)",
    # 4 has no order, 5 only orders without amount and day; one customer and one order have no key.
    "INSERT INTO customers VALUES (1, 'FR'), (2, 'BE'), (3, NULL), (4, 'FR'), (5, NULL), (NULL, 'FR')",
    """CREATE TABLE orders (order_id INTEGER, shop TEXT, customer_id INTEGER, day DATE,
       amount DECIMAL(8, 2), state TEXT)""",
    """INSERT INTO orders VALUES
       (11, 'a', 1, '2026-03-01', 10.00, 'paid'), (12, 'a', 1, '2026-03-10', 30.00, 'open'),
       (13, 'b', 1, '2025-01-01', 5.00, 'paid'),
       (21, 'a', 2, '2026-03-14', 100.00, 'open'), (22, 'a', 2, '2026-03-14', 50.00, 'paid'),
       (31, 'a', 3, '2024-06-01', -5.00, 'paid'), (32, 'a', 3, NULL, 7.00, 'lost'),
       (51, 'b', 5, NULL, NULL, NULL), (99, 'a', NULL, '2026-03-14', 1000.00, 'paid')""",
    "CREATE TABLE lines (order_id INTEGER, shop TEXT, product TEXT, pieces INTEGER)",
    """INSERT INTO lines VALUES
       (11, 'a', 'shoe', 1), (11, 'a', 'hat', 2), (12, 'a', 'shoe', 1), (13, 'a', 'hat', 9),
       (21, 'a', 'shoe', 5), (22, 'a', 'hat', NULL), (31, 'a', NULL, 3), (NULL, 'a', 'hat', 1)""",
    "CREATE TABLE products (code TEXT, category TEXT)",
    "INSERT INTO products VALUES ('shoe', 'feet'), ('hat', 'head')",
    "CREATE TABLE listed (id INTEGER, email TEXT)",
    "INSERT INTO listed VALUES (1, 'a@x'), (1, 'b@x'), (4, NULL), (NULL, 'c@x')",
)


@pytest.fixture(scope="module")
def shop(module_engine: Engine) -> Iterator[OpenSource]:
    """Customers, their orders, the orders' lines and products."""
    module_engine.run(*STATEMENTS)
    with module_engine.open() as source:
        yield source


NO_KEY = "None"  # the customer whose key is unknown
CASES = [
    (related("exists", "orders"), "1235"),
    (related("none", "orders"), f"{NO_KEY}4"),
    (Not(related("exists", "orders")), f"{NO_KEY}4"),
    (Not(related("none", "orders")), "1235"),
    (related("exists", "orders", where=field("state", equals="open")), "12"),
    (related("none", "orders", where=field("state", equals="open")), f"{NO_KEY}345"),
    # of two paths joined by two columns, order 13 of shop b has no line in shop b
    (related("exists", "orders.lines"), "123"),
    (related("exists", "orders.lines", where=field("product", equals="hat")), "12"),
    (related("exists", "orders.lines.product", where=field("category", equals="feet")), "12"),
    # related rows of the related rows
    (related("exists", "orders", where=related("none", "lines")), "135"),
    (related("none", "orders", where=related("exists", "lines")), f"{NO_KEY}45"),
    (
        related("exists", "orders", where=related("count", "lines", at_least=2)),
        "1",
    ),
    (related("exists", "orders.customer", where=field("country", equals="BE")), "2"),
    (
        related(
            "exists",
            "orders",
            where=AnyOf((field("amount", at_least=100), field("day", is_blank=True))),
        ),
        "235",
    ),
    # counts, also true of nothing at all
    (related("count", "orders", at_least=2), "123"),
    (related("count", "orders", equals=2), "23"),
    (related("count", "orders", not_equals=2), f"{NO_KEY}145"),
    (related("count", "orders", equals=0), f"{NO_KEY}4"),
    (related("count", "orders", not_equals=0), "1235"),
    (related("count", "orders", at_most=1), f"{NO_KEY}45"),
    (related("count", "orders", less_than=2), f"{NO_KEY}45"),
    (related("count", "orders", greater_than=2), "1"),
    (related("count", "orders", between=[0, 1]), f"{NO_KEY}45"),
    (related("count", "orders", between=[1, 2]), "235"),
    (related("count", "orders", in_=[0, 3]), f"{NO_KEY}14"),
    (related("count", "orders", in_=[1, 3]), "15"),
    (related("count", "orders", not_in=[0, 3]), "235"),
    (related("count", "orders", not_in=[1, 3]), f"{NO_KEY}234"),
    (related("count", "orders", at_least=0), f"{NO_KEY}12345"),
    (related("count", "orders", at_most=-1), ""),
    (Not(related("count", "orders", at_least=2)), f"{NO_KEY}45"),
    (
        related("count", "orders", at_least=2, where=field("day", within_last=Duration(30, "days"))),
        "12",
    ),
    (related("count", "orders", equals=0, where=field("state", equals="paid")), f"{NO_KEY}45"),
    (related("count", "orders.lines", equals=3), "1"),
    (related("count_distinct", "orders.state", equals=2), "123"),
    (related("count_distinct", "orders.state", equals=0), f"{NO_KEY}45"),
    (related("count_distinct", "orders.lines.product", at_least=2), "12"),
    # of no values, sums and the like are unknown: false, and true under not
    (related("sum", "orders.amount", at_least=45), "12"),
    (related("sum", "orders.amount", equals=Decimal("2.00")), "3"),
    (related("sum", "orders.amount", at_most=1000), "123"),
    (related("sum", "orders.amount", not_equals=2), f"{NO_KEY}1245"),
    (Not(related("sum", "orders.amount", at_least=45)), f"{NO_KEY}345"),
    (related("sum", "orders.lines.pieces", equals=5), "2"),
    (related("avg", "orders.amount", equals=15), "1"),
    (related("avg", "orders.amount", between=[15, 75]), "12"),
    (related("avg", "orders.lines.pieces", greater_than=Decimal("1.3")), "123"),
    (related("min", "orders.amount", less_than=0), "3"),
    (related("max", "orders.amount", at_least=30), "12"),
    (related("max", "orders.day", before=date(2025, 1, 1)), "3"),
    (related("max", "orders.day", within_last=Duration(7, "days")), "12"),
    (related("min", "orders.state", equals="lost"), "3"),
    (related("max", "orders.day", is_set=True), "123"),
    (related("max", "orders.day", is_blank=True), f"{NO_KEY}45"),
    # first and last: NULL days come after all others; of two on one day the order's key decides
    (related("first", "orders.amount", by="day", equals=5), "1"),
    (related("last", "orders.amount", by="day", equals=30), "1"),
    (related("first", "orders.amount", by="day", equals=100), "2"),
    (related("last", "orders.amount", by="day", equals=50), "2"),
    (related("last", "orders.state", by="day", equals="paid"), "23"),
    (related("first", "orders.state", by="day", contains="aid"), "13"),
    (related("last", "orders.state", by="day", not_equals="paid"), f"{NO_KEY}145"),
    (related("last", "orders.amount", by="day", is_blank=True), f"{NO_KEY}45"),
    (
        related("last", "orders.state", by="day", equals="paid", where=field("amount", less_than=30)),
        "13",
    ),
    (related("last", "orders.day", by="amount", equals=date(2026, 3, 10)), "1"),
    # other segments
    (in_segment("french"), "14"),
    (Not(in_segment("french")), f"{NO_KEY}235"),
    (in_segment("buyers"), "1235"),
    (AllOf((in_segment("french"), Not(in_segment("buyers")))), "4"),
    (in_segment("listed"), "14"),
    (AnyOf((in_segment("listed"), in_segment("buyers"))), "12345"),
    (related("exists", "orders.customer", where=in_segment("french")), "1"),
]


@pytest.mark.parametrize("module_engine", ["duckdb", "postgres"], indirect=True)
@pytest.mark.parametrize(("condition", "expected"), CASES, ids=str)
def test_a_condition_on_related_rows_is_true_of_the_rows_a_person_expects(
    shop: OpenSource, condition: Condition, expected: str
) -> None:
    """Rows without related rows or without a key are where such conditions go wrong."""
    assert holds(shop, SHOP, "customers", condition) == expected
