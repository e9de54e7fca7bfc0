"""The check of each audience. Runs evaluate it as they go; a person may have it evaluated from the state."""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from functools import partial

import dagster as dg

from dinmo_pipeline.config.declarations import Project
from dinmo_pipeline.orchestration.audiences.events import in_sync
from dinmo_pipeline.orchestration.naming import AUDIENCES, IN_SYNC, STATE, names_of
from dinmo_pipeline.orchestration.resources import state_of
from dinmo_pipeline.orchestration.runs.batch import sentence_about
from dinmo_pipeline.state.coordination.pauses import pauses
from dinmo_pipeline.state.errors import StateError
from dinmo_pipeline.state.file.locks import is_locked
from dinmo_pipeline.state.overview import overview
from dinmo_pipeline.state.stuck import count_stuck
from dinmo_pipeline.sync.standing import Finding, Standing, State, standing

_DESCRIPTION = (
    "Whether those in the segment, and only they, carry the tag; otherwise why not, and what to do. Runs"
    " evaluate it; executed by hand, it shows the state of `dinmo status`."
)
_ERRORS = (State.BROKEN, State.FAILED, State.HELD)


def build_audience_checks(project: Project) -> list[dg.AssetChecksDefinition]:
    """The check `in_sync` of all audiences; none without an activation."""
    names = names_of(project)
    keys = project.declared_activations
    if not keys:
        return []

    @dg.multi_asset_check(
        name=names.of(f"{AUDIENCES}_{IN_SYNC}"),
        specs=[
            dg.AssetCheckSpec(
                IN_SYNC,
                asset=names.audience(key),
                description=_DESCRIPTION,
            )
            for key in keys
        ],
        can_subset=True,
        required_resource_keys={names.resource(STATE)},
    )
    def audiences_in_sync(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        selected = {check.asset_key for check in context.selected_asset_check_keys}
        chosen = [key for key in keys if names.audience(key) in selected]
        for key, found in _standings(project, context, chosen).items():
            worst = found.findings[0].sentence if found.findings else ""
            evaluation = in_sync(names, key, found.state, worst, is_error=found.state in _ERRORS)
            yield dg.AssetCheckResult(
                passed=evaluation.passed,
                asset_key=evaluation.asset_key,
                check_name=evaluation.check_name,
                severity=evaluation.severity,
                description=evaluation.description,
                metadata=evaluation.metadata,
            )

    return [audiences_in_sync]


def _standings(
    project: Project, context: dg.AssetCheckExecutionContext, keys: Collection[str]
) -> dict[str, Standing]:
    """How some activations stand, from the state of each destination.

    Raises:
        dg.Failure: a state cannot be read.
    """
    broken = project.broken_of("activation")
    of_destination: dict[str, list[str]] = {}
    for key in keys:
        if key in project.activations:
            of_destination.setdefault(project.activations[key].destination, []).append(key)
    found = {
        key: Standing((Finding(State.BROKEN, sentence_about(broken[key])),)) for key in keys if key in broken
    }
    resource = state_of(names_of(project), context)
    try:
        for destination, own in of_destination.items():
            with resource.of(destination, context.log).reading() as connection:
                known, stuck, paused = overview(connection), count_stuck(connection), pauses(connection)
            for key in own:
                found[key] = standing(
                    key,
                    project.activations[key],
                    known.get(key),
                    stuck=stuck.get(key, 0),
                    paused=paused.get(key),
                    is_locked=partial(is_locked, resource.locks),
                    now=datetime.now(UTC),
                )
    except StateError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    return found
