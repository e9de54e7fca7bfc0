"""Runs whose process was killed: closed in Dagster and in the state, so that their activation continues.

Dagster's code server notices the end of processes that it launched itself, but not of a `dinmo sync` or of
the machine. A run that stays "started" keeps every later run of its activation in the queue, since only one
at a time is allowed.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from dinmo_pipeline.orchestration.naming import Names
from dinmo_pipeline.orchestration.runs.batch import activations_of, listed
from dinmo_pipeline.state.errors import StateError
from dinmo_pipeline.state.file.run_marks import dead_runs
from dinmo_pipeline.state.syncs import interrupt_sync

if TYPE_CHECKING:
    from dinmo_pipeline.state.file.database import StateDatabase

_WHY = "Its process ended before the run did, so it is closed. The next sync will finish the rest."


def close_dead_runs(
    names: Names,
    instance: dg.DagsterInstance,
    locks: Path,
    report: Callable[[str], None],
    *,
    state: "StateDatabase | None" = None,
) -> None:
    """Close each run that is marked as alive and is not, and report it.

    With `state`, its syncs are closed there as well; the next sync of an activation does that in any case. A
    run of another instance is left to that instance. If the state cannot be written now, the mark stays for
    the next time.
    """
    for run_id, mark in dead_runs(locks):
        run = instance.get_run_by_id(run_id)
        if run is None:
            continue
        name = listed(activations_of(names, run)) or run.job_name
        if not run.is_finished:
            instance.report_run_failed(run, _WHY)
        if state:
            try:
                with state.transaction() as connection:
                    interrupt_sync(connection, run_id, now=datetime.now(UTC))
            except StateError as error:
                report(f"{name}: a run that was killed could not be closed. {error}")
                continue
        mark.unlink(missing_ok=True)
        if not run.is_success:
            report(f"{name}: run {run_id[:8]} was killed. {_WHY}")
