"""Imports go one way: what each layer may use, told once and enforced."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "dinmo_pipeline"

# Which layers a layer may import, besides itself.
ALLOWED = {
    "config": set(),
    "segments": {"config"},
    "state": {"config"},
    "intercom": {"config"},
    "sync": {"config", "state", "intercom"},
    "orchestration": {"config", "segments", "state", "intercom", "sync"},
    "emulator": set(),
    "demo": {"config", "state", "orchestration"},
    "cli": {"config", "segments", "state", "intercom", "sync", "orchestration", "emulator", "demo"},
    "definitions": {"config", "orchestration"},
}
MODULES = [
    path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.parent != PACKAGE or path.stem == "definitions"
]


def layer_of(path):
    """`state` of `dinmo_pipeline/state/sql.py`."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(path):
    """The modules that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_the_layers_below_it(path):
    """Each module of the package, one by one."""
    layer = layer_of(path)
    used = {
        module.split(".")[1]
        for module in imported_modules(path)
        if module.startswith("dinmo_pipeline.")
    }
    assert used - {layer} <= ALLOWED[layer]


def test_only_the_composition_roots_read_the_environment():
    """definitions.py, and the command line."""
    readers = {
        layer_of(path)
        for path in MODULES
        if "os.environ" in path.read_text() or "os.getenv" in path.read_text()
    }
    assert readers <= {"definitions", "cli"}


def test_dagster_stays_in_its_layer():
    """The layers below know nothing of it."""
    users = {
        layer_of(path)
        for path in MODULES
        if any(module.split(".")[0] == "dagster" for module in imported_modules(path))
    }
    assert users <= {"orchestration", "definitions", "cli", "demo"}


def test_every_layer_is_listed():
    """A new folder needs a decision."""
    assert {layer_of(path) for path in MODULES} == set(ALLOWED)
