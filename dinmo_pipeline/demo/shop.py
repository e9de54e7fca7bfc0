"""The shop as plain values: customers, orders and trials on one day of its story."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Literal, TypeAlias

DAY_ONE: Final = date(2024, 3, 15)
"""The story's own date; building the warehouse moves the whole story to another one."""

QUIET_AFTER_DAYS: Final = 90
CHURNED_AFTER_DAYS: Final = 180
"""Days without an order after which a customer is at risk, and after which they have churned."""

OrderStatus: TypeAlias = Literal["paid", "refunded", "cancelled"]


@dataclass(frozen=True, slots=True)
class Customer:
    """A person with an account; a field is None if unknown."""

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
    """One product of an order; `amount` is the price of the whole quantity, in euros."""

    line_no: int
    product: str
    category: str
    quantity: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Order:
    """An order; only paid ones count as purchases."""

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
    """A free trial of the shop's club, from its first day to its last."""

    customer_id: str
    started_on: date
    ends_on: date


@dataclass(frozen=True, slots=True)
class Shop:
    """All that the warehouse knows at the start of `today`; nothing has happened on that day yet."""

    today: date
    customers: tuple[Customer, ...]
    orders: tuple[Order, ...]
    trials: tuple[Trial, ...]


@dataclass(frozen=True, slots=True)
class Purchases:
    """A customer's paid orders: how many, their sum in euros, and the time of the last."""

    count: int = 0
    spent: Decimal = Decimal(0)
    last_at: datetime | None = None

    def plus(self, order: Order) -> "Purchases":
        """These purchases and one more order."""
        return Purchases(
            count=self.count + 1,
            spent=self.spent + order.amount,
            last_at=max(self.last_at or order.ordered_at, order.ordered_at),
        )


def purchases_by_customer(shop: Shop) -> dict[str, Purchases]:
    """The purchases of every customer, by customer id."""
    purchases = {customer.customer_id: Purchases() for customer in shop.customers}
    for order in shop.orders:
        if order.status == "paid":
            purchases[order.customer_id] = purchases[order.customer_id].plus(order)
    return purchases
