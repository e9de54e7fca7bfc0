"""The beginning of each op: which activations it works on, and that nobody else works on them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg

from dinmo_pipeline.config.declarations import Activation, Project
from dinmo_pipeline.orchestration.naming import Names
from dinmo_pipeline.orchestration.resources import state_of
from dinmo_pipeline.orchestration.runs.batch import (
    BatchConfig,
    activations_in,
    broken_in,
    failure_of,
    run_tags,
)
from dinmo_pipeline.orchestration.runs.errors import Failed
from dinmo_pipeline.orchestration.runs.leases import destination_lease, fenced
from dinmo_pipeline.orchestration.runs.pauses import without_paused
from dinmo_pipeline.state.file.database import StateDatabase


@dataclass(frozen=True, slots=True)
class Turn:
    """The activations of a run, without paused ones, and the state of their destination.

    `broken` are those that cannot be used as they are declared.
    """

    activations: list[Activation]
    broken: Mapping[str, Failed]
    state: StateDatabase


@contextmanager
def taken_turn(names: Names, context: Any, project: Project, config: BatchConfig) -> Iterator[Turn]:
    """The turn of a run, held within the block.

    Raises:
        dg.Failure: the run names no declared activation, none that can be used, or some whose state is in
            several files.
        DestinationHeldError: another run does not end.
    """
    activations, broken = activations_in(context, project, config), broken_in(context, project, config)
    if not activations:
        raise failure_of(broken, len(broken))
    untold = {tag: value for tag, value in run_tags(activations).items() if tag not in context.run.tags}
    context.instance.add_run_tags(context.run.run_id, untold)
    resource = state_of(names, context)
    destinations = sorted({activation.destination for activation in activations})
    if resource.folder and len(destinations) > 1:
        raise dg.Failure(
            f"The activations of a run must have one destination, since each has a state file of its own;"
            f" these have {len(destinations)}: {', '.join(destinations)}. Launch a run for each.",
            allow_retries=False,
        )
    destination = activations[0].destination
    state = resource.of(destination, context.log)
    state.migrate()
    if not resource.folder:
        yield Turn(without_paused(names, context, state, activations), broken, state)
        return
    run_id = context.run.run_id
    with destination_lease(context.instance, state, destination, run_id, on_wait=context.log.warning):
        state = fenced(state, destination, run_id)
        yield Turn(without_paused(names, context, state, activations), broken, state)
