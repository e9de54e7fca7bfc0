"""The files around new declarations: for Dagster, for git, and for secrets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dinmo_pipeline.cli.new_project.answers import TOKEN_VARIABLE, URI_VARIABLE

IGNORED: Final = (".env", ".dagster/", "*state.duckdb*", ".tmp_dagster_home_*/")
_LOCAL_TOKEN: Final = "the-local-intercom-takes-any-token"  # noqa: S105
_MODULE: Final = "reverse_etl"

PYPROJECT: Final = f"""\
# What `dg` reads.
[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "{_MODULE}"
code_location_target_module = "{_MODULE}.definitions"
code_location_name = "dinmo_pipeline" # as in workspace.yaml, so that all of them are one code location
"""
MODULE_FILES: Final[Mapping[str, str]] = {
    f"{_MODULE}/__init__.py": '"""What Dagster loads."""\n',
    f"{_MODULE}/definitions.py": """\
\"\"\"The assets, jobs, schedules and sensors of the declarations, and those in the folder `defs`.\"\"\"

from pathlib import Path

import dagster as dg

import dinmo_pipeline.definitions


@dg.definitions
def defs() -> dg.Definitions:
    own = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
    return dg.Definitions.merge(dinmo_pipeline.definitions.defs(), own)
""",
    f"{_MODULE}/defs/__init__.py": '"""Definitions of your own, such as `dg scaffold defs` makes."""\n',
}


def workspace(*, has_module: bool) -> str:
    """Where Dagster's servers find the definitions: the module that was made here, or the package's own."""
    module = f"{_MODULE}.definitions" if has_module else "dinmo_pipeline.definitions"
    return (
        "# Where dagster-webserver and dagster-daemon find the declarations."
        " `dinmo dev` and `dg dev` do not need it.\n"
        "load_from:\n"
        "  - python_module:\n"
        f"      module_name: {module}\n"
        "      working_directory: .\n"
        "      location_name: dinmo_pipeline\n"
    )


def env_example(*, needs_uri: bool) -> str:
    """The variables to set, without values."""
    return (
        "# Copy this file to .env, which git ignores. Variables of the environment win over it.\n"
        "# Intercom's Developer Hub has the token; it needs to read and write tags, and to read users.\n"
        f"{TOKEN_VARIABLE}=\n"
        f"{f'{URI_VARIABLE}={chr(10)}' if needs_uri else ''}"
        "# Where Dagster keeps its runs; an absolute path. Without it, `dg dev` forgets them.\n"
        "# DAGSTER_HOME=\n"
    )


def env_text(home: Path | None, *, is_local: bool, needs_uri: bool) -> str:
    """The variables of this machine, ready for a local Intercom."""
    lines = [
        "# For this machine alone: git ignores it. Variables of the environment win over it.",
        f"{TOKEN_VARIABLE}={_LOCAL_TOKEN if is_local else ''}",
        *([f"{URI_VARIABLE}="] if needs_uri else []),
        *([f"# `dinmo` and `dg dev` share the runs in it.\nDAGSTER_HOME='{home}'"] if home else []),
    ]
    return "\n".join(lines) + "\n"
