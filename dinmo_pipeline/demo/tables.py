"""The shop as Arrow tables, moved to the date that a warehouse is built for."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import date
from typing import Final

import pyarrow as pa

from dinmo_pipeline.demo.shop import Customer, Order, Shop, Trial

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
_TRIALS: Final = pa.schema({"customer_id": pa.string(), "started_on": pa.date32(), "ends_on": pa.date32()})


def shop_tables(shop: Shop, today: date) -> dict[str, pa.Table]:
    """Tables `people`, `orders`, `order_lines` and `trials` of a shop whose day is `today`.

    Birthdays stay; all other dates move by the days between the shop's own date and `today`.
    """
    moved = today - shop.today
    return {
        "people": _table(
            _PEOPLE,
            (replace(one, signed_up_at=one.signed_up_at + moved) for one in shop.customers),
        ),
        "orders": _table(
            _ORDERS, (replace(order, ordered_at=order.ordered_at + moved) for order in shop.orders)
        ),
        "order_lines": _order_lines(shop),
        "trials": _table(
            _TRIALS,
            (
                replace(one, started_on=one.started_on + moved, ends_on=one.ends_on + moved)
                for one in shop.trials
            ),
        ),
    }


def _table(schema: pa.Schema, values: Iterable[Customer | Order | Trial]) -> pa.Table:
    """One row per value, one column per attribute that the schema names."""
    rows = [{name: getattr(value, name) for name in schema.names} for value in values]
    return pa.Table.from_pylist(rows, schema=schema)


def _order_lines(shop: Shop) -> pa.Table:
    rows = [{"order_id": order.order_id, **asdict(line)} for order in shop.orders for line in order.lines]
    return pa.Table.from_pylist(rows, schema=_ORDER_LINES)
