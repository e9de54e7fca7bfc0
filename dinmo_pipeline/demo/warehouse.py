"""The shop's warehouse: a DuckDB file, such as a company's pipelines fill each night."""

import tempfile
from datetime import date
from pathlib import Path
from typing import Final, Literal, TypeAlias

import duckdb

from dinmo_pipeline.demo.day_one import shop_on_day_one
from dinmo_pipeline.demo.day_two import shop_on_day_two
from dinmo_pipeline.demo.shop import Shop
from dinmo_pipeline.demo.tables import shop_tables

Day: TypeAlias = Literal[1, 2]

# Only paid orders count. Customers without one have 0, 0.00 and NULL.
_CREATE_CUSTOMERS: Final = """
    create table customers as
    select
        people.*,
        coalesce(bought.orders_count, 0)::integer as orders_count,
        coalesce(bought.total_spent, 0)::decimal(12, 2) as total_spent,
        bought.last_order_at
    from shop_people as people
    left join (
        select
            customer_id,
            count(*) as orders_count,
            sum(amount) as total_spent,
            max(ordered_at) as last_order_at
        from shop_orders
        where status = 'paid'
        group by customer_id
    ) as bought using (customer_id)
    order by people.customer_id
"""

_CREATE_TRIALISTS: Final = """
    create table analytics.trialists as
    select trials.customer_id, people.email, trials.started_on, trials.ends_on
    from shop_trials as trials
    join shop_people as people using (customer_id)
    where trials.ends_on >= $today
    order by trials.started_on, trials.customer_id
"""


def build_warehouse(path: Path, day: Day, today: date) -> None:
    """Write the shop's warehouse, as it is at the start of a day, to `path`.

    The same arguments give the same tables: `customers`, `orders`, `order_lines`, and
    `analytics.trialists`. An existing file is replaced in one step, so that a reader sees either the old
    or the new one.

    Args:
        path: The DuckDB file; missing folders are created.
        day: 1, or 2 for the same shop one day later.
        today: The date (UTC) that the day falls on; the last event is on the day before. The demo plays
            both days on the same date: a day has then passed for the shop, though not on the clock.
    """
    shop = shop_on_day_one() if day == 1 else shop_on_day_two()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        building = Path(folder) / path.name
        with duckdb.connect(str(building)) as connection:
            _fill(connection, shop, today)
        building.replace(path)


def _fill(connection: duckdb.DuckDBPyConnection, shop: Shop, today: date) -> None:
    for name, table in shop_tables(shop, today).items():
        connection.register(f"shop_{name}", table)
    connection.execute("create table orders as from shop_orders order by order_id")
    connection.execute("create table order_lines as from shop_order_lines order by order_id, line_no")
    connection.execute(_CREATE_CUSTOMERS)
    connection.execute("create schema analytics")
    connection.execute(_CREATE_TRIALISTS, {"today": today})
