"""Paused activations, which people stop and resume by hand.

The state has them. Schedules and sensors never open a state file, which may be on another machine, so
Dagster's storage has their keys as well: as a set of dynamic partitions, its only public set of texts. A run
that a schedule or sensor launched asks the state again. So a pause holds even if it was made by a process
that was killed half-way, or that uses another Dagster instance.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import dagster as dg

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.orchestration.naming import Names
from dinmo_pipeline.state.coordination.pauses import Pause, pause, pauses, resume
from dinmo_pipeline.state.file.database import StateDatabase

PAUSED_ACTIVATIONS = "dinmo_paused_activations"
LAUNCHED_BY = ("dagster/schedule_name", "dagster/sensor_name")
"""The tags of a run that no person launched; it has one of them."""


def pause_activations(
    names: Names,
    instance: dg.DagsterInstance,
    state: StateDatabase,
    activations: Collection[str],
    reason: str | None,
    *,
    now: datetime,
) -> dict[str, Pause]:
    """Pause activations; returns their pauses, the earlier one of those that were paused before."""
    with state.transaction() as connection:
        pause(connection, activations, reason, now=now)
        found = pauses(connection)
    instance.add_dynamic_partitions(names.of(PAUSED_ACTIVATIONS), list(activations))
    return {key: found[key] for key in activations}


def resume_activations(
    names: Names, instance: dg.DagsterInstance, state: StateDatabase, activations: Collection[str]
) -> dict[str, Pause]:
    """End the pauses of activations; returns the pauses, of those that were paused."""
    # First here: if this is interrupted, the state still has the pause, and no activation is left paused
    # in a way that `dinmo status` does not show.
    for key in activations:
        instance.delete_dynamic_partition(names.of(PAUSED_ACTIVATIONS), key)
    with state.transaction() as connection:
        found = pauses(connection)
        resume(connection, activations)
    return {key: found[key] for key in activations if key in found}


def paused_activations(names: Names, instance: dg.DagsterInstance) -> set[str]:
    """The keys of the paused activations, in one query, for schedules and sensors."""
    return set(instance.get_dynamic_partitions(names.of(PAUSED_ACTIVATIONS)))


def without_paused(
    names: Names, context: Any, state: StateDatabase, activations: Sequence[Activation]
) -> list[Activation]:
    """The activations that this run may work on: all of them, if a person launched it."""
    if not any(tag in context.run.tags for tag in LAUNCHED_BY):
        return list(activations)
    with state.reading() as connection:
        found = pauses(connection)
    paused = [activation.key for activation in activations if activation.key in found]
    for key in paused:
        context.log.info("%s: nothing done. %s To go on: dinmo resume %s.", *(key, found[key].sentence, key))
    if paused:
        context.instance.add_dynamic_partitions(names.of(PAUSED_ACTIVATIONS), paused)
    return [activation for activation in activations if activation.key not in found]
