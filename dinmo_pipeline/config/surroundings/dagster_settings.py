"""What the pipeline is called in Dagster: the section `dagster`, and the component file beside it.

Both Dagster and `dinmo` need the names: a run of either works on the same jobs and asset keys.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from dinmo_pipeline.config.declarations import DagsterSettings, Project
from dinmo_pipeline.config.strict_yaml.errors import ConfigError
from dinmo_pipeline.config.strict_yaml.json_schemas import matching
from dinmo_pipeline.config.strict_yaml.kinds import LINE, InvalidValueError, Kind, list_of
from dinmo_pipeline.config.strict_yaml.nodes import Node
from dinmo_pipeline.config.strict_yaml.problems import Place, Problem
from dinmo_pipeline.config.strict_yaml.report import Report, Subject
from dinmo_pipeline.config.strict_yaml.settings import Setting, read_settings
from dinmo_pipeline.config.surroundings.dg_project import component_attributes, component_files

_NAME = r"[A-Za-z0-9_]+"
_OWNER = r"team:.+|[^@\s]+@[^@\s]+\.[^@\s]+"


def _matching(pattern: str, message: str, *examples: str) -> Kind[str]:
    def read(node: Node) -> str:
        text = LINE.read(node)
        if not re.fullmatch(pattern, text):
            raise InvalidValueError(message)
        return text

    return Kind(read, matching(rf"^\s*(?:{pattern})\s*$", f"This {message}.", *examples))


NAME = Setting(
    "name",
    _matching(_NAME, "must contain only letters, digits and '_'"),
    "What jobs, ops, sensors, schedules and resources start with: `crm` makes `crm_sync_membership`.",
)
KEY_PREFIX = Setting(
    "key_prefix",
    list_of(_matching(r"[^/]+", "must not contain '/'; write each part by itself")),
    "The parts that come before the assets' keys: `[crm]` makes `crm/intercom_tags`.",
)
GROUP_NAME = Setting(
    "group_name",
    _matching(f"{_NAME}(?:/{_NAME})*", "must contain only letters, digits and '_'"),
    "The assets' group.",
)
OWNERS = Setting(
    "owners",
    list_of(_matching(_OWNER, "must be an email address, or a team as in team:crm", "team:crm")),
    "The assets' owners: email addresses, and teams as in `team:crm`.",
)
DAGSTER_SETTINGS: tuple[Setting[Any], ...] = (NAME, KEY_PREFIX, GROUP_NAME, OWNERS)


def read_dagster(node: Node, report: Report) -> DagsterSettings:
    """The section `dagster` of a project."""
    found = read_settings(node, DAGSTER_SETTINGS, Subject("dagster", report))
    if found is None:
        return DagsterSettings()
    return DagsterSettings(
        name=found.get(NAME),
        key_prefix=found.get(KEY_PREFIX) or (),
        group_name=found.get(GROUP_NAME),
        owners=found.get(OWNERS) or (),
    )


def named_by_component(project: Project, declarations: Path) -> Project:
    """The project with its names in Dagster, if a component file beside it or in its `dg` project sets them.

    Raises:
        ConfigError: only Dagster can tell the names, since a template makes them.
    """
    wanted = declarations.resolve()
    for file, attributes in _components(declarations):
        path = str(attributes["declarations"])
        if "{{" in path and file.parent == declarations.parent:
            raise _refused(
                file,
                "`declarations` is made by a template, so only Dagster knows it.",
                "Write a path relative to this file instead.",
            )
        if (file.parent / path).resolve() == wanted:
            return replace(project, dagster=_settings_of(attributes, project.dagster, file))
    return project


def _components(declarations: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """The attributes of each component that may read the declarations."""
    for file in component_files(declarations):
        try:
            yield from ((file, attributes) for attributes in component_attributes(file))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            # One elsewhere is of another component; `dg` says what is wrong with it.
            if file.parent == declarations.parent:
                reason = str(error).splitlines()[0]
                hint = "Run `dg check yaml`."
                raise _refused(file, f"This file cannot be read: {reason}.", hint) from None


def _settings_of(attributes: Mapping[str, Any], declared: DagsterSettings, file: Path) -> DagsterSettings:
    name, translation = attributes.get("name"), attributes.get("translation") or {}
    prefix = translation.get("key_prefix") or () if isinstance(translation, dict) else translation
    parts = (prefix,) if isinstance(prefix, str) else tuple(prefix)
    if any("{{" in str(text) for text in (name, *parts)) or not isinstance(translation, dict):
        raise _refused(
            file,
            "`name` or `key_prefix` is made by a template, so only Dagster knows it.",
            "Write `name` and `key_prefix` under `dagster:` in the declarations instead.",
        )
    return replace(
        declared,
        name=name or declared.name,
        key_prefix=(*map(str, parts), *declared.key_prefix),
    )


def _refused(file: Path, message: str, hint: str) -> ConfigError:
    return ConfigError((Problem(Place(str(file), 1, 1), "component", message, hint=hint),))
