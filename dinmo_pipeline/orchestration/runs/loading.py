"""Why Dagster loads the definitions."""

# Dagster 1.13 has no public name for it; its own integrations use this one.
from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext, DefinitionsLoadType


def is_for_a_run() -> bool:
    """Whether the definitions are loaded to execute a run, after the code server has shown them."""
    return DefinitionsLoadContext.get().load_type == DefinitionsLoadType.RECONSTRUCTION
