"""What `dg scaffold defs` writes: a component file, and commented declarations that load."""

import re
from pathlib import Path

import dagster as dg

COMPONENT = "dinmo_pipeline.SegmentActivationsComponent"
DECLARATIONS = "dinmo.yaml"
_COMPONENT = """\
type: {type_name}

attributes:
  declarations: {declarations} # a file, or a folder of files
  name: {name} # what jobs, sensors, schedules and resources start with
  translation:
    key_prefix: [{name}] # {name}/segment_membership, {name}/membership_changes, {name}/intercom_tags
    group_name: {name}
    # owners: ["team:crm"]
"""
_PYTHON = """\
import dagster as dg
from {module} import {cls}


@dg.component_instance
def load(context: dg.ComponentLoadContext) -> {cls}:
    return {cls}(declarations="{declarations}")
"""
_EXAMPLE = """\
# Who is in which segment, and which segments become tags in Intercom.
# `dinmo check` says what is wrong here; `dinmo check --online` also asks the warehouse and Intercom.

# The warehouse, opened read-only. Others: parquet, csv, postgres, snowflake, bigquery …
source: {type: duckdb, database: warehouse.duckdb}

# Remembers what was tagged. Keep it: without it, nobody knows which tags are ours.
state: {database: state.duckdb}

destinations:
  intercom_main:
    access_token: {env: INTERCOM_ACCESS_TOKEN} # the variable's name; never the token itself
    region: us # us, eu or au
    default_activation: {match_by: email, column: email}

# Tables of the warehouse, and how their rows belong together.
models:
  customers: {table: customers, key: customer_id}

segments:
  customers_in_france:
    name: Customers in France # the tag's name
    model: customers
    where: {field: country, equals: FR}

activations:
  # `manual` waits for `dinmo sync customers_in_france`. Then try: hourly, daily at 06:30, {after: upstream}.
  customers_in_france: {schedule: manual}
"""
# The state holds people's email addresses.
# Python names nothing, since `dinmo` reads the names too, and not from Python.
_NAMES = """
# What jobs, sensors, schedules and resources start with, and the keys of the assets.
dagster: {{name: {name}, key_prefix: [{name}]}}
"""
_GITIGNORE = "*.duckdb*\n"


class SegmentActivationsScaffolder(dg.Scaffolder):
    """Writes a component whose names start with the name of its folder."""

    def scaffold(self, request: dg.ScaffoldRequest) -> None:
        """Write the component file and what it needs; files that exist are kept."""
        folder = request.target_path.parent if request.append else request.target_path
        module, _, cls = request.type_name.rpartition(".")
        name, names = identifier(folder.name), ""
        if request.scaffold_format == "python":
            text = _PYTHON.format(module=module, cls=cls, declarations=DECLARATIONS)
            names = _NAMES.format(name=name)
        else:
            text = component_text(name, DECLARATIONS, request.type_name)
        if request.append:
            with request.target_path.open("a", encoding="utf-8") as file:
                file.write(f"---\n{text}")
        else:
            made = "component.py" if request.scaffold_format == "python" else "defs.yaml"
            (folder / made).write_text(text, encoding="utf-8")
        _write_new(folder / DECLARATIONS, _EXAMPLE + names)
        _write_new(folder / ".gitignore", _GITIGNORE)


def component_text(name: str, declarations: str, type_name: str = COMPONENT) -> str:
    """A component file; names and keys start with its name, so that several can be in a project."""
    return _COMPONENT.format(type_name=type_name, declarations=declarations, name=name)


def identifier(text: str) -> str:
    """A text as a part of names in Dagster: `reverse-etl` becomes `reverse_etl`."""
    return re.sub(r"[^A-Za-z0-9_]", "_", text) or "dinmo"


def _write_new(path: Path, text: str) -> None:
    if not path.exists():
        path.write_text(text, encoding="utf-8")
