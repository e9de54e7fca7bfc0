"""A Dagster project of somebody else's, which adds the pipeline as a component."""

import sys
import uuid
import warnings
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

_OWN = """\
import logging
import dagster as dg

class Warehouse(dg.ConfigurableResource):
    path: str

@dg.asset(key=["marts", "customers"])
def customers(source: Warehouse, state: Warehouse): ...

@dg.logger
def console(_context):
    return logging.getLogger("shop")

@dg.definitions
def own():
    resources = {"source": Warehouse(path="a"), "state": Warehouse(path="b")}
    return dg.Definitions(resources=resources, loggers={"console": console})
"""
_DEFINITIONS = """\
from pathlib import Path
import dagster as dg

@dg.definitions
def defs():
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
"""


class Shop:
    """The project, with resources called `source` and `state` and a logger called `console`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.module = f"shop_{uuid.uuid4().hex[:8]}"
        self.defs = folder / "src" / self.module / "defs"
        self.defs.mkdir(parents=True)
        (folder / "dg.toml").write_text(
            f'directory_type = "project"\n[project]\nroot_module = "{self.module}"\n'
        )
        (self.defs / "own.py").write_text(_OWN)
        (self.defs.parent / "definitions.py").write_text(_DEFINITIONS)

    def add(self, name: str, attributes: Mapping[str, Any], type_: str = "") -> Path:
        """Add a component; its declarations are `dinmo.yaml` beside it."""
        folder = self.defs / name
        folder.mkdir(exist_ok=True)
        component = {
            "type": type_ or "dinmo_pipeline.SegmentActivationsComponent",
            "attributes": {"declarations": "dinmo.yaml", **attributes},
        }
        (folder / "defs.yaml").write_text(yaml.safe_dump(component))
        return folder

    def definitions(self) -> dg.Definitions:
        """What a code server loads."""
        with self._importable(), warnings.catch_warnings():
            # Dagster builds the checks of components anew, with a parameter of its own that is beta.
            warnings.simplefilter("ignore", dg.BetaWarning)
            found = dg.load_from_defs_folder(path_within_project=self.defs)
            dg.Definitions.validate_loadable(found)
            return found

    @contextmanager
    def _importable(self):
        sys.path.insert(0, str(self.folder / "src"))
        try:
            yield
        finally:
            sys.path.remove(str(self.folder / "src"))
            for name in [name for name in sys.modules if name.startswith(self.module)]:
                del sys.modules[name]
