"""The leases of a command that works on destinations, if each has a state file of its own."""

import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from dinmo_pipeline.cli.dagster_home import dagster_instance
from dinmo_pipeline.cli.messages import report
from dinmo_pipeline.cli.project import state_of

if TYPE_CHECKING:
    from dinmo_pipeline.config.declarations import Project
    from dinmo_pipeline.state.file.database import StateDatabase


@contextmanager
def command_leases(
    project: "Project", command: str, destinations: Iterable[str]
) -> "Iterator[Callable[[StateDatabase], StateDatabase]]":
    """Keep runs, wherever they execute, from working on some destinations within the block.

    It gives a function that makes a state refuse to write once the lease of its destination is lost. With one
    state file nothing is needed: the locks of activations do.

    Raises:
        DestinationHeldError: a run does not end.
    """
    if not project.state.folder:
        yield lambda state: state
        return
    with dagster_instance() as instance, ExitStack() as held:
        from dinmo_pipeline.orchestration.runs.leases import destination_lease, fenced  # noqa: PLC0415  # slow

        holder = f"{command} {uuid.uuid4().hex[:8]}"
        leased: dict[str, str] = {}
        # In one order, so that two of these never wait for each other.
        for destination in sorted(set(destinations)):
            state = state_of(project, destination)
            held.enter_context(destination_lease(instance, state, destination, holder, on_wait=report))
            leased[state.database] = destination

        def fence(state: "StateDatabase") -> "StateDatabase":
            destination = leased.get(state.database)
            return fenced(state, destination, holder) if destination else state

        yield fence
