"""Invented people who open an account at the shop."""

from datetime import date, datetime, timedelta
from random import Random

from dinmo_pipeline.demo.names import COUNTRIES, Country, in_mail_address, written
from dinmo_pipeline.demo.shop import Customer


class Registrar:
    """Opens accounts; no two of them get the same email."""

    def __init__(self, dice: Random, *, taken: frozenset[str] = frozenset(), next_number: int = 1) -> None:
        self._dice = dice
        self._taken = set(taken)
        self._next_number = next_number

    def open_account(self, signed_up_at: datetime) -> Customer:
        """Open an account whose fields are all known and well-formed."""
        dice = self._dice
        country = dice.choices(COUNTRIES, weights=[country.share for country in COUNTRIES])[0]
        first, last = dice.choice(country.first_names), dice.choice(country.last_names)
        number, self._next_number = self._next_number, self._next_number + 1
        return Customer(
            customer_id=f"C{number:05d}",
            email=self._address(first, last, country),
            first_name=written(first),
            last_name=written(last),
            country=country.code,
            city=dice.choice(country.cities),
            birthday=date(1948, 1, 1) + timedelta(days=dice.randrange(57 * 365)),
            signed_up_at=signed_up_at,
            marketing_consent=dice.random() < 0.6,  # noqa: PLR2004 - a share
        )

    def _address(self, first: str, last: str, country: Country) -> str:
        """A free address, such as `lea.rousseau@example.com`, with a number if that is taken."""
        person = f"{in_mail_address(first)}.{in_mail_address(last)}"
        domain = self._dice.choice(country.mail_domains)
        address, tries = f"{person}@{domain}", 1
        while address in self._taken:
            tries += 1
            address = f"{person}{tries}@{domain}"
        self._taken.add(address)
        return address
