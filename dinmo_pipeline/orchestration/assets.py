"""The three assets, partitioned by activation: membership, its changes, the tags in Intercom."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from dinmo_pipeline.config.declarations import Project
from dinmo_pipeline.orchestration import checks
from dinmo_pipeline.orchestration.metadata import (
    changes_metadata,
    description_metadata,
    membership_metadata,
    sync_metadata,
    table_metadata,
)
from dinmo_pipeline.orchestration.naming import (
    INTERCOM_TAGS,
    MEMBERSHIP_CHANGES,
    SEGMENT_MEMBERSHIP,
    SOURCE,
    STATE,
)
from dinmo_pipeline.orchestration.resources import IntercomResource, SourceResource, StateResource
from dinmo_pipeline.orchestration.runs.errors import failure_of
from dinmo_pipeline.orchestration.runs.handover import hand_over
from dinmo_pipeline.orchestration.sensors.upstream import (
    upstream_deps,
    upstream_keys,
    upstream_metadata,
)
from dinmo_pipeline.state.file.locks import activation_lock
from dinmo_pipeline.state.ledger import count_tagged
from dinmo_pipeline.state.membership import earlier_sizes, refresh_membership
from dinmo_pipeline.state.readings import applied_reading
from dinmo_pipeline.state.stuck import count_stuck
from dinmo_pipeline.sync.guards.limits import Released
from dinmo_pipeline.sync.guards.lost_identifiers import what_changed
from dinmo_pipeline.sync.operations.apply import apply_changes
from dinmo_pipeline.sync.operations.compute_changes import refresh_changes
from dinmo_pipeline.sync.operations.sync_result import summary
from dinmo_pipeline.sync.session import Session

if TYPE_CHECKING:
    from dinmo_pipeline.segments import ActivatedSelect

GROUP = "intercom_segments"
OWNERS = ["team:analytics_engineering"]


class ChangesConfig(dg.Config):
    """What a person may ask for in one run of `membership_changes`."""

    # Read everything that Intercom has of the members again.
    recheck: bool = False


class ApplyConfig(dg.Config):
    """What a person may decide for one run of `intercom_tags`."""

    allow_large_removal: bool = False
    allow_large_growth: bool = False
    # The fingerprint of a reviewed plan; any other changes are held.
    expected_changes: str = ""


def build_assets(
    project: Project,
    destinations: Mapping[str, IntercomResource],
    partitions: dg.PartitionsDefinition[str],
) -> list[dg.AssetsDefinition]:
    """The assets of a project; each run works on the activation that its partition key names."""
    return [
        _segment_membership(project, partitions),
        _membership_changes(project, destinations, partitions),
        _intercom_tags(project, destinations, partitions),
    ]


def _asset(
    name: str,
    partitions: dg.PartitionsDefinition[str],
    description: str,
    *,
    table: str,
    deps: Sequence[Any],
    kinds: set[str],
    resources: Iterable[str] = (),
) -> Callable[[Callable[..., Iterator[Any]]], dg.AssetsDefinition]:
    """The decorator of an asset that each activation has a partition of, and whose rows are in `table`."""
    return dg.asset(
        name=name,
        deps=deps,
        partitions_def=partitions,
        group_name=GROUP,
        owners=OWNERS,
        kinds=kinds,
        required_resource_keys={*resources, STATE},
        check_specs=checks.check_specs(name, partitions),
        description=description,
        metadata=table_metadata(table),
    )


def _segment_membership(project: Project, partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    upstream = upstream_keys(project)

    @_asset(
        SEGMENT_MEMBERSHIP,
        partitions,
        "Who is in each activated segment now: one row per member, in DuckDB.",
        table="segment_membership",
        deps=upstream_deps(upstream),
        kinds={"duckdb", "sql"},
        resources={SOURCE},
    )
    def segment_membership(context: dg.AssetExecutionContext) -> Iterator[Any]:
        # The compiler takes 0.16 s to import, which runs of the other assets do without.
        from dinmo_pipeline.orchestration.segment_rows import staging  # noqa: PLC0415

        activation = project.activations[context.partition_key]
        source: SourceResource = context.resources.source
        state = _state(context).opened_by(context.log)
        started = time.monotonic()
        selects: list[ActivatedSelect] = []
        stage = staging(project, activation, partial(source.opened_by, context.log), selects.append)
        with _locked(context):
            found = refresh_membership(state, activation.key, activation.match_by, stage)
        with state.reading() as connection:
            sizes = earlier_sizes(connection, activation.key, limit=checks.SIZES_COMPARED + 1)
            applied = applied_reading(connection, activation)
        for remark in selects[0].remarks:
            context.log.warning("%s: %s", activation.key, remark)
        context.log.info(
            "%s: %s members (%s added, %s removed).",
            *(activation.key, found.members, found.added, found.removed),
        )
        for change in what_changed(found.rows, applied) if applied else ():
            context.log.warning("%s: %s", activation.key, change)
        yield dg.MaterializeResult(
            metadata={
                **membership_metadata(found, selects[0].sql, time.monotonic() - started),
                **upstream_metadata(upstream[activation.key]),
                **description_metadata(activation),
            },
            check_results=[
                checks.usable_identifiers(found.rows, applied),
                checks.usual_size(found.members, [members for _, members in sizes[1:]]),
            ],
        )

    return segment_membership


def _membership_changes(
    project: Project,
    destinations: Mapping[str, IntercomResource],
    partitions: dg.PartitionsDefinition[str],
) -> dg.AssetsDefinition:
    @_asset(
        MEMBERSHIP_CHANGES,
        partitions,
        "Who entered and left: membership minus the ledger of tagged contacts, so anything that failed"
        " is retried by the next sync.",
        table="membership_changes",
        deps=[SEGMENT_MEMBERSHIP],
        kinds={"duckdb"},
    )
    def membership_changes(context: dg.AssetExecutionContext, config: ChangesConfig) -> Iterator[Any]:
        activation = project.activations[context.partition_key]
        started = time.monotonic()
        with (
            _locked(context),
            destinations[activation.destination].client_in_run(_state(context).budgets) as client,
        ):
            computed = refresh_changes(
                Session(
                    activation,
                    _state(context).opened_by(context.log),
                    client,
                    context.log,
                    declared=project.activations,
                ),
                recheck=config.recheck,
            )
        hand_over(computed)
        if computed.hold:
            context.log.info("%s: held. %s", context.partition_key, computed.hold.sentence)
        context.log.info(
            "%s: %s entered, %s left.",
            *(context.partition_key, computed.changes.entered, computed.changes.left),
        )
        yield dg.MaterializeResult(
            metadata={
                **changes_metadata(computed, time.monotonic() - started),
                **description_metadata(activation),
            },
            check_results=[checks.removal_guard(context.partition_key, computed)],
        )

    return membership_changes


def _intercom_tags(
    project: Project,
    destinations: Mapping[str, IntercomResource],
    partitions: dg.PartitionsDefinition[str],
) -> dg.AssetsDefinition:
    @_asset(
        INTERCOM_TAGS,
        partitions,
        "The activation's tag on each member who exists as a user in Intercom. Nothing but the tag is"
        " ever created there.",
        table="tagged_contacts",
        deps=[MEMBERSHIP_CHANGES],
        kinds={"intercom"},
    )
    def intercom_tags(context: dg.AssetExecutionContext, config: ApplyConfig) -> Iterator[Any]:
        activation = project.activations[context.partition_key]
        state = _state(context)
        database = state.opened_by(context.log)
        with (
            _locked(context),
            destinations[activation.destination].client_in_run(_state(context).budgets) as client,
        ):
            result = apply_changes(
                Session(
                    activation,
                    database,
                    client,
                    context.log,
                    sync_id=context.run.run_id,
                    declared=project.activations,
                ),
                state.locks,
                released=Released(config.allow_large_removal, config.allow_large_growth),
                expected_changes=config.expected_changes or None,
            )
        with database.reading() as connection:
            tagged_contacts = count_tagged(connection, context.partition_key)
            stuck = count_stuck(connection).get(context.partition_key, 0)
        metadata = sync_metadata(result, tagged_contacts)
        carried_out = checks.changes_carried_out(result, stuck)
        if result.status != "ok":
            yield carried_out
            raise failure_of(
                context.partition_key,
                summary(context.partition_key, result),
                metadata,
                is_transient=result.is_transient,
            )
        yield dg.MaterializeResult(
            metadata={**metadata, **description_metadata(activation)},
            check_results=[
                carried_out,
                checks.only_our_carriers(activation, result.numbers.other_carriers),
                checks.match_rate(result),
            ],
        )

    return intercom_tags


def _locked(context: dg.AssetExecutionContext) -> AbstractContextManager[None]:
    """Lock the activation for this step: no other run reads its segment or changes its tags meanwhile."""
    return activation_lock(_state(context).locks, context.partition_key, on_wait=context.log.warning)


def _state(context: dg.AssetExecutionContext) -> StateResource:
    state: StateResource = context.resources.state
    return state
