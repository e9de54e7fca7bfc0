"""Rows of a query, page by page, so that no connection stays open while they are worked through."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Row = TypeVar("Row")
Position = TypeVar("Position", int, str)


def rows_by_page(
    read: Callable[[Position, int], Sequence[Row]],
    position: Callable[[Row], Position],
    *,
    start: Position,
    limit: int,
) -> Iterator[Row]:
    """All rows of a query that is ordered by their position.

    Args:
        read: the rows after a position, at most so many.
        position: the position of a row.
        start: a position before the first row.
        limit: rows per page.
    """
    after = start
    while True:
        page = read(after, limit)
        yield from page
        if len(page) < limit:
            return
        after = position(page[-1])
