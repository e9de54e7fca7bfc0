"""Segments in the warehouse, tags in Intercom.

The names below are for other Dagster projects. Each is imported when it is used: `dg` and the code server
import every package with components, and `dinmo` does without Dagster until it runs something.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dinmo_pipeline.component.building import build_segment_definitions, load_segment_asset_specs
    from dinmo_pipeline.component.segment_activations import SegmentActivationsComponent
    from dinmo_pipeline.orchestration.specs import SegmentActivationsTranslator, SegmentAsset

__all__ = [
    "SegmentActivationsComponent",
    "SegmentActivationsTranslator",
    "SegmentAsset",
    "build_segment_definitions",
    "load_segment_asset_specs",
]

_HOMES = {
    "SegmentActivationsComponent": "component.segment_activations",
    "SegmentActivationsTranslator": "orchestration.specs",
    "SegmentAsset": "orchestration.specs",
    "build_segment_definitions": "component.building",
    "load_segment_asset_specs": "component.building",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    # `dg` imports all that this lists, to find the components among it.
    return sorted({*globals(), "SegmentActivationsComponent"})
