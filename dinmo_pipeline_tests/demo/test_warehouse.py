"""Every build gives the same warehouse, and it looks like a shop's."""

import os
import subprocess
import sys
from datetime import timedelta

import duckdb
import pytest

from dinmo_pipeline.demo.warehouse import build_warehouse
from dinmo_pipeline_tests.demo.conftest import TODAY

COLUMNS = {
    "main.customers": {
        "customer_id": "VARCHAR",
        "email": "VARCHAR",
        "first_name": "VARCHAR",
        "last_name": "VARCHAR",
        "country": "VARCHAR",
        "city": "VARCHAR",
        "birthday": "DATE",
        "signed_up_at": "TIMESTAMP",
        "marketing_consent": "BOOLEAN",
        "orders_count": "INTEGER",
        "total_spent": "DECIMAL(12,2)",
        "last_order_at": "TIMESTAMP",
    },
    "main.orders": {
        "order_id": "VARCHAR",
        "customer_id": "VARCHAR",
        "ordered_at": "TIMESTAMP",
        "status": "VARCHAR",
        "amount": "DECIMAL(10,2)",
    },
    "main.order_lines": {
        "order_id": "VARCHAR",
        "line_no": "INTEGER",
        "product": "VARCHAR",
        "category": "VARCHAR",
        "quantity": "INTEGER",
        "amount": "DECIMAL(10,2)",
    },
    "analytics.trialists": {
        "customer_id": "VARCHAR",
        "email": "VARCHAR",
        "started_on": "DATE",
        "ends_on": "DATE",
    },
}
TABLES = tuple(COLUMNS)


def rows(path, table):
    """All rows of a table, in stored order."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(f"from {table}").fetchall()


def one(connection, sql):
    """The single value of a query."""
    ((value,),) = connection.execute(sql).fetchall()
    return value


@pytest.mark.parametrize("day", [1, 2])
def test_builds_the_same_tables_in_another_process(day, day_one, day_two, tmp_path):
    """The story does not depend on the order of sets, the time zone, or chance."""
    again = tmp_path / "again.duckdb"
    build = (
        "from datetime import date; from pathlib import Path;"
        "from dinmo_pipeline.demo.warehouse import build_warehouse;"
        f"build_warehouse(Path({str(again)!r}), {day}, date.fromisoformat('{TODAY}'))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": str(day), "TZ": "Asia/Tokyo"}
    subprocess.run([sys.executable, "-c", build], check=True, env=environment)
    for table in TABLES:
        assert rows(again, table) == rows(day_one if day == 1 else day_two, table)


def test_has_the_documented_tables_and_columns(day_one):
    """The declarations rely on these names and types."""
    with duckdb.connect(str(day_one), read_only=True) as connection:
        found = connection.execute(
            """
            select table_schema || '.' || table_name, column_name, data_type
            from information_schema.columns
            order by table_schema, table_name, ordinal_position
            """
        ).fetchall()
    columns = {}
    for table, column, data_type in found:
        columns.setdefault(table, {})[column] = data_type
    assert columns == COLUMNS


def test_replaces_the_file_and_leaves_nothing_beside_it(tmp_path):
    """Day two replaces day one; a missing folder is created."""
    path = tmp_path / "new" / "warehouse.duckdb"
    build_warehouse(path, 1, TODAY)
    before = rows(path, "customers")
    build_warehouse(path, 2, TODAY)
    assert len(rows(path, "customers")) > len(before)
    assert list(path.parent.iterdir()) == [path]


def test_moves_the_whole_story_with_today(day_one, tmp_path):
    """Another date moves every event and changes nothing else."""
    later = tmp_path / "later.duckdb"
    build_warehouse(later, 1, TODAY + timedelta(days=400))
    moved = [
        (order_id, customer_id, ordered_at + timedelta(days=400), status, amount)
        for order_id, customer_id, ordered_at, status, amount in rows(day_one, "orders")
    ]
    assert rows(later, "orders") == moved
    assert len(rows(later, "analytics.trialists")) == len(rows(day_one, "analytics.trialists"))


@pytest.mark.parametrize("day", ["one", "two"])
def test_the_last_events_are_of_yesterday(both_days, day):
    """Like a warehouse that is loaded at night."""
    for column in ("orders.ordered_at", "customers.signed_up_at", "customers.last_order_at"):
        table, _, name = column.partition(".")
        last = one(both_days, f"select max({name}) from {day}.{table}")
        assert last.date() == TODAY - timedelta(days=1), column


@pytest.mark.parametrize("day", ["one", "two"])
def test_tables_agree_with_each_other(both_days, day):
    """Orders belong to customers who had signed up, and equal the sum of their lines."""
    orphans = f"select count(*) from {day}.orders anti join {day}.customers using (customer_id)"
    too_early = f"""
        select count(*)
        from {day}.orders
        join {day}.customers using (customer_id)
        where ordered_at < signed_up_at
    """
    wrong_sums = f"""
        select count(*)
        from {day}.orders
        full join (select order_id, sum(amount) as of_lines from {day}.order_lines group by 1)
            using (order_id)
        where amount is distinct from of_lines
    """
    wrong_totals = f"""
        select count(*)
        from {day}.customers
        where (orders_count, total_spent, last_order_at) is distinct from (
            select (count(*), coalesce(sum(amount), 0), max(ordered_at))
            from {day}.orders as orders
            where orders.customer_id = customers.customer_id and status = 'paid'
        )
    """
    for sql in (orphans, too_early, wrong_sums, wrong_totals):
        assert one(both_days, sql) == 0, sql


@pytest.mark.parametrize(
    ("flaw", "at_least", "at_most"),
    [
        ("email is null", 20, 30),
        ("trim(email) = ''", 10, 15),
        ("email <> lower(email) and trim(email) <> ''", 30, 45),
        ("email <> trim(email) and trim(email) <> ''", 25, 35),
        ("country is null", 30, 45),
        ("marketing_consent is null", 50, 70),
        ("not regexp_full_match(first_name || last_name, '[ -~]*')", 500, 2_000),
    ],
)
def test_has_the_flaws_of_real_tables(both_days, flaw, at_least, at_most):
    """There are a few odd spellings and gaps."""
    assert at_least <= one(both_days, f"select count(*) from one.customers where {flaw}") <= at_most


def test_some_customers_share_an_address(both_days):
    """Two accounts with one email are one member of a segment matched by email."""
    shared = """
        select count(*)
        from (
            select lower(trim(email)) as address
            from one.customers
            where trim(email) <> ''
            group by address
            having count(*) > 1
        )
    """
    assert 40 <= one(both_days, shared) <= 60


@pytest.mark.parametrize("day", ["one", "two"])
def test_addresses_are_reserved_for_examples(both_days, day):
    """RFC 2606 reserves these domains, so no address belongs to a real person."""
    foreign = f"""
        select count(*)
        from {day}.customers
        where trim(email) <> '' and not regexp_full_match(
            lower(trim(email)), '[a-z0-9''.-]+@([a-z-]+\\.)?example(\\.(com|net|org))?'
        )
    """
    assert one(both_days, foreign) == 0


def test_has_a_few_thousand_customers_with_orders(both_days):
    """Large enough to look like a shop, small enough to build quickly."""
    assert one(both_days, "select count(*) from one.customers") == 3_200
    assert 6_000 < one(both_days, "select count(*) from one.orders") < 10_000
    assert 10_000 < one(both_days, "select count(*) from one.order_lines") < 20_000
