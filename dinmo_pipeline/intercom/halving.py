"""Halving a list of items, to find the one that makes Intercom refuse or fail on the whole list."""

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from dinmo_pipeline.intercom.errors import UnavailableError

Item = TypeVar("Item")
Result = TypeVar("Result")


class Narrowed(NamedTuple, Generic[Item, Result]):
    """What came of halving a list.

    Attributes:
        results: the results of the parts that Intercom answered.
        failing: the items that it still fails on: none, one, or a list of which both halves fail.
        error: its last error.
    """

    results: list[Result]
    failing: Sequence[Item]
    error: UnavailableError


def halves(items: Sequence[Item]) -> tuple[Sequence[Item], Sequence[Item]]:
    """The two halves of a list; of an odd number the first gets one more."""
    middle = (len(items) + 1) // 2
    return items[:middle], items[middle:]


def narrow(
    items: Sequence[Item],
    ask: Callable[[Sequence[Item]], list[Result]],
    error: UnavailableError,
    *,
    blames_items: Callable[[UnavailableError], bool] = lambda _error: True,
) -> Narrowed[Item, Result]:
    """Halve a list that Intercom failed on with `error`, as long as it answers the other half.

    When both halves fail, the cause is Intercom and not an item, and the halving stops.

    Raises:
        UnavailableError: an error that, by `blames_items`, has nothing to do with the items.
    """
    results: list[Result] = []
    while len(items) > 1:
        failing = []
        for half in halves(items):
            try:
                results += ask(half)
            except UnavailableError as again:
                if not blames_items(again):
                    raise
                error = again
                failing.append(half)
        if not failing:
            return Narrowed(results, (), error)
        if len(failing) > 1:
            break
        (items,) = failing
    return Narrowed(results, items, error)
