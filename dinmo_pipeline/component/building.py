"""The definitions of some declarations, for projects that assemble theirs in Python."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import dagster as dg

from dinmo_pipeline.config import fingerprint, load_project
from dinmo_pipeline.config.declarations import Project
from dinmo_pipeline.orchestration.build import build_definitions
from dinmo_pipeline.orchestration.naming import names_of
from dinmo_pipeline.orchestration.runs.loading import is_for_a_run
from dinmo_pipeline.orchestration.specs import (
    SegmentActivationsTranslator,
    Specs,
    segment_assets,
    translated,
    with_upstream,
)


def build_segment_definitions(
    declarations: str | Path,
    *,
    translator: SegmentActivationsTranslator | None = None,
    other_assets: Iterable[dg.AssetSpec] | None = None,
) -> dg.Definitions:
    """The definitions of a file or folder of declarations, to merge with those of a project.

    The prefixes of names and keys are under `dagster:` in the declarations, where `dinmo` reads them too.
    Secrets come from the environment. Among `other_assets`, those of the project, `upstream: auto` looks for
    the ones that fill the tables of segments.

    Raises:
        ConfigError: the declarations cannot be used at all. A problem of one segment, model or activation
            breaks only the activations that depend on it.
        dg.DagsterInvalidDefinitionError: the translator changes the key of an asset.
    """
    project = with_upstream(load_project(Path(declarations), partly=True), other_assets)
    specs = _specs(project, translator)
    return build_definitions(
        *(project, os.environ),
        for_a_run=is_for_a_run(),
        specs=specs,
        fingerprint=fingerprint(Path(declarations)),
    )


def load_segment_asset_specs(
    declarations: str | Path, *, translator: SegmentActivationsTranslator | None = None
) -> Sequence[dg.AssetSpec]:
    """The specs of the three assets, in order, for a project that only refers to them.

    Raises:
        ConfigError: the declarations cannot be used at all. A problem of one segment, model or activation
            breaks only the activations that depend on it.
        dg.DagsterInvalidDefinitionError: the translator changes the key of an asset.
    """
    return list(_specs(with_upstream(load_project(Path(declarations), partly=True)), translator).values())


def _specs(project: Project, translator: SegmentActivationsTranslator | None) -> Specs:
    get_asset_spec = (translator or SegmentActivationsTranslator()).get_asset_spec
    return translated(segment_assets(project), get_asset_spec, names_of(project))
