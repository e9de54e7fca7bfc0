"""Why Dagster loads the definitions."""

import os

# Dagster 1.13 has no public name for it; its own integrations use this one.
from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext, DefinitionsLoadType

_loaded_to_show: set[int] = set()


def is_for_a_run() -> bool:
    """Whether the definitions are loaded to execute a run, in a process that has not shown them.

    A code server loads them twice: first to look at them, then as a run does, and it serves the second.
    """
    if DefinitionsLoadContext.get().load_type == DefinitionsLoadType.INITIALIZATION:
        _loaded_to_show.add(os.getpid())
    return os.getpid() not in _loaded_to_show
