"""What a user declares: models, segments, activations, destinations; read from YAML, validated.

`load_project` reads a file or a folder into a `Project` or raises `ConfigError` with every problem at once.
"""

from dinmo_pipeline.config.errors import ConfigError
from dinmo_pipeline.config.problems import Excerpt, Place, Problem
from dinmo_pipeline.config.project import load_project
from dinmo_pipeline.config.rendering import render
from dinmo_pipeline.config.schema import json_schema

__all__ = ["ConfigError", "Excerpt", "Place", "Problem", "json_schema", "load_project", "render"]
