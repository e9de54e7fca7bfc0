"""The shop as Arrow tables, moved in time to the date that a warehouse is built for."""

from datetime import date
from typing import Final

import pyarrow as pa

from dinmo_pipeline.demo.shop import Shop

_MONEY: Final = pa.decimal128(10, 2)
_TIME: Final = pa.timestamp("us")  # UTC, without a zone, as most warehouses keep it

_PEOPLE: Final = pa.schema(
    {
        "customer_id": pa.string(),
        "email": pa.string(),
        "first_name": pa.string(),
        "last_name": pa.string(),
        "country": pa.string(),
        "city": pa.string(),
        "birthday": pa.date32(),
        "signed_up_at": _TIME,
        "marketing_consent": pa.bool_(),
    }
)
_ORDERS: Final = pa.schema(
    {
        "order_id": pa.string(),
        "customer_id": pa.string(),
        "ordered_at": _TIME,
        "status": pa.string(),
        "amount": _MONEY,
    }
)
_ORDER_LINES: Final = pa.schema(
    {
        "order_id": pa.string(),
        "line_no": pa.int32(),
        "product": pa.string(),
        "category": pa.string(),
        "quantity": pa.int32(),
        "amount": _MONEY,
    }
)
_TRIALS: Final = pa.schema(
    {"customer_id": pa.string(), "started_on": pa.date32(), "ends_on": pa.date32()}
)


def shop_tables(shop: Shop, today: date) -> dict[str, pa.Table]:
    """Tables `people`, `orders`, `order_lines` and `trials` of a shop whose day is `today`.

    Birthdays stay; every other date is moved by the days between the shop's own date and `today`.
    """
    moved = today - shop.today
    people = [
        {name: getattr(customer, name) for name in _PEOPLE.names}
        | {"signed_up_at": customer.signed_up_at + moved}
        for customer in shop.customers
    ]
    orders = [
        {name: getattr(order, name) for name in _ORDERS.names}
        | {"ordered_at": order.ordered_at + moved}
        for order in shop.orders
    ]
    order_lines = [
        {
            "order_id": order.order_id,
            "line_no": line.line_no,
            "product": line.product,
            "category": line.category,
            "quantity": line.quantity,
            "amount": line.amount,
        }
        for order in shop.orders
        for line in order.lines
    ]
    trials = [
        {
            "customer_id": trial.customer_id,
            "started_on": trial.started_on + moved,
            "ends_on": trial.ends_on + moved,
        }
        for trial in shop.trials
    ]
    return {
        "people": pa.Table.from_pylist(people, schema=_PEOPLE),
        "orders": pa.Table.from_pylist(orders, schema=_ORDERS),
        "order_lines": pa.Table.from_pylist(order_lines, schema=_ORDER_LINES),
        "trials": pa.Table.from_pylist(trials, schema=_TRIALS),
    }
