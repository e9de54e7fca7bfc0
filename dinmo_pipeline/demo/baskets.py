"""What the shop sells, and the orders that a till rings up."""

from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Final

from dinmo_pipeline.demo.shop import Order, OrderLine, OrderStatus

# Product, category, and price in euros.
_CATALOGUE: Final = (
    ("Trail runner", "shoes", 119),
    ("City sneaker", "shoes", 89),
    ("Canvas slip-on", "shoes", 49),
    ("Winter boot", "shoes", 159),
    ("Merino sweater", "clothing", 95),
    ("Rain jacket", "clothing", 139),
    ("Linen shirt", "clothing", 59),
    ("Cotton T-shirt", "clothing", 25),
    ("Weekender", "bags", 129),
    ("Day pack", "bags", 69),
    ("Tote bag", "bags", 29),
    ("Wool scarf", "accessories", 39),
    ("Leather belt", "accessories", 45),
    ("Crew socks, 3 pairs", "accessories", 15),
)
_MAX_LINES: Final = 4


class Till:
    """Rings up orders and numbers them."""

    def __init__(self, dice: Random, *, next_number: int = 1) -> None:
        self._dice = dice
        self._next_number = next_number

    def ring_up(self, customer_id: str, ordered_at: datetime, status: OrderStatus = "paid") -> Order:
        """Make an order of one to four different products."""
        number, self._next_number = self._next_number, self._next_number + 1
        count = self._dice.choices(range(1, _MAX_LINES + 1), weights=(50, 28, 15, 7))[0]
        lines = []
        for line_no, (product, category, price) in enumerate(self._dice.sample(_CATALOGUE, count), start=1):
            quantity = self._dice.choices((1, 2, 3), weights=(85, 12, 3))[0]
            # One line in ten is 20 % off, so that amounts have cents.
            percent = 80 if self._dice.randrange(10) == 0 else 100
            amount = Decimal(price * quantity * percent).scaleb(-2)
            lines.append(OrderLine(line_no, product, category, quantity, amount))
        return Order(f"O{number:06d}", customer_id, ordered_at, status, tuple(lines))
