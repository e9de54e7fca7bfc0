"""Cron expressions of five fields, checked without importing Dagster, which takes seconds.

What is accepted here is a subset of what Dagster's scheduler accepts; a test compares them.
"""

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date

from dinmo_pipeline.config.strict_yaml.json_schemas import number_from_to, one_word_of

_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
}
NICKNAMES = tuple(_NICKNAMES)

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_PART = re.compile(
    r"(?P<first>\*|[0-9]{1,2}|[a-z]{3})(?:-(?P<last>[0-9]{1,2}|[a-z]{3}))?(?:/(?P<step>[0-9]{1,2}))?"
)


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    lowest: int
    highest: int
    names: tuple[str, ...] = ()

    def number(self, word: str) -> int | None:
        if word in self.names:
            return self.names.index(word) + self.lowest
        return int(word) if word.isdecimal() and self.lowest <= int(word) <= self.highest else None


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 7, _DAYS),
)


def _field_pattern(field: _Field) -> str:
    value = number_from_to(field.lowest, field.highest)
    if field.names:
        value = f"(?:{value}|{one_word_of(field.names)})"
    part = rf"(?:\*|{value}(?:-{value})?)(?:/{number_from_to(1, field.highest)})?"
    return f"{part}(?:,{part})*"


PATTERN = "|".join((*NICKNAMES, r"\s+".join(map(_field_pattern, _FIELDS))))
"""What `fault_in_cron` lets pass, for JSON Schema; it alone knows the order of ranges and month lengths."""

_DAYS_PER_MONTH = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}


def fault_in_cron(expression: str) -> str | None:
    """What is wrong with a cron expression, continuing `schedule …`; None if it is valid."""
    if expression in NICKNAMES:
        return None
    fields = expression.lower().split()
    if expression.startswith("@") or len(fields) != len(_FIELDS):
        names = ", ".join(field.name for field in _FIELDS)
        return f"must be `manual`, words such as `daily at 07:30`, or five cron fields: {names}"
    sets = []
    for field, text in zip(_FIELDS, fields, strict=True):
        values = _values(field, text)
        if values is None:
            allowed = f"{field.lowest} to {field.highest}, as in 1,3-5 or */2"
            return f"has a wrong {field.name}, '{text[:40]}': {allowed}"
        sets.append(values)
    return _fault_in_days(days=sets[2], months=sets[3])


def _fault_in_days(days: set[int], months: set[int]) -> str | None:
    if all(min(days) > _DAYS_PER_MONTH.get(month, 31) for month in months):
        return "names a day that never comes in the months it names"
    return None


def _values(field: _Field, text: str) -> set[int] | None:
    values: set[int] = set()
    for part in text.split(","):
        expanded = _expanded(field, part)
        if not expanded:
            return None
        values.update(expanded)
    return values


def _expanded(field: _Field, part: str) -> range | None:
    match = _PART.fullmatch(part)
    if match is None:
        return None
    step = int(match["step"] or 1)
    if step == 0 or step > field.highest:
        return None
    if match["first"] == "*":
        return None if match["last"] else range(field.lowest, field.highest + 1, step)
    first = field.number(match["first"])
    last = field.number(match["last"]) if match["last"] else first
    if first is None or last is None or (match["last"] and last <= first):
        return None
    if match["step"] and not match["last"]:
        last = field.highest
    return range(first, last + 1, step)


@dataclass(frozen=True, slots=True)
class CronSets:
    """The numbers that each field of a schedule allows; None for a day that is `*`."""

    minutes: AbstractSet[int]
    hours: AbstractSet[int]
    days: AbstractSet[int] | None
    months: AbstractSet[int]
    weekdays: AbstractSet[int] | None

    def has_day(self, day: date) -> bool:
        """Whether the schedule runs on a day; if both kinds of day are restricted, one of them is enough."""
        if day.month not in self.months:
            return False
        wanted = [
            chosen
            for chosen in (
                None if self.days is None else day.day in self.days,
                None if self.weekdays is None else day.isoweekday() % 7 in self.weekdays,
            )
            if chosen is not None
        ]
        return any(wanted) if wanted else True


def cron_sets(expression: str) -> CronSets:
    """The numbers of a schedule that `fault_in_cron` accepts."""
    fields = _NICKNAMES.get(expression, expression).lower().split()
    minutes, hours, days, months, weekdays = (
        _values(field, text) or set() for field, text in zip(_FIELDS, fields, strict=True)
    )
    return CronSets(
        minutes,
        hours,
        None if fields[2] == "*" else days,
        months,
        # Sunday is 0 and 7.
        None if fields[4] == "*" else {day % 7 for day in weekdays},
    )
