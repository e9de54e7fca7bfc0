"""The other assets of a component's project, among which `upstream: auto` looks."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import chain
from pathlib import Path
from typing import Any

import dagster as dg
from dagster.components.core.defs_module import ComponentPath

_Place = Path | ComponentPath
_looking: ContextVar[frozenset[int]] = ContextVar("_looking", default=frozenset())


def sibling_specs(
    component: dg.Component, context: dg.ComponentLoadContext, ours: type[dg.Component]
) -> list[dg.AssetSpec] | None:
    """The specs of everything else in the project's `defs` folder, except components of our class.

    Dagster builds each part of the folder once and keeps it, so looking ahead costs nothing. None if one of
    the parts in turn builds this component: looking on would never end.
    """
    if id(component) in _looking.get():
        return None
    # At the root of the folder there is nothing else, and in a test of a component by itself no folder.
    if context.path == context.defs_module_path:
        return []
    root = context.load_structural_component_at_path(context.defs_module_path)
    with _looking_for(component):
        parts = [context.build_defs(place) for place in _places(context.defs_module_path, root, ours)]
    return list(chain.from_iterable(part.resolve_all_asset_specs() for part in parts))


@contextmanager
def _looking_for(component: dg.Component) -> Iterator[None]:
    token = _looking.set(_looking.get() | {id(component)})
    try:
        yield
    finally:
        _looking.reset(token)


def _places(
    place: Path | ComponentPath, part: Any, ours: type[dg.Component]
) -> Iterator[Path | ComponentPath]:
    """The largest parts without a component of ours; `part` is what Dagster has loaded at `place`."""
    if isinstance(part, ours):
        return
    if isinstance(part, dg.DefsFolderComponent):
        for path, child in part.children.items():
            yield from _places(path, child, ours)
        return
    # What a file declares: a sequence in YAML, a mapping in Python.
    inside = getattr(part, "components", ())
    keyed = dict(inside if isinstance(inside, Mapping) else enumerate(inside))
    if not any(isinstance(child, (dg.DefsFolderComponent, ours)) for child in keyed.values()):
        yield place
        return
    path = place.file_path if isinstance(place, ComponentPath) else place
    for key, child in keyed.items():
        yield from _places(ComponentPath.from_path(path, key), child, ours)
