"""Runs whose process was killed: closed in Dagster and in the state, so that their activation goes on.

Dagster's code server notices the end of the processes that it launched itself. Nobody notices that of a
`dinmo sync`, or of a machine; and a run that stays "started" keeps every later one of its activation in the
queue, since only one at a time is allowed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from dinmo_pipeline.state.errors import ActivationHeldError, StateError
from dinmo_pipeline.state.run_marks import marked_activations, marked_runs, run_mark

if TYPE_CHECKING:
    from dinmo_pipeline.state.database import StateDatabase

_WHY = "Its process ended before the run did, so it is closed; the next sync does the rest."


@contextmanager
def run_holding(
    locks: Path, activation: str, run_id: str, on_wait: Callable[[str], None]
) -> Iterator[None]:
    """Let a run have an activation to itself: no other run reads its segment or changes its tags meanwhile.

    Raises:
        StateError: another sync of the activation does not end.
    """
    from dinmo_pipeline.state.locks import activation_lock  # noqa: PLC0415  # slow to import

    with (
        activation_lock(locks, activation, on_wait=on_wait),
        run_mark(locks, activation, run_id),
    ):
        yield


def close_dead_runs(
    instance: dg.DagsterInstance,
    state: "StateDatabase",
    locks: Path,
    tell: Callable[[str], None],
) -> None:
    """Close each run that holds an activation no more although it never ended, and tell so.

    A run that this instance does not know is left to the one that does; a state that cannot be written now,
    to the next time.
    """
    for activation in marked_activations(locks):
        try:
            _close_runs_of(activation, instance, state, locks, tell)
        except StateError as error:
            tell(f"{activation}: a run that was killed could not be closed. {error}")


def _close_runs_of(
    activation: str,
    instance: dg.DagsterInstance,
    state: "StateDatabase",
    locks: Path,
    tell: Callable[[str], None],
) -> None:
    from dinmo_pipeline.state.locks import activation_lock  # noqa: PLC0415  # slow to import
    from dinmo_pipeline.state.syncs import interrupt_sync  # noqa: PLC0415

    try:
        with activation_lock(locks, activation, wait_seconds=0, on_wait=lambda _: None):
            for run_id, mark in marked_runs(locks, activation).items():
                run = instance.get_run_by_id(run_id)
                if run is None:
                    continue
                if not run.is_finished:
                    instance.report_run_failed(run, _WHY)
                with state.transaction() as connection:
                    interrupt_sync(connection, run_id, now=datetime.now(UTC))
                mark.unlink(missing_ok=True)
                tell(f"{activation}: run {run_id[:8]} was killed. {_WHY}")
    except ActivationHeldError:
        # A run is alive in it. Its mark may be the only one; else the next time closes the others.
        return
