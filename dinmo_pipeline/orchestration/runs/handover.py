"""Values that a run hands to the code that executes it in the same process.

Dagster keeps metadata for the UI, in types of its own. A command that executes a run itself gets the value as
the run made it instead, also when the run failed afterwards.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from dinmo_pipeline.sync.operations.compute_changes import ComputedChanges


@dataclass(frozen=True, slots=True)
class Computed:
    """The changes of an activation, and the seconds that it took to read its segment and compare it."""

    changes: ComputedChanges
    seconds: float


_receiver: ContextVar[dict[str, object] | None] = ContextVar("_receiver", default=None)


def hand_over(activation: str, value: object) -> None:
    """Give what became of an activation to the code that executes this run; not in a launched run."""
    received = _receiver.get()
    if received is not None:
        received[activation] = value


@contextmanager
def receiving() -> Iterator[dict[str, object]]:
    """Collect the values that runs executed inside the block hand over, by activation."""
    received: dict[str, object] = {}
    token = _receiver.set(received)
    try:
        yield received
    finally:
        _receiver.reset(token)
