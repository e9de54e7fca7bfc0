"""JSON Schema of a file of declarations, for editors."""

import json
from importlib.metadata import version
from typing import Any

from dinmo_pipeline.config.conditions.schema import condition_schemas
from dinmo_pipeline.config.dbt.section import dbt_schema
from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.config.destinations import DESTINATION_SETTINGS
from dinmo_pipeline.config.models import model_schema
from dinmo_pipeline.config.schedules.kinds import schedule_schemas
from dinmo_pipeline.config.segments import segment_schema
from dinmo_pipeline.config.strict_yaml.declared_fields import settings_of
from dinmo_pipeline.config.strict_yaml.json_schemas import JsonSchema, object_of
from dinmo_pipeline.config.strict_yaml.keys import section_schema
from dinmo_pipeline.config.strict_yaml.settings import settings_schema
from dinmo_pipeline.config.surroundings.alerts import ALERTS_SETTINGS
from dinmo_pipeline.config.surroundings.dagster_settings import DAGSTER_SETTINGS
from dinmo_pipeline.config.surroundings.history import HISTORY_SETTINGS
from dinmo_pipeline.config.surroundings.sources import source_schema, state_schema
from dinmo_pipeline.config.unit_tests import TEST_SETTINGS

MADE_BY = "Made by `dinmo schema` of dinmo-pipeline"


def json_schema() -> dict[str, Any]:
    """The schema of one file; a file in a folder may declare a part, so nothing is required at the top.

    What depends on other objects (references, cycles, tag names) and what a pattern cannot say (a day that
    does not exist, the order of two values) is checked by `load_project` only.
    """
    sections = _sections()
    listed = ", ".join(sections)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": f"{MADE_BY} {version('dinmo-pipeline')}. `dinmo schema --out` replaces this file.",
        "title": "dinmo-pipeline declarations",
        **object_of(
            sections,
            wrong_type=f"The file must be a mapping of sections: {listed}.",
            unknown_key=f"This is not a known section. Sections: {listed}.",
        ),
        "$defs": {**condition_schemas(), **schedule_schemas()},
    }


def schema_text() -> str:
    """The schema as a file."""
    return json.dumps(json_schema(), ensure_ascii=False, indent=1) + "\n"


def _sections() -> dict[str, JsonSchema]:
    described = {
        "source": (source_schema(), "The warehouse, opened read-only."),
        "state": (
            state_schema(),
            "The pipeline's own database: the only file that it writes.",
        ),
        "alerts": (
            settings_schema(ALERTS_SETTINGS),
            "Where a message goes when an activation fails or recovers.",
        ),
        "history": (settings_schema(HISTORY_SETTINGS), "How long to keep what is over."),
        "dagster": (settings_schema(DAGSTER_SETTINGS), "What the pipeline is called in Dagster."),
        "dbt": (dbt_schema(), "The dbt project that builds the tables of the source."),
        "destinations": (
            section_schema(settings_schema(DESTINATION_SETTINGS)),
            "Intercom workspaces, by key.",
        ),
        "models": (section_schema(model_schema()), "Tables of the source, by key."),
        "segments": (section_schema(segment_schema()), "Sets of users, by key."),
        "activations": (
            section_schema(settings_schema(settings_of(Activation))),
            "Segments that become tags at a destination, by key.",
        ),
        "tests": (
            section_schema(settings_schema(TEST_SETTINGS)),
            "Unit tests of segments, by key: given these rows, exactly these are members.",
        ),
    }
    return {name: {**schema, "description": doc} for name, (schema, doc) in described.items()}
