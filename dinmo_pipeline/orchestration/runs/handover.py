"""Values that a run hands to the code that executes it in the same process.

Dagster keeps metadata for the UI, in types of its own. A command that executes a run itself gets the value as
the run made it instead, also when the run failed afterwards.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_receiver: ContextVar[list[object] | None] = ContextVar("_receiver", default=None)


def hand_over(value: object) -> None:
    """Give a value to the code that executes this run; nothing happens in a launched run."""
    received = _receiver.get()
    if received is not None:
        received.append(value)


@contextmanager
def receiving() -> Iterator[list[object]]:
    """Collect the values that runs executed inside the block hand over."""
    received: list[object] = []
    token = _receiver.set(received)
    try:
        yield received
    finally:
        _receiver.reset(token)
