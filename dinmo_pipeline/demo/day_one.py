"""Day one: a three-year-old shop, grown from a fixed seed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from random import Random
from typing import Final

from dinmo_pipeline.demo.baskets import Till
from dinmo_pipeline.demo.people import Registrar
from dinmo_pipeline.demo.shop import (
    CHURNED_AFTER_DAYS,
    DAY_ONE,
    QUIET_AFTER_DAYS,
    Customer,
    OrderStatus,
    Shop,
    Trial,
)

TRIAL_DAYS: Final = 14

_PEOPLE: Final = 3_150
_SECOND_ACCOUNTS: Final = 50
_OLDEST_DAYS: Final = 1_100
_RECENT_DAYS: Final = 45
_SHARE_RECENT: Final = 0.1
_TRIALS_STARTED_PER_DAY: Final = 11


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of customer: its weight, the days since the last order, and the number of orders."""

    share: int
    last_days_ago: range
    orders: range


# The last orders of two kinds lie around the 90 and 180 days at which segments change. Each day some
# of these customers cross the line, so on day two people move just because time has passed.
_KINDS: Final = (
    _Kind(8, range(1, 61), range(5, 17)),  # fans
    _Kind(27, range(1, 201), range(2, 7)),  # regulars
    _Kind(30, range(1, _OLDEST_DAYS), range(1, 3)),  # passers-by
    _Kind(6, range(QUIET_AFTER_DAYS - 5, QUIET_AFTER_DAYS + 5), range(2, 5)),  # came for a gift
    _Kind(8, range(CHURNED_AFTER_DAYS - 5, CHURNED_AFTER_DAYS + 5), range(1, 2)),  # came for a sale
    _Kind(21, range(0), range(1)),  # never bought
)


def shop_on_day_one() -> Shop:
    """The shop at the start of day one; every call returns the same one."""
    dice = Random("a shop of three years")  # noqa: S311 - a story that repeats, not a secret
    registrar = Registrar(dice)
    till = Till(dice)
    clean = [registrar.open_account(moment(dice, _days_a_member(dice))) for _ in range(_PEOPLE)]
    clean += _second_accounts(dice, registrar, clean)
    visits = sorted(visit for customer in clean for visit in _visits(dice, customer))
    orders = [till.ring_up(key, ordered_at, _outcome(dice)) for ordered_at, key in visits]
    return Shop(
        today=DAY_ONE,
        customers=tuple(_with_flaws(dice, clean)),
        orders=tuple(orders),
        trials=tuple(_trials(dice, clean)),
    )


def moment(dice: Random, days_ago: int) -> datetime:
    """A random time in the shop's opening hours (UTC), `days_ago` days before day one."""
    opening = datetime.combine(DAY_ONE - timedelta(days=days_ago), time(6))
    return opening + timedelta(minutes=dice.randrange(15 * 60))


def _days_a_member(dice: Random) -> int:
    """Days since an account was opened; sign-ups have grown lately."""
    if dice.random() < _SHARE_RECENT:
        return dice.randint(1, _RECENT_DAYS)
    return dice.randint(_RECENT_DAYS + 1, _OLDEST_DAYS)


def _member_days(customer: Customer) -> int:
    return (DAY_ONE - customer.signed_up_at.date()).days


def _visits(dice: Random, customer: Customer) -> Iterator[tuple[datetime, str]]:
    """The times and the customer id of each order, all after the account was opened."""
    kind = dice.choices(_KINDS, weights=[kind.share for kind in _KINDS])[0]
    member_days = _member_days(customer)
    last_days = [days_ago for days_ago in kind.last_days_ago if days_ago <= member_days]
    if not last_days:  # never buys, or not yet
        return
    last = dice.choice(last_days)
    # Nobody orders sixteen times in the first weeks.
    earlier = dice.choice(kind.orders) - 1 if member_days > _RECENT_DAYS else 0
    for days_ago in (last, *(dice.randint(last, member_days) for _ in range(earlier))):
        # An order of the first day follows the sign-up.
        ordered_at = max(moment(dice, days_ago), customer.signed_up_at + timedelta(minutes=5))
        yield ordered_at, customer.customer_id


def _outcome(dice: Random) -> OrderStatus:
    outcomes: tuple[OrderStatus, ...] = ("paid", "refunded", "cancelled")
    return dice.choices(outcomes, weights=(94, 4, 2))[0]


def _trials(dice: Random, customers: list[Customer]) -> Iterator[Trial]:
    """Club trials that run now, and those that ended in the two weeks before."""
    settled = [customer for customer in customers if _member_days(customer) > 2 * TRIAL_DAYS]
    triers = iter(dice.sample(settled, 2 * TRIAL_DAYS * _TRIALS_STARTED_PER_DAY))
    for days_ago in range(2 * TRIAL_DAYS, 0, -1):
        for _ in range(_TRIALS_STARTED_PER_DAY):
            started_on = DAY_ONE - timedelta(days=days_ago)
            ends_on = started_on + timedelta(days=TRIAL_DAYS - 1)
            yield Trial(next(triers).customer_id, started_on, ends_on)


def _with_flaws(dice: Random, customers: list[Customer]) -> Iterator[Customer]:
    """The customers, some of them with a flaw as in real tables: drawn at random, at most one each."""
    flaws = [flaw for count, flaw in _FLAWS for _ in range(count)]
    flaw_at = dict(zip(dice.sample(range(len(customers)), len(flaws)), flaws, strict=True))
    for index, customer in enumerate(customers):
        yield flaw_at[index](customer) if index in flaw_at else customer


def _shouted(customer: Customer) -> Customer:
    return replace(customer, email=(customer.email or "").upper())


def _padded(customer: Customer) -> Customer:
    return replace(customer, email=f"  {customer.email} ")


_FLAWS: Final[tuple[tuple[int, Callable[[Customer], Customer]], ...]] = (
    (40, _shouted),
    (30, _padded),
    (25, lambda customer: replace(customer, email=None)),
    (6, lambda customer: replace(customer, email="")),
    (6, lambda customer: replace(customer, email="   ")),
    (40, lambda customer: replace(customer, country=None, city=None)),
    (60, lambda customer: replace(customer, marketing_consent=None)),
    (60, lambda customer: replace(customer, birthday=None)),
)


def _second_accounts(dice: Random, registrar: Registrar, owners: list[Customer]) -> list[Customer]:
    """Second accounts of people who forgot their first: another id, the same email."""
    forgetful = dice.sample([owner for owner in owners if _member_days(owner) > 1], _SECOND_ACCOUNTS)
    return [
        replace(
            registrar.open_account(moment(dice, dice.randrange(1, _member_days(owner)))),
            email=owner.email,
            first_name=owner.first_name,
            last_name=owner.last_name,
            country=owner.country,
            city=owner.city,
            birthday=owner.birthday,
        )
        for owner in forgetful
    ]
