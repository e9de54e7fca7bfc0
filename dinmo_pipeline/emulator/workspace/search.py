"""Running a query: which contacts match."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from dinmo_pipeline.emulator.workspace.index import Index
from dinmo_pipeline.emulator.workspace.query import Filter, Query
from dinmo_pipeline.emulator.workspace.records import Contact, email_key

Predicate = Callable[[Contact], bool]
_DAY_S: Final = 86_400
_WORD: Final = re.compile(r"\w+")


def find(query: Query, index: Index) -> list[int]:
    """Positions of the live contacts that match a query, in order of creation.

    A filter by id, external id, email, tag or time of creation uses an index; a query without one scans
    all contacts.
    """
    matches = predicate(query)
    candidates = _candidates(query, index)
    if candidates is None:
        return [contact.seq for contact in index.live_from(0) if matches(contact)]
    contacts = map(index.at, sorted(candidates))
    return [contact.seq for contact in contacts if contact.state == "live" and matches(contact)]


def predicate(query: Query) -> Predicate:
    """A query as a function of a contact."""
    if isinstance(query, Filter):
        return _compare(query)
    parts = [predicate(part) for part in query.parts]
    if query.operator == "AND":
        return lambda contact: all(part(contact) for part in parts)
    return lambda contact: any(part(contact) for part in parts)


def _compare(part: Filter) -> Predicate:
    of, value = part.field.of, part.value
    if part.field.kind == "tag":
        return _compare_tag(part)
    if part.field.kind == "date":
        return _compare_day(part)
    fold: Callable[[Any], Any] = _folded if part.field.name == "email" else _same
    values = {fold(each) for each in (value if isinstance(value, tuple) else (value,))}
    if part.operator in ("=", "IN"):
        return lambda contact: fold(of(contact)) in values
    if part.operator in ("!=", "NIN"):
        return lambda contact: fold(of(contact)) not in values
    return _compare_text(part)


def _compare_text(part: Filter) -> Predicate:
    of, value = part.field.of, str(part.value).casefold()
    if part.operator == "^":
        return lambda contact: str(of(contact) or "").casefold().startswith(value)
    if part.operator == "$":
        return lambda contact: str(of(contact) or "").casefold().endswith(value)
    # Measured: "contains" compares whole words.
    words = set(_WORD.findall(value))
    contains = part.operator == "~"
    return lambda contact: (words <= set(_WORD.findall(str(of(contact) or "").casefold()))) is contains


def _compare_tag(part: Filter) -> Predicate:
    tag_id, equal = part.value, part.operator == "="
    if tag_id is None:
        return lambda contact: (not contact.tags) is equal
    return lambda contact: (tag_id in contact.tags) is equal


def _compare_day(part: Filter) -> Predicate:
    of = part.field.of
    start, end = _day_bounds(part)

    def holds(contact: Contact) -> bool:
        moment = of(contact)
        if moment is None:
            return False
        return (start is None or moment >= start) and (end is None or moment < end)

    return holds


def _day_bounds(part: Filter) -> tuple[int | None, int | None]:
    """The half-open interval of Unix seconds that matches a date filter.

    Documented: dates are compared by whole days, so ">" starts at the next midnight and "<" ends at the
    midnight before. The emulated workspace is in UTC.
    """
    if not isinstance(part.value, int):
        raise TypeError(f"cannot compare a date with {part.value!r}")
    day = part.value - part.value % _DAY_S
    bounds: Mapping[str, tuple[int | None, int | None]] = {
        "=": (day, day + _DAY_S),
        ">": (day + _DAY_S, None),
        "<": (None, day),
    }
    return bounds[part.operator]


def _candidates(query: Query, index: Index) -> Collection[int] | None:
    """Positions that include every match, from an index; None if no index helps."""
    if isinstance(query, Filter):
        return _looked_up(query, index)
    found = [_candidates(part, index) for part in query.parts]
    if query.operator == "AND":
        known = [positions for positions in found if positions is not None]
        return min(known, key=len, default=None)
    if None in found:
        return None
    return {seq for positions in found if positions for seq in positions}


def _looked_up(part: Filter, index: Index) -> Collection[int] | None:
    if part.field.name == "created_at":
        return index.created(*_day_bounds(part))
    if part.operator not in ("=", "IN") or part.value is None:
        return None
    values = [str(each) for each in (part.value if isinstance(part.value, tuple) else [part.value])]
    by_field: Mapping[str, Callable[[], Collection[int]]] = {
        "id": lambda: index.ids(values),
        "external_id": lambda: index.external_ids(values),
        "email": lambda: index.emails(values),
        "tag_id": lambda: index.tagged(values[0]),
    }
    look_up = by_field.get(part.field.name)
    return None if look_up is None else look_up()


def _folded(value: Any) -> Any:
    return email_key(value) if value else None


def _same(value: Any) -> Any:
    return value
