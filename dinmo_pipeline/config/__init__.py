"""What a user declares, read from YAML and validated; every problem at once, each with its place.

`locate` finds the file or folder, and `load_project` reads it into a `Project` or raises `ConfigError` with
every problem at once.
"""

from dinmo_pipeline.config.locating import (
    DeclarationsNotFoundError,
    Located,
    locate,
    search_folders,
    variables,
)
from dinmo_pipeline.config.project import load_project
from dinmo_pipeline.config.schema import json_schema, schema_text
from dinmo_pipeline.config.strict_yaml.errors import ConfigError
from dinmo_pipeline.config.strict_yaml.files import fingerprint, modified_at
from dinmo_pipeline.config.strict_yaml.problems import Excerpt, Place, Problem
from dinmo_pipeline.config.strict_yaml.rendering import render
from dinmo_pipeline.config.surroundings.dagster_settings import named_by_component
from dinmo_pipeline.config.surroundings.dg_project import (
    DgProject,
    DgProjectError,
    dg_project_around,
    read_dg_project,
)

__all__ = [
    "ConfigError",
    "DeclarationsNotFoundError",
    "DgProject",
    "DgProjectError",
    "Excerpt",
    "Located",
    "Place",
    "Problem",
    "dg_project_around",
    "fingerprint",
    "json_schema",
    "load_project",
    "locate",
    "modified_at",
    "named_by_component",
    "read_dg_project",
    "render",
    "schema_text",
    "search_folders",
    "variables",
]
