"""Schedules in words, such as `every 15 minutes` or `daily at 07:30`: to cron, and back for people."""

import re

from dinmo_pipeline.config.schedules.cron import NICKNAMES
from dinmo_pipeline.config.strict_yaml.json_schemas import any_case, number_from_to, one_word_of
from dinmo_pipeline.text.wording import shown

EXAMPLES = ("every 15 minutes", "every 2 hours", "daily at 07:30", "weekdays at 7:30")

_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_DAY_NUMBERS = {name[:length]: n for n, name in enumerate(_DAYS) for length in (3, len(name))}
_GROUPS = {"daily": "*", "day": "*", "weekday": "1-5", "weekend": "0,6"}
_FILLERS = ("every", "weekly", "on", "and")
_MINUTE = "[0-5][0-9]"
_INTERVAL = re.compile(r"every (?:(\d{1,4}) )?(min|minute|hour|day|week|month)s?")
_AT = re.compile(r"(.+?) at (.+)")
_TIME = re.compile(r"(\d{1,2})(?::(\d{2}))?(?: ?(am|pm))?")
_MONTHLY = re.compile(r"(?:monthly|every month) on (?:the |day )?(\d{1,2})(?:st|nd|rd|th)?")
_MAX_DAY_OF_MONTH = 28  # the last that every month has


class PhraseError(Exception):
    """Words that are not a schedule; the message continues `schedule …`."""


def _pattern() -> str:
    """What `cron_of` takes, for JSON Schema."""
    minutes, hours = (
        rf"0{{0,2}}(?:{'|'.join(map(str, (*_divisors(whole), whole)))})\s+" for whole in (60, 24)
    )
    in_minutes, in_hours = (
        rf"(?:{minutes})?{one_word_of(('minute', 'min'))}",
        rf"(?:{hours})?{any_case('hour')}",
    )
    interval = rf"{any_case('every')}\s+(?:{in_minutes}|{in_hours})[sS]?"
    between = rf"(?:[\s,]|\b{one_word_of(_FILLERS)}\b)"
    day = rf"{one_word_of(tuple(_DAY_NUMBERS))}[sS]?"
    days = f"{between}*(?:{one_word_of(tuple(_GROUPS))}[sS]?|{day}(?:{between}+{day})*){between}*"
    ordinal = rf"{number_from_to(1, _MAX_DAY_OF_MONTH)}{one_word_of(('st', 'nd', 'rd', 'th'))}?"
    monthly = (
        rf"(?:{any_case('monthly')}|{any_case('every')}\s+{any_case('month')})\s+{any_case('on')}\s+"
        rf"(?:{one_word_of(('the', 'day'))}\s+)?{ordinal}"
    )
    minute = f"(?::{_MINUTE})?"
    half_day = rf"{number_from_to(1, 12)}{minute}\s?{one_word_of(('am', 'pm'))}"
    time = f"(?:{half_day}|{number_from_to(0, 23)}{minute}|{one_word_of(('noon', 'midnight'))})"
    return rf"(?:{any_case('hourly')}|{interval}|(?:{monthly}|{days})\s+{any_case('at')}\s+{time})"


def _divisors(whole: int) -> list[int]:
    return [n for n in range(1, whole) if whole % n == 0]


PATTERN = _pattern()


def is_phrase(schedule: str) -> bool:
    """Whether a schedule is in words: a cron expression never begins with a letter."""
    return schedule[:1].isalpha()


def cron_of(phrase: str) -> str:
    """The cron expression of a schedule in words.

    >>> cron_of("every 15 minutes"), cron_of("weekdays at 7:30")
    ('*/15 * * * *', '30 7 * * 1-5')

    Raises:
        PhraseError: the words are not understood, or mean what cron cannot express.
    """
    words = " ".join(phrase.lower().replace(",", " and ").split())
    if words == "hourly":
        words = "every hour"
    if interval := _INTERVAL.fullmatch(words):
        return _cron_of_interval(int(interval[1] or 1), interval[2])
    at = _AT.fullmatch(words)
    if at is None:
        raise PhraseError("needs a time or an interval, as in `daily at 07:30` or `every 2 hours`")
    hour, minute = _time(at[2])
    if monthly := _MONTHLY.fullmatch(at[1]):
        return f"{minute} {hour} {_day_of_month(int(monthly[1]))} * *"
    return f"{minute} {hour} * * {_days_of_week(at[1])}"


def _cron_of_interval(number: int, unit: str) -> str:
    if unit in ("min", "minute"):
        if number == 60:  # noqa: PLR2004  # an hour
            return "0 * * * *"
        _require_divisor(number, 60, "an hour", "minutes")
        return "* * * * *" if number == 1 else f"*/{number} * * * *"
    if unit == "hour":
        if number == 24:  # noqa: PLR2004  # a day
            return "0 0 * * *"
        _require_divisor(number, 24, "a day", "hours")
        return "0 * * * *" if number == 1 else f"0 */{number} * * *"
    if number == 1:
        example = {"day": "daily", "week": "mondays", "month": "monthly on day 1"}[unit]
        raise PhraseError(f"needs a time, as in `{example} at 07:30`")
    raise PhraseError(
        f"cannot be every {number} {unit}s. Name days instead, as in `mondays and thursdays at 07:30`"
    )


def _require_divisor(number: int, whole: int, name: str, unit: str) -> None:
    divisors = _divisors(whole)
    if number not in divisors:
        allowed = f"{', '.join(map(str, divisors[:-1]))} or {divisors[-1]}"
        raise PhraseError(f"must divide {name} evenly: {allowed} {unit}")


def _time(words: str) -> tuple[int, int]:
    """Hour and minute of `7`, `7:30`, `07:30`, `7:30 pm`, `noon` or `midnight`."""
    words = {"noon": "12:00", "midnight": "00:00"}.get(words, words)
    found = _TIME.fullmatch(words)
    hour, minute, half = (int(found[1]), int(found[2] or 0), found[3]) if found else (24, 0, None)
    if half and not 1 <= hour <= 12:  # noqa: PLR2004  # hours of a half day
        hour = 24
    elif half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    if hour > 23 or minute > 59:  # noqa: PLR2004  # hours of a day, minutes of an hour
        raise PhraseError(f"has a wrong time, '{shown(words)}': 00:00 to 23:59, or as in 7:30 am")
    return hour, minute


def _day_of_month(day: int) -> int:
    if not 1 <= day <= _MAX_DAY_OF_MONTH:
        raise PhraseError(f"has a wrong day of the month, {day}: 1 to {_MAX_DAY_OF_MONTH}")
    return day


def _days_of_week(words: str) -> str:
    """The cron field of `daily`, `weekdays`, `mondays`, `every monday and friday`, and such."""
    names = re.sub(rf"\b(?:{'|'.join(_FILLERS)})\b", " ", words).split()
    if len(names) == 1 and (group := _GROUPS.get(names[0].removesuffix("s"))):
        return group
    numbers = {_DAY_NUMBERS.get(name, _DAY_NUMBERS.get(name.removesuffix("s"), -1)) for name in names}
    if not numbers or -1 in numbers:
        raise PhraseError(
            f"has wrong days, '{shown(words)}': daily, weekdays, weekends, mondays, mondays and"
            " thursdays, or monthly on day 1"
        )
    return ",".join(str(number) for number in sorted(numbers))


def in_words(schedule: str) -> str:
    """A cron expression in words, where it is one that `cron_of` gives; any other schedule as it is.

    >>> in_words("*/15 * * * *"), in_words("30 7 * * mon-fri"), in_words("5 4 1-7 * *")
    ('every 15 minutes', 'weekdays at 07:30', '5 4 1-7 * *')
    """
    fields = _CRON_OF_NICKNAME.get(schedule, schedule).lower().split()
    if len(fields) != 5 or fields[3] != "*":  # noqa: PLR2004  # the fields of cron
        return schedule
    minute, hour, day, _, weekday = fields
    if day == weekday == "*" and (interval := _interval_in_words(minute, hour)):
        return interval
    days = _days_in_words(day, weekday)
    if days is None or not (minute.isdecimal() and hour.isdecimal()):
        return schedule
    return f"{days} at {int(hour):02}:{int(minute):02}"


_CRON_OF_NICKNAME = dict(zip(NICKNAMES, ("0 * * * *", "0 0 * * *", "0 0 * * 0", "0 0 1 * *"), strict=True))


def _interval_in_words(minute: str, hour: str) -> str | None:
    if hour == "*" and minute in ("*", "0"):
        return "every minute" if minute == "*" else "every hour"
    step = re.fullmatch(r"\*/(\d+) \*|0 \*/(\d+)", f"{minute} {hour}")
    if step is None:
        return None
    number, whole, unit = (step[1], 60, "minute") if step[1] else (step[2], 24, "hour")
    if whole % int(number):
        return None
    return f"every {number} {unit}s" if int(number) > 1 else f"every {unit}"


def _days_in_words(day: str, weekday: str) -> str | None:
    if weekday == "*":
        if day == "*":
            return "daily"
        return f"monthly on day {int(day)}" if day.isdecimal() and int(day) <= _MAX_DAY_OF_MONTH else None
    if day != "*":
        return None
    numbers = re.sub("[a-z]+", lambda name: str(_DAY_NUMBERS.get(name[0], "?")), weekday)
    if numbers in ("1-5", "0,6"):
        return "weekdays" if numbers == "1-5" else "weekends"
    listed = numbers.split(",")
    if not all(number in list("01234567") for number in listed):
        return None
    names = [f"{_DAYS[int(number) % 7]}s" for number in listed]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
