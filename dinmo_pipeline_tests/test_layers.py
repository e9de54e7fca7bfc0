"""Imports go one way: what each layer and each room may use is written here once, and enforced."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
PACKAGE = PROJECT / "dinmo_pipeline"
MAX_FILES_PER_FOLDER = 16
MAX_CHAIN = 7

# The layers that a layer may import, besides itself.
ALLOWED = {
    "text": set(),
    "contact": set(),
    "scratch": set(),
    "config": {"text"},
    "segments": {"text", "scratch", "config"},
    "state": {"text", "contact", "scratch", "config"},
    "intercom": {"text", "contact", "config"},
    "sync": {"text", "contact", "config", "state", "intercom"},
    "report": {"text", "config", "state", "sync"},
    "orchestration": {
        *("text", "config", "segments", "state", "intercom", "sync", "dagster_storage"),
    },
    "component": {"config", "orchestration"},
    "emulator": set(),
    "demo": {"text", "config", "state", "orchestration"},
    "cli": {
        *("text", "config", "segments", "state", "intercom", "sync", "orchestration", "emulator"),
        *("demo", "dagster_storage", "report", "component"),
    },
    "definitions": {"config", "orchestration"},
    "dagster_storage": set(),
}
# The rooms of its layer that a room may import, besides itself. A room is a folder or a module of a layer.
ALLOWED_WITHIN_LAYER = {
    "config.strict_yaml": set(),
    "config.schedules": {"strict_yaml"},
    "config.declarations": {"strict_yaml", "schedules"},
    "config.surroundings": {"declarations", "strict_yaml"},
    "config.conditions": {"strict_yaml", "declarations"},
    "config.dbt": {"strict_yaml", "declarations"},
    "segments.sql": set(),
    "segments.sources": {"errors", "sql"},
    "segments.compiler": {"errors", "sql", "sources"},
    "segments.unit_tests": {"errors", "sql", "sources", "members", "tables_read"},
    "state.schema": {"errors", "sql"},
    "state.contacts": {"sql"},
    "state.coordination": {"sql"},
    "state.tags": {"sql"},
    "state.file": {"errors", "sql", "schema"},
    "state.looking": {"forget", "sql", "syncs"},
    "intercom.pacing": {"errors"},
    "sync.guards": set(),
    "report.charts": set(),
    "report.content": set(),
    "orchestration.alerts": {"metadata", "naming", "runs", "sensors"},
    "orchestration.runs": {"naming", "resources"},
    "orchestration.sensors": {"metadata", "naming", "resources", "runs"},
    "emulator.workspace": set(),
    "cli.development": {"exit_codes", "messages", "project"},
    "cli.diagnosis": {"dagster_home", "destinations", "messages"},
    "cli.new_project": set(),
    "cli.commands": {
        "completion",
        *("dagster_home", "destinations", "development", "diagnosis", "exit_codes", "exposures", "leases"),
        *(
            "messages",
            "new_project",
            "own_files",
            "plan_file",
            "progress",
            "project",
            "segment_facts",
            "tables",
        ),
    },
}
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]
LAYERS = sorted(layer for layer in ALLOWED if (PACKAGE / layer).is_dir())


def layer_of(path):
    """`state` of `dinmo_pipeline/state/sql.py`, `contact` of `dinmo_pipeline/contact.py`."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(path):
    """The modules that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def rooms_of(layer):
    """The rooms of a layer, each with the other rooms that it imports."""
    rooms = defaultdict(set)
    for path in (PACKAGE / layer).rglob("*.py"):
        room = path.relative_to(PACKAGE / layer).parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        used = {
            module.split(".")[2]
            for module in imported_modules(path)
            if module.startswith(f"dinmo_pipeline.{layer}.")
        }
        rooms[room] |= {other for other in used if other != room and is_room(layer, other)}
    return rooms


def is_room(layer, name):
    """Whether a layer has a folder or a module of that name."""
    folder = PACKAGE / layer
    return (folder / name).is_dir() or (folder / f"{name}.py").exists()


def longest_chain(rooms):
    """The rooms of the longest way down the imports; a circle is an error."""
    known = {}

    def chain(room, above):
        assert room not in above, f"Imports in a circle: {' → '.join([*above, room])}"
        if room not in known:
            below = [chain(other, (*above, room)) for other in rooms[room]]
            known[room] = [room, *max(below, key=len, default=[])]
        return known[room]

    return max((chain(room, ()) for room in list(rooms)), key=len)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_the_layers_below_it(path):
    """Each module of the package, one by one."""
    layer = layer_of(path)
    used = {module.split(".")[1] for module in imported_modules(path) if module.startswith("dinmo_pipeline.")}
    assert used - {layer} <= ALLOWED[layer]


@pytest.mark.parametrize("room", ALLOWED_WITHIN_LAYER)
def test_a_room_imports_only_from_the_rooms_below_it(room):
    """The inner walls of the layers."""
    layer, name = room.split(".")
    assert rooms_of(layer)[name] <= ALLOWED_WITHIN_LAYER[room]


@pytest.mark.parametrize("layer", LAYERS)
def test_the_rooms_of_a_layer_are_few_floors_high(layer):
    """No circle, and no long climb from the lowest room to the highest."""
    chain = longest_chain(rooms_of(layer))
    assert len(chain) <= MAX_CHAIN, " → ".join(chain)


@pytest.mark.parametrize("package", ["dinmo_pipeline", "dinmo_pipeline_tests"])
def test_no_folder_holds_more_files_than_a_person_can_take_in(package):
    """More than that asks for a room."""
    files = defaultdict(int)
    for path in (PROJECT / package).rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            files[str(path.parent.relative_to(PROJECT))] += 1
    assert {folder: n for folder, n in files.items() if n > MAX_FILES_PER_FOLDER} == {}


def test_the_compiler_opens_no_source():
    """It gets one that is open."""
    used = {
        module for path in (PACKAGE / "segments/compiler").glob("*.py") for module in imported_modules(path)
    }
    of_sources = {module for module in used if module.startswith("dinmo_pipeline.segments.sources.")}
    assert of_sources == {
        "dinmo_pipeline.segments.sources.opening",
        "dinmo_pipeline.segments.sources.opening.OpenSource",
    }


def test_only_the_composition_roots_read_the_environment():
    """definitions.py, the component, the command line, and what dagster.yaml names."""
    readers = {
        layer_of(path)
        for path in MODULES
        if "os.environ" in path.read_text() or "os.getenv" in path.read_text()
    }
    assert readers <= {"definitions", "component", "cli", "dagster_storage"}


def test_dagster_stays_in_its_layer():
    """The layers below know nothing of it."""
    users = {
        layer_of(path)
        for path in MODULES
        if any(module.split(".")[0] == "dagster" for module in imported_modules(path))
    }
    assert users <= {"orchestration", "component", "definitions", "dagster_storage", "cli", "demo"}


def test_every_layer_is_listed():
    """A new folder needs a decision."""
    assert {layer_of(path) for path in MODULES} == set(ALLOWED)


def test_the_map_in_contributing_is_the_tree():
    """One row per folder, in the words of its package docstring."""
    folders = {
        str(path.parent.relative_to(PACKAGE)): first_line_of_docstring(path)
        for path in sorted(PACKAGE.rglob("__init__.py"))
        if path.parent != PACKAGE
    }
    contributing = (PROJECT / "CONTRIBUTING.md").read_text()
    rows = dict(re.findall(r"^\| `([\w/]+)/` \| (.*) \|$", contributing, re.MULTILINE))
    assert rows == folders


def first_line_of_docstring(path):
    """The first line of a module's docstring, without its full stop."""
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    return docstring.split("\n")[0].removesuffix(".")
