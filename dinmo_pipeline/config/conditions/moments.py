"""Lengths of time, days and moments, as people write them: `30 days`, `2026-03-01`, `in 2 hours`."""

import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import get_args

from dinmo_pipeline.config.declarations.conditions import Duration, Moment, Relative, Unit
from dinmo_pipeline.config.strict_yaml.json_schemas import matching, one_word_of
from dinmo_pipeline.config.strict_yaml.kinds import InvalidValueError, Kind, expect_text
from dinmo_pipeline.config.strict_yaml.nodes import Node, kind_of
from dinmo_pipeline.text.wording import shown, suggestion

UNITS: tuple[Unit, ...] = get_args(Unit)
DAY_UNITS: tuple[Unit, ...] = ("days", "weeks", "months", "years")

# A hundred years in each unit; more would leave the range of dates in databases.
_MAX_AMOUNTS: dict[Unit, int] = {
    "minutes": 52_560_000,
    "hours": 876_000,
    "days": 36_500,
    "weeks": 5_200,
    "months": 1_200,
    "years": 100,
}
_LENGTH = re.compile(r"(?P<amount>[0-9]{1,12})\s+(?P<unit>[A-Za-z]+)")
_AGO = re.compile(r"(?P<length>.+?)\s+ago", re.DOTALL)
_IN = re.compile(r"in\s+(?P<length>.+)", re.DOTALL)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(
    _DAY.pattern + r"[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?"
)
_NAMED: dict[str, Relative] = {
    "today": Relative(0, "days"),
    "yesterday": Relative(-1, "days"),
    "tomorrow": Relative(1, "days"),
    "now": Relative(0, "minutes"),
}
_MOMENT_FORMS = (
    "2026-03-01",
    "2026-03-01T09:30",
    "today",
    "yesterday",
    "tomorrow",
    "now",
    "30 days ago",
    "in 2 hours",
)
_DAY_FORMS = ("2026-03-01", "today", "yesterday", "tomorrow", "30 days ago", "in 2 weeks")


def _expect_words(node: Node, allowed: tuple[str, ...]) -> str:
    """The text of a node; the error for a bare number shows what is missing."""
    try:
        return " ".join(expect_text(node).split())
    except InvalidValueError:
        raise InvalidValueError(
            f"must look like one of the examples, not {kind_of(node)}", allowed=allowed
        ) from None


def parse_duration(text: str, units: tuple[Unit, ...] = UNITS) -> Duration:
    """`30 days` as a Duration; raises InvalidValueError."""
    match = _LENGTH.fullmatch(text)
    if match is None:
        allowed = tuple(f"30 {unit}" for unit in units)
        hint = "A duration cannot be negative." if text.startswith("-") else None
        raise InvalidValueError("must be a number and a unit", allowed=allowed, hint=hint)
    unit = _unit(match["unit"], units)
    amount = int(match["amount"])
    if amount > _MAX_AMOUNTS[unit]:
        raise InvalidValueError(f"must be at most 100 years: {_MAX_AMOUNTS[unit]} {unit}")
    return Duration(amount, unit)


def _unit(word: str, units: tuple[Unit, ...]) -> Unit:
    for unit in units:
        if word.lower() in {unit, unit[:-1]}:
            return unit
    raise InvalidValueError(
        f"has an unknown unit, '{shown(word)}'", allowed=units, hint=suggestion(word, units)
    )


def duration(units: tuple[Unit, ...] = UNITS) -> Kind[Duration]:
    """A length of time in one of the units."""
    allowed = tuple(f"30 {unit}" for unit in units)

    def read(node: Node) -> Duration:
        return parse_duration(_expect_words(node, allowed), units)

    message = f"This must be a length of time, a number and a unit: {', '.join(allowed)}."
    return Kind(read, matching(rf"^\s*{_length_pattern(units)}\s*$", message, *allowed))


def _length_pattern(units: tuple[Unit, ...]) -> str:
    """What `parse_duration` takes, except that it knows the longest length."""
    return rf"[0-9]{{1,12}}\s+{one_word_of([unit[:-1] for unit in units])}[sS]?"


def _moment_pattern(units: tuple[Unit, ...], iso: str, named: Iterable[str]) -> str:
    """What `_moment` and `_day` take, except that they know the days of each month."""
    length = _length_pattern(units)
    return rf"^\s*(?:{iso}|{one_word_of(tuple(named))}|{length}\s+ago|in\s+{length})\s*$"


def parse_iso(text: str) -> date | datetime | None:
    """An ISO day or time, None for other text; raises InvalidValueError for a day that does not exist."""
    is_day = _DAY.fullmatch(text) is not None
    if not is_day and not _TIME.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text) if is_day else datetime.fromisoformat(text)
    except ValueError:
        raise InvalidValueError(f"is a day or time that does not exist: '{text}'") from None


def _parse_relative(text: str, units: tuple[Unit, ...]) -> Relative | None:
    named = _NAMED.get(text.lower())
    if named is not None:
        return named
    if match := _AGO.fullmatch(text):
        length = parse_duration(match["length"], units)
        return Relative(-length.amount, length.unit)
    if match := _IN.fullmatch(text):
        length = parse_duration(match["length"], units)
        return Relative(length.amount, length.unit)
    return None


def _moment(node: Node) -> Moment:
    text = _expect_words(node, _MOMENT_FORMS)
    moment = parse_iso(text) or _parse_relative(text, UNITS)
    if moment is None:
        raise InvalidValueError(
            "must be a day, a time, or relative to now",
            allowed=_MOMENT_FORMS,
            hint=suggestion(text, _NAMED),
        )
    return moment


def _day(node: Node) -> date | Relative:
    text = _expect_words(node, _DAY_FORMS)
    day = parse_iso(text) or _parse_relative(text, DAY_UNITS)
    if day is None or isinstance(day, datetime) or (isinstance(day, Relative) and day.unit not in DAY_UNITS):
        raise InvalidValueError("must be a whole day", allowed=_DAY_FORMS, hint=suggestion(text, _NAMED))
    return day


_ISO_DAY = r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
ISO_PATTERN = rf"{_ISO_DAY}(?:(?:T|\s+){_CLOCK}(?:Z|[+-][0-9]{{2}}:[0-9]{{2}})?)?"
"""What `parse_iso` takes, except that it knows the days of each month."""

MOMENT: Kind[Moment] = Kind(
    _moment,
    matching(
        _moment_pattern(UNITS, ISO_PATTERN, _NAMED),
        f"This must be a day, a time, or relative to now: {', '.join(_MOMENT_FORMS)}.",
        *_MOMENT_FORMS,
    ),
)
"""A day or an instant, absolute or relative to now."""

DAY: Kind[date | Relative] = Kind(
    _day,
    matching(
        _moment_pattern(DAY_UNITS, _ISO_DAY, [name for name, day in _NAMED.items() if day.unit in DAY_UNITS]),
        f"This must be a whole day: {', '.join(_DAY_FORMS)}.",
        *_DAY_FORMS,
    ),
)
"""A whole day, absolute or relative to today."""
