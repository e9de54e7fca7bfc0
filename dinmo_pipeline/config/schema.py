"""JSON Schema of a file of declarations, for editors."""

from typing import Any

from dinmo_pipeline.config.alerts import ALERTS_SETTINGS
from dinmo_pipeline.config.conditions.schema import condition_schema
from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.config.destinations import DESTINATION_SETTINGS
from dinmo_pipeline.config.history import HISTORY_SETTINGS
from dinmo_pipeline.config.models import MODEL_SETTINGS
from dinmo_pipeline.config.segments import SEGMENT_SETTINGS
from dinmo_pipeline.config.sources import (
    SOURCE_SETTINGS,
    SOURCE_TYPES,
    STATE_SETTINGS,
    setting_of_type,
)
from dinmo_pipeline.config.strict_yaml.declared_fields import settings_of
from dinmo_pipeline.config.strict_yaml.keys import KEY_PATTERN
from dinmo_pipeline.config.strict_yaml.settings import settings_schema
from dinmo_pipeline.config.unit_tests import TEST_SETTINGS


def json_schema() -> dict[str, Any]:
    """The schema of one file; a file in a folder may declare a part, so nothing is required at the top.

    What depends on other objects (references, cycles, tag names) and what a pattern cannot say (cron
    expressions, days, time zones) is checked by `load_project` only.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "DinMo pipeline declarations",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "source": _source_schema(),
            "state": {
                **settings_schema(STATE_SETTINGS),
                "oneOf": [{"required": [setting.key]} for setting in STATE_SETTINGS],
            },
            "alerts": settings_schema(ALERTS_SETTINGS),
            "history": settings_schema(HISTORY_SETTINGS),
            "destinations": _section(settings_schema(DESTINATION_SETTINGS)),
            "models": _section(settings_schema(MODEL_SETTINGS)),
            "segments": _section(_segment_schema()),
            "activations": _section(settings_schema(settings_of(Activation))),
            "tests": _section(settings_schema(TEST_SETTINGS)),
        },
        "$defs": {"condition": condition_schema()},
    }


def _section(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": ["object", "null"],
        "additionalProperties": False,
        "patternProperties": {KEY_PATTERN: item},
    }


def _source_schema() -> dict[str, Any]:
    """Each type needs its own setting and takes no other."""
    base = settings_schema(SOURCE_SETTINGS)
    others = {key: False for key in base["properties"] if key != "type"}
    cases = []
    for source_type in SOURCE_TYPES:
        own = setting_of_type(source_type).key
        refused = {key: value for key, value in others.items() if key != own}
        cases.append({"properties": {"type": {"const": source_type}, **refused}, "required": [own]})
    return {**base, "anyOf": cases}


def _segment_schema() -> dict[str, Any]:
    return {
        **settings_schema(SEGMENT_SETTINGS),
        "oneOf": [
            {"required": ["where", "model"]},
            {"required": ["sql"], "properties": {"model": False}},
            {"required": ["table"], "properties": {"model": False}},
        ],
    }
