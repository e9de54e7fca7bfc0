"""What a user declares, read from YAML and validated; every problem at once, each with its place.

`load_project` reads a file or a folder into a `Project` or raises `ConfigError` with every problem at once.
"""

from dinmo_pipeline.config.project import load_project
from dinmo_pipeline.config.schema import json_schema, schema_text
from dinmo_pipeline.config.strict_yaml.errors import ConfigError
from dinmo_pipeline.config.strict_yaml.problems import Excerpt, Place, Problem
from dinmo_pipeline.config.strict_yaml.rendering import render

__all__ = [
    "ConfigError",
    "Excerpt",
    "Place",
    "Problem",
    "json_schema",
    "load_project",
    "render",
    "schema_text",
]
