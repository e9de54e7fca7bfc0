"""The assets as Dagster shows them, before anybody makes them: keys, groups, owners, tables, dependencies."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from textwrap import indent
from typing import Any

import dagster as dg

from dinmo_pipeline.config import render
from dinmo_pipeline.config.declarations import Project
from dinmo_pipeline.orchestration.metadata import table_metadata
from dinmo_pipeline.orchestration.naming import (
    INTERCOM_TAGS,
    MEMBERSHIP_CHANGES,
    SEGMENT_MEMBERSHIP,
    Names,
    names_of,
)
from dinmo_pipeline.orchestration.runs.batch import listed
from dinmo_pipeline.orchestration.sensors.upstream import upstream_deps, upstream_keys
from dinmo_pipeline.text.wording import counted


@dataclass(frozen=True, slots=True)
class SegmentAsset:
    """One of the pipeline's three assets, for a translator.

    Attributes:
        name: `segment_membership`, `membership_changes` or `intercom_tags`.
        spec: What it is without a translation, and without its dependency on the asset before it.
        project: Everything that is declared.
    """

    name: str
    spec: dg.AssetSpec
    project: Project


class SegmentActivationsTranslator:
    """Decides how the assets show in Dagster; make a subclass to change that."""

    def get_asset_spec(self, asset: SegmentAsset) -> dg.AssetSpec:
        """The spec of an asset. Anything may differ from `asset.spec` but its key and partitions.

        Set the key's prefix as `dagster: {key_prefix: …}` in the declarations, where `dinmo` reads it too.
        """
        return asset.spec


GetAssetSpec = Callable[[SegmentAsset], dg.AssetSpec]
Specs = Mapping[str, dg.AssetSpec]
"""The specs of the assets, by their name without a prefix."""

_MAX_PROBLEMS_SHOWN = 20
_BEFORE = {MEMBERSHIP_CHANGES: SEGMENT_MEMBERSHIP, INTERCOM_TAGS: MEMBERSHIP_CHANGES}


def with_upstream(project: Project, other_assets: Iterable[dg.AssetSpec] | None = None) -> Project:
    """The project with `upstream: auto` replaced by the assets that fill its tables, among those given."""
    if not project.finds_upstream:
        return project
    from dinmo_pipeline.orchestration.upstream_assets import (  # noqa: PLC0415  # 0.3 s to import
        with_upstream_found,
    )

    return with_upstream_found(project, other_assets)


def segment_assets(project: Project) -> list[SegmentAsset]:
    """The three assets of a project, in order."""
    return [
        _asset(
            project,
            SEGMENT_MEMBERSHIP,
            "Who is in each activated segment now: one row per member, in DuckDB." + _broken(project),
            table="segment_membership",
            deps=upstream_deps(upstream_keys(project)),
            kinds={"duckdb", "sql"},
        ),
        _asset(
            project,
            MEMBERSHIP_CHANGES,
            "Whom to tag and untag: membership minus the ledger of tagged contacts, so anything that failed"
            " is retried by the next sync.",
            table="membership_changes",
            kinds={"duckdb"},
        ),
        _asset(
            project,
            INTERCOM_TAGS,
            "The activation's tag on each member who exists as a user in Intercom. Nothing but the tag is"
            " ever created there.",
            table="tagged_contacts",
            kinds={"intercom"},
        ),
    ]


def _broken(project: Project) -> str:
    """What cannot be used of the declarations, for people who look at the asset."""
    if not project.problems:
        return ""
    keys = list(project.broken_of("activation"))
    affected = f" So these are not synced: {listed(keys)}." if keys else ""
    # Four spaces make a block of code, where the caret is under its place.
    return (
        f"\n\n**The declarations have {counted(len(project.problems), 'problem')}.**{affected}\n\n"
        + indent(render(project.problems[:_MAX_PROBLEMS_SHOWN]), "    ")
    )


def _asset(
    project: Project, name: str, description: str, *, table: str, kinds: set[str], deps: Iterable[Any] = ()
) -> SegmentAsset:
    """An asset that each activation has a partition of, and whose rows are in `table`."""
    spec = dg.AssetSpec(
        names_of(project).key(name),
        deps=deps,
        group_name=project.dagster.group_name,
        owners=project.dagster.owners,
        kinds=kinds,
        description=description,
        metadata=table_metadata(table),
        # The events are logged by partition, so Dagster must not expect one of its own.
        skippable=True,
    )
    return SegmentAsset(name, spec, project)


def translated(assets: Iterable[SegmentAsset], get_asset_spec: GetAssetSpec, names: Names) -> Specs:
    """The specs of the assets after a translation, which must give them the keys of `names`.

    Raises:
        dg.DagsterInvalidDefinitionError: it gives an asset another key, or an asset is upstream of itself.
    """
    specs: dict[str, dg.AssetSpec] = {}
    for asset in assets:
        spec, key = get_asset_spec(asset), names.key(asset.name)
        if spec.key != key:
            raise dg.DagsterInvalidDefinitionError(
                f"get_asset_spec changes the key {key.to_user_string()} to {spec.key.to_user_string()}, which"
                " `dinmo sync` would not know. Set `key_prefix` under `dagster:` in the declarations, or in"
                " the component's `translation`, instead."
            )
        own = [dep.asset_key for dep in spec.deps if dep.asset_key in names.keys]
        if own:
            raise dg.DagsterInvalidDefinitionError(
                f"`upstream` names {own[0].to_user_string()}, which is made from the segments itself. Name"
                " the assets that fill their tables."
            )
        before = [names.key(_BEFORE[asset.name])] if asset.name in _BEFORE else []
        specs[asset.name] = spec.merge_attributes(deps=before)
    return specs
