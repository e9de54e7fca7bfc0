"""Many calls at once: as many in flight as the round trip asks for, few queued behind them."""

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Generic, TypeVar

# The pacer lets out at most 133 calls a second (0.8 of 1,667 in 10 s), and those whose answers have not come
# are in flight: 20 at the recorded median of 0.15 s, 47 at the 95th percentile of 0.35 s. More workers than
# that wait for their turn and cost nothing; fewer would waste turns.
WORKERS = 64

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_parallel(
    call: Callable[[Item], Result], items: Iterable[Item], *, workers: int = WORKERS
) -> Generator[Result, None, None]:
    """Results of `call` in the order of their completion; items are taken as workers come free.

    When a call, or taking an item, raises, no other call begins; the results of those under way are still
    given, and then it is raised: what Intercom carried out can be recorded. Who stops reading early waits
    for the calls under way.
    """
    work = _Work(call, iter(items))
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="intercom") as pool:
        try:
            # As many again wait in line, so that nobody idles while results are recorded.
            while work.go_on(pool, 2 * workers):
                yield from work.completed()
        finally:
            work.cancel()
    if work.failure:
        raise work.failure


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of up to `size` items."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch


class _Work(Generic[Item, Result]):
    """Calls under way, and the first failure of any."""

    def __init__(self, call: Callable[[Item], Result], remaining: Iterator[Item]) -> None:
        self._call = call
        self._remaining = remaining
        self._under_way: set[Future[Result]] = set()
        self.failure: BaseException | None = None

    def go_on(self, pool: Executor, most: int) -> bool:
        """Begin calls until `most` are under way, but none after a failure; whether any are."""
        if self.failure is None:
            try:
                for item in islice(self._remaining, most - len(self._under_way)):
                    self._under_way.add(pool.submit(self._call, item))
            except Exception as error:  # noqa: BLE001  # raised when the calls under way have ended
                self.failure = error
        return bool(self._under_way)

    def completed(self) -> list[Result]:
        """Wait for at least one call; the results of those that have ended well."""
        done, self._under_way = wait(self._under_way, return_when=FIRST_COMPLETED)
        results = []
        for future in done:
            error = future.exception()
            if error is None:
                results.append(future.result())
            else:
                self.failure = self.failure or error
        if self.failure:
            self.cancel()
        return results

    def cancel(self) -> None:
        """Take back the calls that have not begun."""
        self._under_way = {future for future in self._under_way if not future.cancel()}
