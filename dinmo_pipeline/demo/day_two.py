"""Day two: what happens to the shop in one day."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Final

from dinmo_pipeline.demo.baskets import Till
from dinmo_pipeline.demo.day_one import TRIAL_DAYS, moment, shop_on_day_one
from dinmo_pipeline.demo.names import COUNTRIES, NORDIC
from dinmo_pipeline.demo.people import Registrar
from dinmo_pipeline.demo.shop import (
    CHURNED_AFTER_DAYS,
    DAY_ONE,
    QUIET_AFTER_DAYS,
    Customer,
    Order,
    Purchases,
    Shop,
    Trial,
    purchases_by_customer,
)

_SIGN_UPS: Final = 36
_TRIALS_STARTED: Final = 14
_TRIALS_CANCELLED: Final = 3

_BIG_SPENDER_EUROS: Final = 1_000
_NEARLY_BIG_SPENDER_EUROS: Final = 920
_NEW_FOR_DAYS: Final = 30


def shop_on_day_two() -> Shop:
    """The shop at the start of the day after day one; every call returns the same one."""
    dice = Random("one more day")  # noqa: S311 - a story that repeats, not a secret
    before = shop_on_day_one()
    customers = _with_news(dice, before)
    newcomers = _newcomers(dice, before)
    orders = _with_refunds(dice, before)
    return Shop(
        today=before.today + timedelta(days=1),
        customers=(*customers, *newcomers),
        orders=(*orders, *_new_orders(dice, before, newcomers)),
        trials=(*_with_cancellations(dice, before), *_new_trials(dice, newcomers)),
    )


def _newcomers(dice: Random, before: Shop) -> list[Customer]:
    """Customers who opened an account during day one."""
    taken = frozenset(customer.email.strip().lower() for customer in before.customers if customer.email)
    registrar = Registrar(dice, taken=taken, next_number=len(before.customers) + 1)
    return [registrar.open_account(moment(dice, 0)) for _ in range(_SIGN_UPS)]


def _new_orders(dice: Random, before: Shop, newcomers: list[Customer]) -> list[Order]:
    """The orders of day one."""
    arrived_at = {one.customer_id: one.signed_up_at for one in (*before.customers, *newcomers)}
    visits = sorted(
        (max(moment(dice, 0), arrived_at[key] + timedelta(minutes=5)), key)
        for key in _buyers(dice, before, newcomers)
    )
    till = Till(dice, next_number=len(before.orders) + 1)
    return [till.ring_up(key, ordered_at) for ordered_at, key in visits]


def _buyers(dice: Random, before: Shop, newcomers: list[Customer]) -> list[str]:
    """The ids of the customers who order on day one, sorted.

    Some are new, some return after months, and one more order makes a big spender of some.
    """
    purchases = purchases_by_customer(before)

    def drawn(count: int, condition: Callable[[Purchases], bool]) -> list[str]:
        return dice.sample([key for key, bought in purchases.items() if condition(bought)], count)

    undecided = [
        one.customer_id
        for one in before.customers
        if not purchases[one.customer_id].count and (DAY_ONE - one.signed_up_at.date()).days <= _NEW_FOR_DAYS
    ]
    buyers = {
        *dice.sample([newcomer.customer_id for newcomer in newcomers], 9),
        *dice.sample(undecided, 8),
        *drawn(14, lambda bought: _days_since_last(bought) > CHURNED_AFTER_DAYS + 5),
        *drawn(12, lambda bought: QUIET_AFTER_DAYS < _days_since_last(bought) < CHURNED_AFTER_DAYS),
        *drawn(10, lambda bought: _NEARLY_BIG_SPENDER_EUROS < bought.spent < _BIG_SPENDER_EUROS),
        *drawn(50, lambda bought: bought.count > 1),
    }
    # The order of a set of text differs between processes; the story must not.
    return sorted(buyers)


def _days_since_last(bought: Purchases) -> int:
    """Days since the last purchase; -1 without one."""
    return (DAY_ONE - bought.last_at.date()).days if bought.last_at else -1


def _with_refunds(dice: Random, before: Shop) -> list[Order]:
    """The orders of the day before, some of them refunded, whose customers were big spenders by them."""
    purchases = purchases_by_customer(before)
    decisive = {
        order.customer_id: order.order_id
        for order in before.orders
        if order.status == "paid"
        and purchases[order.customer_id].spent > _BIG_SPENDER_EUROS
        and purchases[order.customer_id].spent - order.amount < _BIG_SPENDER_EUROS
    }
    refunded = set(dice.sample(sorted(decisive.values()), 9))
    return [
        replace(order, status="refunded") if order.order_id in refunded else order for order in before.orders
    ]


@dataclass(frozen=True, slots=True)
class _News:
    """A change to `count` of the customers it can happen to."""

    count: int
    can_happen_to: Callable[[Customer], bool]
    change: Callable[[Random, Customer], Customer]


def _with_news(dice: Random, before: Shop) -> Iterator[Customer]:
    """The customers of the day before: some moved, changed their email, or their mind on marketing."""
    customers = {customer.customer_id: customer for customer in before.customers}
    for news in _NEWS:
        candidates = [key for key, one in customers.items() if news.can_happen_to(one)]
        for key in dice.sample(candidates, news.count):
            customers[key] = news.change(dice, customers[key])
    yield from customers.values()


def _to_new_mailbox(_: Random, customer: Customer) -> Customer:
    person = (customer.email or "").strip().lower().partition("@")[0]
    return replace(customer, email=f"{person}@new-mailbox.example")


def _with_consent(_: Random, customer: Customer) -> Customer:
    return replace(customer, marketing_consent=True)


def _without_consent(_: Random, customer: Customer) -> Customer:
    return replace(customer, marketing_consent=False)


def _moved_to(codes: tuple[str, ...]) -> Callable[[Random, Customer], Customer]:
    """A change that moves a customer to one of these countries."""
    countries = [country for country in COUNTRIES if country.code in codes]

    def moved(dice: Random, customer: Customer) -> Customer:
        country = dice.choice(countries)
        return replace(customer, country=country.code, city=dice.choice(country.cities))

    return moved


_NEWS: Final = (
    _News(24, lambda one: bool(one.email and one.email.strip()), _to_new_mailbox),
    _News(22, lambda one: one.marketing_consent is True, _without_consent),
    _News(31, lambda one: one.marketing_consent is not True, _with_consent),
    _News(9, lambda one: one.country in NORDIC, _moved_to(("ES", "GR", "IT"))),
    _News(11, lambda one: one.country in {"DE", "NL"}, _moved_to(NORDIC)),
)


def _with_cancellations(dice: Random, before: Shop) -> list[Trial]:
    """The trials of the day before, some of them cancelled early."""
    running = [trial.customer_id for trial in before.trials if trial.ends_on > DAY_ONE]
    cancelled = set(dice.sample(running, _TRIALS_CANCELLED))
    return [
        replace(trial, ends_on=DAY_ONE) if trial.customer_id in cancelled else trial
        for trial in before.trials
    ]


def _new_trials(dice: Random, newcomers: list[Customer]) -> Iterator[Trial]:
    """Trials started on day one, all by newcomers."""
    for customer in dice.sample(newcomers, _TRIALS_STARTED):
        yield Trial(customer.customer_id, DAY_ONE, DAY_ONE + timedelta(days=TRIAL_DAYS - 1))
