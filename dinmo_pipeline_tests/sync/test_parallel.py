"""Parallel calls: how many, in what order, and what happens when one fails."""

import threading
from collections.abc import Iterable

from dinmo_pipeline.sync.parallel import batches, in_parallel


class Gate:
    """Calls that wait until enough of them are in flight."""

    def __init__(self, calls: int) -> None:
        self.barrier = threading.Barrier(calls)
        self.most = self.now = 0
        self.lock = threading.Lock()

    def __call__(self, item: int) -> int:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.barrier.wait(timeout=10)
        with self.lock:
            self.now -= 1
        return item


def read_until_error(results: Iterable[int]) -> tuple[list[int], Exception | None]:
    """All results, and the error that ends them."""
    read: list[int] = []
    try:
        for result in results:
            read.append(result)  # noqa: PERF402  # what came before the error counts
    except (LookupError, OSError) as error:
        return read, error
    return read, None


def test_as_many_calls_are_in_flight_as_there_are_workers():
    """Never more, and never fewer while there is work."""
    gate = Gate(8)
    assert sorted(in_parallel(gate, range(80), workers=8)) == list(range(80))
    assert gate.most == 8


def test_items_are_taken_as_workers_become_free():
    """At most two per worker ahead of the results read, so an endless source is fine."""
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield taken

    results = in_parallel(lambda item: item, endless(), workers=4)
    read = [next(results) for _ in range(100)]
    results.close()
    assert len(set(read)) == 100
    assert taken <= 100 + 2 * 8


def test_results_come_in_the_order_of_completion():
    """A slow call delays no other."""
    slow = threading.Event()

    def call(item: int) -> int:
        if item == 0:
            slow.wait(timeout=10)
        return item

    results = in_parallel(call, range(10), workers=2)
    first = [next(results) for _ in range(9)]
    slow.set()
    assert sorted(first) == list(range(1, 10))
    assert list(results) == [0]


def test_after_a_failure_no_call_starts_and_calls_in_flight_still_give_results():
    """Intercom carried those out, so they are recorded before the error is raised."""
    both = threading.Barrier(2)
    begun = []

    def call(item: int) -> int:
        begun.append(item)
        if item < 2:
            both.wait(timeout=10)
        if item == 0:
            raise LookupError("item 0")
        return item

    items = 100_000
    told, error = read_until_error(in_parallel(call, range(items), workers=2))
    assert isinstance(error, LookupError)
    assert 1 in told
    assert sorted([0, *told]) == sorted(begun)
    assert len(begun) < items


def test_an_error_of_the_source_waits_for_calls_in_flight():
    """Likewise."""

    def source():
        yield from range(3)
        raise OSError("the state is busy")

    told, error = read_until_error(in_parallel(lambda item: item, source(), workers=2))
    assert sorted(told) == [0, 1, 2]
    assert isinstance(error, OSError)


def test_closing_the_generator_leaves_no_thread():
    """Calls in flight end, and no other starts."""
    before = threading.active_count()
    begun = []
    for _ in in_parallel(begun.append, range(10_000), workers=4):
        break
    assert threading.active_count() == before
    assert len(begun) <= 16


def test_no_items_give_no_results():
    """And no error."""
    assert list(in_parallel(str, [])) == []


def test_batches_have_at_most_the_given_size():
    """The last one has the rest."""
    assert list(batches(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(batches([], 2)) == []
