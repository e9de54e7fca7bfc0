"""The shop as plain values: customers, orders and trials on one day of its story."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Literal, TypeAlias

DAY_ONE: Final = date(2024, 3, 15)
"""The story's own date; whoever builds the warehouse moves the story to the date they like."""

QUIET_AFTER_DAYS: Final = 90
CHURNED_AFTER_DAYS: Final = 180
"""Days without an order after which the shop calls a customer at risk, and churned."""

OrderStatus: TypeAlias = Literal["paid", "refunded", "cancelled"]


@dataclass(frozen=True, slots=True)
class Customer:
    """A person with an account; `email`, `country` and `marketing_consent` are None if unknown."""

    customer_id: str
    email: str | None
    first_name: str
    last_name: str
    country: str | None
    city: str | None
    birthday: date | None
    signed_up_at: datetime
    marketing_consent: bool | None


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One product of an order; `amount` is the price of all its pieces, in euros."""

    line_no: int
    product: str
    category: str
    quantity: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Order:
    """A purchase; only paid ones count towards what a customer has bought."""

    order_id: str
    customer_id: str
    ordered_at: datetime
    status: OrderStatus
    lines: tuple[OrderLine, ...]

    @property
    def amount(self) -> Decimal:
        """The sum of the lines, in euros."""
        return sum((line.amount for line in self.lines), Decimal(0))


@dataclass(frozen=True, slots=True)
class Trial:
    """A free trial of the shop's club, first and last day included."""

    customer_id: str
    started_on: date
    ends_on: date


@dataclass(frozen=True, slots=True)
class Shop:
    """Everything the warehouse knows at the start of `today`: nothing in it is of that day yet."""

    today: date
    customers: tuple[Customer, ...]
    orders: tuple[Order, ...]
    trials: tuple[Trial, ...]


@dataclass(frozen=True, slots=True)
class Purchases:
    """What one customer has bought and paid: number of orders, euros, and the last one's time."""

    count: int = 0
    spent: Decimal = Decimal(0)
    last_at: datetime | None = None

    def plus(self, order: Order) -> "Purchases":
        """These purchases and one more."""
        return Purchases(
            count=self.count + 1,
            spent=self.spent + order.amount,
            last_at=max(self.last_at or order.ordered_at, order.ordered_at),
        )


def purchases_by_customer(shop: Shop) -> dict[str, Purchases]:
    """Each customer's paid purchases; customers who never bought have empty ones."""
    purchases = {customer.customer_id: Purchases() for customer in shop.customers}
    for order in shop.orders:
        if order.status == "paid":
            purchases[order.customer_id] = purchases[order.customer_id].plus(order)
    return purchases
