"""Pages of contacts: cursors, sort orders, and the results cached between pages."""

import base64
import binascii
import json
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from dinmo_pipeline.emulator.workspace.index import Index
from dinmo_pipeline.emulator.workspace.query import Field, Query
from dinmo_pipeline.emulator.workspace.records import Contact
from dinmo_pipeline.emulator.workspace.search import find

MAX_PER_PAGE: Final = 150
_MAX_RESULTS_KEPT: Final = 8

Key = tuple[bool, Any, int]


class InvalidCursorError(ValueError):
    """A `starting_after` that no response gave."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the next page begins.

    Attributes:
        page: The number of that page, from 1.
        after: The sort key of the last contact on the page before.
    """

    page: int
    after: Key

    def encoded(self) -> str:
        """The cursor as an opaque string, which may contain `+`, `/` and `=`, like Intercom's."""
        return base64.b64encode(json.dumps([self.page, *self.after]).encode()).decode()


@dataclass(frozen=True, slots=True)
class Page:
    """One page of contacts; `after` is None on the last."""

    contacts: list[Contact]
    number: int
    total: int
    after: Cursor | None


@dataclass(frozen=True, slots=True)
class Order:
    """A sort order: by a field, then by creation. Contacts without the field come first.

    Attributes:
        field: None sorts only by creation.
    """

    field: Field | None = None
    descending: bool = False

    def key(self, contact: Contact) -> Key:
        """The sort key of a contact."""
        value = None if self.field is None else self.field.of(contact)
        return (value is not None, 0 if value is None else value, contact.seq)


def decoded(cursor: Any) -> Cursor:
    """Read a cursor.

    Raises:
        InvalidCursorError: It is not one of ours.
    """
    try:
        page, has_value, value, seq = json.loads(base64.b64decode(cursor, validate=True))
        return Cursor(int(page), (bool(has_value), value, int(seq)))
    except (TypeError, ValueError, binascii.Error) as error:
        raise InvalidCursorError("Invalid starting_after") from error


def page_of_all(index: Index, cursor: Cursor | None, per_page: int) -> Page:
    """A page of all live contacts, in order of creation."""
    start = 0 if cursor is None else cursor.after[2] + 1
    contacts = list(islice(index.live_from(start), per_page + 1))
    return _page(contacts, cursor, per_page, index.live_count, Order())


class Results:
    """A cache of the last few results, so that paging through a query runs it only once.

    When the index changes, the next page runs the query again. So as in Intercom, changes between pages
    can make contacts be missed or repeated.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Query, Order], tuple[int, list[int]]] = OrderedDict()

    def page(self, query: Query, order: Order, index: Index, cursor: Cursor | None, per_page: int) -> Page:
        """A page of the live contacts that match a query.

        Raises:
            InvalidCursorError: The cursor belongs to another order.
        """
        ascending = self._ascending(query, order, index)
        found = _slice(ascending, order, index, cursor, per_page + 1)
        return _page([index.at(seq) for seq in found], cursor, per_page, len(ascending), order)

    def _ascending(self, query: Query, order: Order, index: Index) -> list[int]:
        key = (query, order)
        generation, result = self._kept.get(key, (-1, []))
        if generation != index.generation:
            result = find(query, index)
            if order.field is not None:
                result.sort(key=_keys(order, index))
            self._kept[key] = (index.generation, result)
        self._kept.move_to_end(key)
        if len(self._kept) > _MAX_RESULTS_KEPT:
            self._kept.popitem(last=False)
        return result


def _keys(order: Order, index: Index) -> Callable[[int], Key]:
    return lambda seq: order.key(index.at(seq))


def _slice(
    ascending: Sequence[int], order: Order, index: Index, cursor: Cursor | None, count: int
) -> Sequence[int]:
    if cursor is None:
        return ascending[-count:][::-1] if order.descending else ascending[:count]
    key = _keys(order, index)
    try:
        if order.descending:
            end = bisect_left(ascending, cursor.after, key=key)
            return ascending[max(0, end - count) : end][::-1]
        start = bisect_right(ascending, cursor.after, key=key)
    except TypeError as error:
        raise InvalidCursorError("starting_after belongs to another sort") from error
    return ascending[start : start + count]


def _page(contacts: list[Contact], cursor: Cursor | None, per_page: int, total: int, order: Order) -> Page:
    number = 1 if cursor is None else cursor.page
    shown = contacts[:per_page]
    has_next = bool(shown) and len(contacts) > per_page
    after = Cursor(number + 1, order.key(shown[-1])) if has_next else None
    return Page(shown, number, total, after)
