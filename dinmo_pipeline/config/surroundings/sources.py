"""Reads `source` and `state`: the warehouse and the pipeline's own database."""

import os
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import get_args

from dinmo_pipeline.config.declarations import EnvironmentVariable, Source, SourceType, State
from dinmo_pipeline.config.declarations.warehouse import DEFAULT_QUERY_TIMEOUT
from dinmo_pipeline.config.strict_yaml.files import absolute
from dinmo_pipeline.config.strict_yaml.json_schemas import (
    JsonSchema,
    exactly_one,
    first_of,
    needs,
    without,
)
from dinmo_pipeline.config.strict_yaml.kinds import LINE, Kind, duration, one_of
from dinmo_pipeline.config.strict_yaml.nodes import Node
from dinmo_pipeline.config.strict_yaml.report import Report, Subject
from dinmo_pipeline.config.strict_yaml.settings import Found, Setting, read_settings, settings_schema
from dinmo_pipeline.config.surroundings.secrets import environment_variable

SOURCE_TYPES: tuple[SourceType, ...] = get_args(SourceType)

TIME_LIMIT: Kind[timedelta] = duration(
    ("seconds", "minutes", "hours", "days"), examples=("30 minutes", "2 hours")
)
"""How long something may take: `30 minutes`."""

TYPE = Setting("type", one_of(*SOURCE_TYPES), "The kind of warehouse.", required=True)
DATABASE = Setting("database", LINE, "duckdb: the database file, relative to this file.")
FOLDER = Setting("folder", LINE, "parquet, csv: the folder of files, relative to this file.")
URI = Setting(
    "uri",
    environment_variable("WAREHOUSE_URI"),
    "Other warehouses: the environment variable that holds the connection URI.",
)
QUERY_TIMEOUT = Setting(
    "query_timeout",
    TIME_LIMIT,
    "A query that takes longer is stopped.",
    default="1 hour",
)
UPSTREAM = Setting(
    "upstream",
    one_of("auto"),
    "auto: find the Dagster assets that fill each table, for all models and segments that do not say.",
)
SOURCE_SETTINGS = (TYPE, DATABASE, FOLDER, URI, QUERY_TIMEOUT, UPSTREAM)

STATE_DATABASE = Setting("database", LINE, "A DuckDB file, relative to this file.")
STATE_FOLDER = Setting("folder", LINE, "A folder, relative to this file, for a DuckDB file per destination.")
STATE_SETTINGS = (STATE_DATABASE, STATE_FOLDER)

_SCHEMA_NAME = "dinmo"
_MOTHERDUCK = ("md:", "motherduck:")


def setting_of_type(source_type: SourceType) -> Setting[str] | Setting[EnvironmentVariable]:
    """The setting that locates a source of this type."""
    if source_type == "duckdb":
        return DATABASE
    return FOLDER if source_type in {"parquet", "csv"} else URI


def source_schema() -> JsonSchema:
    """The JSON Schema of `source`: each type needs the setting that locates it and takes no other."""
    return settings_schema(SOURCE_SETTINGS, *map(_rule_of_type, SOURCE_TYPES))


def _rule_of_type(source_type: SourceType) -> JsonSchema:
    own = setting_of_type(source_type).key
    others = [each.key for each in (DATABASE, FOLDER, URI) if each.key != own]
    refused = without(others, f"This cannot be used with the type {source_type}. Use `{own}`.")
    missing = needs(own, f"`{own}` is missing. Type {source_type} needs it.")
    is_type: JsonSchema = {"properties": {TYPE.key: {"const": source_type}}, "required": [TYPE.key]}
    return first_of([(is_type, first_of([(refused, missing)], refused))], {})


def state_schema() -> JsonSchema:
    """The JSON Schema of `state`: a file, or a folder of them."""
    one, other = (setting.key for setting in STATE_SETTINGS)
    none = f"`{one}` is missing. Set it, or `{other}` for a file per destination."
    several = f"`{one}` and `{other}` exclude each other. Set one of them."
    return settings_schema(STATE_SETTINGS, exactly_one((one, other), none=none, several=several))


def read_source(node: Node, report: Report) -> Source | None:
    """The `source` of a project."""
    subject = Subject("source", report)
    found = read_settings(node, SOURCE_SETTINGS, subject, holds_secret=True)
    source_type: SourceType | None = found.get(TYPE) if found else None
    if found is None or source_type is None:
        return None
    needed = setting_of_type(source_type)
    is_whole = _refuse_settings_of_other_types(found, needed, source_type, subject)
    if is_whole and found.node(needed) is None:
        subject.problem(node, f"`{needed.key}` is missing. Type {source_type} needs it.")
        is_whole = False
    if not is_whole or not found.is_whole:
        return None
    path = _local_path(found, subject)
    uri = found.get(URI)
    if not path and not uri:
        return None
    return Source(
        source_type,
        path,
        uri,
        node.place,
        query_timeout=found.get(QUERY_TIMEOUT) or DEFAULT_QUERY_TIMEOUT,
        finds_upstream=found.get(UPSTREAM) is not None,
    )


def _refuse_settings_of_other_types(
    found: Found,
    needed: Setting[str] | Setting[EnvironmentVariable],
    source_type: str,
    subject: Subject,
) -> bool:
    for other in (DATABASE, FOLDER, URI):
        at = found.node(other)
        if at is not None and other.key != needed.key:
            message = f"`{other.key}` cannot be used with the type {source_type}."
            subject.problem(at, message, hint=f"Use `{needed.key}`.")
            return False
    return True


def _local_path(found: Found, subject: Subject) -> Path | None:
    for setting in (DATABASE, FOLDER):
        text, at = found.get(setting), found.node(setting)
        if text is None or at is None:
            continue
        if text.startswith((*_MOTHERDUCK, ":")) or "://" in text:
            subject.problem(at, f"`{setting.key}` must be a local path.")
            return None
        return Path(absolute(text, at.place.file))
    return None


def read_state(node: Node, report: Report) -> State | None:
    """The `state` of a project."""
    subject = Subject("state", report)
    found = read_settings(node, STATE_SETTINGS, subject)
    if found is None or not found.is_whole:
        return None
    given = [setting for setting in STATE_SETTINGS if found.node(setting) is not None]
    if len(given) != 1:
        problem = (
            "and `folder` exclude each other. Set one of them"
            if given
            else "is missing. Set it, or `folder` for a file per destination"
        )
        subject.problem(node, f"`database` {problem}.")
        return None
    (setting,) = given
    text, at = found.get(setting), found.node(setting)
    if text is None or at is None:
        return None
    if fault := _fault_in_path(text) or (_fault_in_file(text) if setting is STATE_DATABASE else None):
        example = "state.duckdb" if setting is STATE_DATABASE else "state"
        subject.problem(at, f"`{setting.key}` {fault}.", hint=f"For example: {example}.")
        return None
    return State(**{setting.key: absolute(text, at.place.file)})


def _fault_in_path(text: str) -> str | None:
    if text.startswith(_MOTHERDUCK):
        return (
            "cannot be in MotherDuck, which lets several programs write at a time: the pipeline relies on one"
            " writer, so that nobody is tagged by two runs at once. Use a local file"
        )
    if text.startswith(":") or "://" in text:
        return "must be a file, since the state must outlive the process"
    return None


def _fault_in_file(text: str) -> str | None:
    if text.endswith(("/", os.sep)) or Path(text).name in {"", ".", ".."}:
        return "must be a file, not a folder"
    if Path(text).stem.casefold() == _SCHEMA_NAME:
        return "must not be named dinmo, which is also the name of the schema inside"
    return None


def refuse_one_database(
    source: Source | None,
    state: State | None,
    destinations: Iterable[str],
    node: Node | None,
    report: Report,
) -> None:
    """Refuse a state in the source's file: the source is opened read-only, the state is written."""
    if source is None or state is None or node is None or source.path is None:
        return
    if os.path.realpath(source.path) in map(os.path.realpath, state.databases(destinations)):
        message = "The state cannot be in the source's file, which is opened read-only."
        report.add(node, "state", message)
