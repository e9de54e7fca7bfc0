"""A test that does not fit what it tests."""

from datetime import date
from decimal import Decimal

from dinmo_pipeline.config.declarations.conditions import Duration, Relative, Value


class UnfitTestError(Exception):
    """A test does not fit its column: a sentence, and what the problem says beside it."""

    def __init__(
        self,
        message: str,
        *,
        value: str | None = None,
        allowed: tuple[str, ...] = (),
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.value = value
        self.allowed = allowed
        self.hint = hint


def shown(value: Value) -> str:
    """A value as a person wrote it, in few characters.

    >>> shown(("FR", "BE")), shown(Duration(30, "days")), shown(Relative(-2, "hours"))
    ("['FR', 'BE']", '30 days', '2 hours ago')
    """
    match value:
        case Duration(amount, unit):
            text = f"{amount} {unit}"
        case Relative(offset, unit):
            text = f"{-offset} {unit} ago" if offset < 0 else f"in {offset} {unit}"
        case tuple():
            text = (
                f"[{', '.join(shown(each) for each in value[:5])}{', …' if len(value) > 5 else ''}]"  # noqa: PLR2004
            )
        case bool():
            text = str(value).lower()
        case Decimal() | date():
            text = str(value)
        case _:
            text = repr(value)
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"


_MOST_CHARACTERS = 60
