"""Activations as exposures of a dbt project, so that dbt's own lineage and `dbt ls` show them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from dinmo_pipeline.config.dbt.manifest import DbtNode, Manifest
from dinmo_pipeline.config.declarations import Activation, Project
from dinmo_pipeline.config.schedules.phrases import in_words

MADE_BY = "Made by `dinmo dbt exposures`"
_HEAD = f"""\
# {MADE_BY} from the declarations of dinmo-pipeline. Change those, then run it again:
# it replaces this file.
"""
# Since dbt 1.10, tags and meta belong below config; earlier versions know them only beside it.
_CONFIG_SINCE = (1, 10)


@dataclass(frozen=True, slots=True)
class Owner:
    """Who owns the exposures; dbt wants one of the two."""

    name: str | None
    email: str | None


def exposures_text(
    project: Project, manifest: Manifest, nodes: Mapping[str, Iterable[DbtNode]], owner: Owner
) -> str:
    """The YAML file that declares the exposures of the activations in `nodes`, sorted by key."""
    exposures = [
        _exposure(project, project.activations[key], manifest, nodes[key], owner) for key in sorted(nodes)
    ]
    document = {"version": 2, "exposures": exposures}
    return _HEAD + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)


def _exposure(
    project: Project, activation: Activation, manifest: Manifest, nodes: Iterable[DbtNode], owner: Owner
) -> dict[str, Any]:
    segment = project.segments[activation.segment]
    destination = project.destinations[activation.destination]
    described = {
        "tags": ["dinmo", "intercom"],
        "meta": {
            "activation": activation.key,
            "segment": activation.segment,
            "destination": activation.destination,
            "tag": activation.name,
            "match_by": activation.match_by,
            "schedule": in_words(activation.schedule),
            "enabled": activation.enabled,
        },
    }
    return {
        "name": f"intercom_{activation.key}",
        "label": f"{activation.name} in Intercom",
        "type": "application",
        "maturity": project.dbt.maturity if project.dbt else None,
        "url": destination.app_url,
        "description": activation.description
        or segment.description
        or f"Users of the segment {segment.name} carry the tag {activation.name}.",
        "depends_on": sorted(_reference(node, manifest.project) for node in nodes),
        "owner": {key: value for key, value in (("name", owner.name), ("email", owner.email)) if value},
        **({"config": described} if manifest.dbt_version >= _CONFIG_SINCE else described),
    }


def _reference(node: DbtNode, project: str) -> str:
    """`ref('customers')`, `ref('package', 'customers', v=2)` or `source('raw', 'orders')`."""
    if node.kind == "source":
        return f"source('{node.source}', '{node.name}')"
    package = "" if node.package == project else f"'{node.package}', "
    if node.version is None:
        return f"ref({package}'{node.name}')"
    version = node.version if node.version.isdecimal() else f"'{node.version}'"
    return f"ref({package}'{node.name}', v={version})"
