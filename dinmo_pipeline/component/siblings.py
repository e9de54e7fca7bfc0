"""The other assets of a component's project, among which `upstream: auto` looks."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import chain
from typing import Any

import dagster as dg

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
        parts = [context.build_defs(place) for place in _places(root, ours)]
    return list(chain.from_iterable(part.resolve_all_asset_specs() for part in parts))


@contextmanager
def _looking_for(component: dg.Component) -> Iterator[None]:
    token = _looking.set(_looking.get() | {id(component)})
    try:
        yield
    finally:
        _looking.reset(token)


def _places(root: dg.Component, ours: type[dg.Component]) -> list[Any]:
    """Where the other parts are: whole files, or what stands beside a component of ours in one."""
    pairs = list(root.iterate_path_component_pairs()) if isinstance(root, dg.DefsFolderComponent) else []
    shared = {place.file_path for place, part in pairs if isinstance(part, ours)}
    return [
        place
        for place, part in pairs
        if not isinstance(part, (dg.DefsFolderComponent, ours))
        and (place.file_path in shared) == (place.instance_key is not None)
    ]
