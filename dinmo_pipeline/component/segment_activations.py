"""The component: declarations in a folder of `defs/` become assets, jobs, sensors and schedules."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import dagster as dg
from dagster.components.utils.translation import TranslationFn, TranslationFnResolver

from dinmo_pipeline.component.scaffolding import SegmentActivationsScaffolder, identifier

if TYPE_CHECKING:
    from dinmo_pipeline.orchestration.specs import SegmentAsset

_NAME = r"[A-Za-z0-9_]+"


def _template_variables(asset: Any) -> dict[str, Any]:
    return {"asset": asset}


@dg.scaffold_with(SegmentActivationsScaffolder)
@dataclass
class SegmentActivationsComponent(dg.Component, dg.Resolvable):
    """Keep a tag in Intercom in sync with each activated segment of the users in a warehouse.

    The declarations say what is in the warehouse, who is in which segment, and which segments become tags.
    `dinmo check` checks them, and `dinmo sync` works on the same asset keys as this component.
    """

    declarations: Annotated[
        str,
        dg.Resolver.default(
            description="The file or folder of declarations, relative to this one.",
            examples=["dinmo.yaml", "segments/"],
        ),
    ]
    name: Annotated[
        str | None,
        dg.Resolver.default(
            description=(
                "What jobs, sensors, schedules and resources start with: letters, digits and '_'."
                " Default: `dagster: {name: …}` of the declarations."
            ),
            examples=["crm"],
        ),
    ] = None
    translation: Annotated[
        TranslationFn[Any] | None,
        TranslationFnResolver(template_vars_for_translation_fn=_template_variables),
    ] = None

    def get_asset_spec(self, asset: "SegmentAsset") -> dg.AssetSpec:
        """The spec of one of the three assets; a subclass may change anything but its key and partitions."""
        return self.translation(asset.spec, asset) if self.translation else asset.spec

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The definitions of the declarations."""
        # `dg` imports this module whenever it lists components, so DuckDB and the rest wait for their use.
        from dinmo_pipeline.component.siblings import sibling_specs  # noqa: PLC0415
        from dinmo_pipeline.config import fingerprint, load_project  # noqa: PLC0415
        from dinmo_pipeline.orchestration.build import build_definitions  # noqa: PLC0415
        from dinmo_pipeline.orchestration.naming import names_of  # noqa: PLC0415
        from dinmo_pipeline.orchestration.runs.loading import is_for_a_run  # noqa: PLC0415
        from dinmo_pipeline.orchestration.specs import segment_assets, translated, with_upstream  # noqa: PLC0415

        folder = context.path if context.path.is_dir() else context.path.parent
        path = folder / self.declarations
        loaded = load_project(path, partly=True)
        others = sibling_specs(self, context, SegmentActivationsComponent) if loaded.finds_upstream else None
        declared = with_upstream(loaded, others)
        assets = segment_assets(declared)
        settings = replace(
            declared.dagster,
            name=self._valid_name() or declared.dagster.name,
            key_prefix=tuple(self._key_prefix(assets)),
            # A project may have resources of its own that are called `source` and `state`.
            resource_prefix=identifier(folder.name),
        )
        project = replace(declared, dagster=settings)
        specs = translated(assets, self.get_asset_spec, names_of(project))
        return build_definitions(
            *(project, os.environ), for_a_run=is_for_a_run(), specs=specs, fingerprint=fingerprint(path)
        )

    def _valid_name(self) -> str | None:
        if self.name is not None and not re.fullmatch(_NAME, self.name):
            raise dg.DagsterInvalidDefinitionError(
                f"`name` is {self.name!r}, but may contain only letters, digits and '_'. For example:"
                f" {identifier(self.name)}."
            )
        return self.name

    def _key_prefix(self, assets: "Iterable[SegmentAsset]") -> Sequence[str]:
        """What the translation puts before the names of the assets."""
        translation = self.translation or (lambda spec, _asset: spec)
        keys = {asset.name: translation(asset.spec, asset).key for asset in assets}
        prefixes = {tuple(key.path[:-1]) for key in keys.values()}
        if len(prefixes) > 1 or any(key.path[-1] != name for name, key in keys.items()):
            found = ", ".join(key.to_user_string() for key in keys.values())
            raise dg.DagsterInvalidDefinitionError(
                f"`translation` gives the assets the keys {found}. `dinmo` knows keys by a prefix only: use"
                " `key_prefix` instead of `key`."
            )
        (prefix,) = prefixes
        return prefix
