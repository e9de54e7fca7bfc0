"""Runs whose process was killed: closed in Dagster and in the state, so that their activation goes on.

Dagster's code server notices the end of the processes that it launched itself. Nobody notices that of a
`dinmo sync`, or of a machine; and a run that stays "started" keeps every later one of its activation in the
queue, since only one at a time is allowed.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from dinmo_pipeline.orchestration.runs.lifecycle import PARTITION_TAG
from dinmo_pipeline.state.errors import StateError
from dinmo_pipeline.state.file.run_marks import dead_runs
from dinmo_pipeline.state.syncs import interrupt_sync

if TYPE_CHECKING:
    from dinmo_pipeline.state.file.database import StateDatabase

_WHY = "Its process ended before the run did, so it is closed; the next sync does the rest."


def close_dead_runs(
    instance: dg.DagsterInstance,
    state: "StateDatabase",
    locks: Path,
    tell: Callable[[str], None],
) -> None:
    """Close each run that is marked as alive and is not, and tell so.

    A run that this instance does not know is left to the one that does; a state that cannot be written now,
    to the next time.
    """
    for run_id, mark in dead_runs(locks):
        run = instance.get_run_by_id(run_id)
        if run is None:
            continue
        activation = run.tags.get(PARTITION_TAG, run.job_name)
        if not run.is_finished:
            instance.report_run_failed(run, _WHY)
        try:
            with state.transaction() as connection:
                interrupt_sync(connection, run_id, now=datetime.now(UTC))
        except StateError as error:
            tell(f"{activation}: a run that was killed could not be closed. {error}")
            continue
        mark.unlink(missing_ok=True)
        if not run.is_success:
            tell(f"{activation}: run {run_id[:8]} was killed. {_WHY}")
