"""Reads the `manifest.json` that dbt writes: which table each model becomes.

The layout is dbt's own, https://schemas.getdbt.com/dbt/manifest/v12.json: `nodes` and `sources` by their
unique id, and `disabled` with lists of them. Versions 4 (dbt 1.0) to 12 (1.8 to 1.11) agree in what is read.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from dinmo_pipeline.config.strict_yaml.kinds import InvalidValueError
from dinmo_pipeline.text.wording import shown, suggestion

Kind: TypeAlias = Literal["model", "seed", "snapshot", "source"]

_OLDEST_SCHEMA = 4
_PARSE = "Run `dbt parse` in the dbt project."
_REFERABLE = ("model", "seed", "snapshot")


class ManifestError(Exception):
    """The manifest cannot be used; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class DbtNode:
    """A model, seed, snapshot or source, and its table.

    `table` are the names of database, schema and table, as far as the adapter has them, and empty for an
    ephemeral model. `asset` is the key that dagster-dbt gives it, unless a translator says otherwise.
    """

    kind: Kind
    package: str
    name: str
    table: tuple[str, ...]
    asset: str
    source: str | None = None
    version: str | None = None
    is_latest: bool = True


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is used of a manifest. `disabled` are the names of models that are switched off."""

    path: Path
    project: str
    dbt_version: tuple[int, ...]
    written: str
    nodes: tuple[DbtNode, ...]
    disabled: frozenset[str]

    def referred(self, ref: str) -> DbtNode:
        """The model, seed or snapshot that a `ref` names: `customers`, `package.customers`, `customers.v2`.

        Raises:
            InvalidValueError: there is none, there are several, or it has no table.
        """
        found = [node for node in self.nodes if node.kind != "source" and ref in _spellings(node)]
        if len({node.package for node in found}) > 1:
            names = tuple(f"{node.package}.{ref}" for node in found)
            raise InvalidValueError(
                f"is in {len(found)} dbt packages: '{shown(ref)}'",
                allowed=names,
                hint="Write its package too.",
            )
        if not found:
            raise self._not_found(ref)
        node = found[0]
        if not node.table:
            raise InvalidValueError(
                f"is an ephemeral dbt model, which has no table: '{shown(ref)}'",
                hint="Materialize it as a view or a table, or name a model that is.",
            )
        return node

    def _not_found(self, ref: str) -> InvalidValueError:
        if ref in self.disabled:
            return InvalidValueError(
                f"is a dbt model that is disabled: '{shown(ref)}'",
                hint="Enable it in dbt, then run `dbt parse`.",
            )
        known = dict.fromkeys(node.name for node in self.nodes if node.kind != "source")
        near = suggestion(ref, known)
        stale = f"The manifest is of {self.written}; if the model is newer, run `dbt parse`."
        return InvalidValueError(
            f"is not a model, seed or snapshot of the dbt project '{self.project}': '{shown(ref)}'",
            hint=f"{near} {stale}" if near else stale,
        )


def _spellings(node: DbtNode) -> Iterator[str]:
    if node.is_latest:
        yield node.name
        yield f"{node.package}.{node.name}"
    if node.version is not None:
        yield f"{node.name}.v{node.version}"
        yield f"{node.package}.{node.name}.v{node.version}"


_cache: dict[Path, tuple[tuple[int, int], Manifest]] = {}


def read_manifest(path: Path) -> Manifest:
    """The manifest in a file. It is parsed once for each time that it changes: it may have 100 MB.

    Raises:
        ManifestError: there is none, or it is not one of dbt 1.0 or later.
    """
    try:
        stat = path.stat()
        stamp = stat.st_mtime_ns, stat.st_size
        if path in _cache and _cache[path][0] == stamp:
            return _cache[path][1]
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ManifestError(
            f"There is no manifest of dbt at {path}.", "Run `dbt parse` in the project."
        ) from None
    except OSError as error:
        raise ManifestError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from None
    except (ValueError, RecursionError):
        raise ManifestError(f"{path} is not JSON.", _PARSE) from None
    _check_schema(path, content)
    try:
        manifest = _manifest(path, content)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise ManifestError(f"{path} is not laid out as a manifest of dbt is.", _PARSE) from None
    _cache[path] = stamp, manifest
    return manifest


def _check_schema(path: Path, content: Any) -> None:
    metadata = content.get("metadata") if isinstance(content, dict) else None
    schema = str(metadata.get("dbt_schema_version")) if isinstance(metadata, dict) else ""
    version = schema.rpartition("/manifest/v")[2].removesuffix(".json")
    if "/manifest/v" not in schema or not version.isdecimal():
        raise ManifestError(
            f"{path} is not a manifest of dbt.", "Name the `manifest.json` in its target folder."
        )
    if int(version) < _OLDEST_SCHEMA:
        raise ManifestError(
            f"{path} was written by a dbt before 1.0.", "Run `dbt parse` with dbt 1.0 or later."
        )


def _manifest(path: Path, content: Mapping[str, Any]) -> Manifest:
    metadata = content["metadata"]
    nodes = [*content["nodes"].values(), *content["sources"].values()]
    # A node that is switched off in one place and on in another is in both.
    disabled = [node for each in content.get("disabled", {}).values() for node in each]
    return Manifest(
        path=path,
        project=metadata.get("project_name") or "",
        dbt_version=tuple(
            int(n) for n in str(metadata.get("dbt_version", "")).split(".")[:2] if n.isdecimal()
        ),
        written=str(metadata.get("generated_at", ""))[:16].replace("T", " "),
        nodes=tuple(_node(node) for node in nodes if node["resource_type"] in get_args(Kind)),
        disabled=frozenset(node["name"] for node in disabled if node["resource_type"] in _REFERABLE),
    )


def _node(node: Mapping[str, Any]) -> DbtNode:
    version = node.get("version")
    is_source = node["resource_type"] == "source"
    table = node["identifier"] if is_source else node["alias"]
    is_ephemeral = node.get("config", {}).get("materialized") == "ephemeral"
    return DbtNode(
        kind=node["resource_type"],
        package=node["package_name"],
        name=node["name"],
        table=() if is_ephemeral else tuple(filter(None, (node.get("database"), node["schema"], table))),
        asset="/".join(_asset_key(node)),
        source=node["source_name"] if is_source else None,
        version=None if version is None else str(version),
        is_latest=version is None or version == node.get("latest_version"),
    )


def _asset_key(node: Mapping[str, Any]) -> list[str]:
    """The key by `default_asset_key_fn` of dagster-dbt 0.29."""
    config = node.get("config", {})
    meta = config.get("meta") or node.get("meta") or {}
    if own := meta.get("dagster", {}).get("asset_key"):
        return [own] if isinstance(own, str) else [str(part) for part in own]
    if node["resource_type"] == "source":
        return [node["source_name"], node["name"]]
    if node.get("version"):
        return [node["alias"]]
    return [*filter(None, [config.get("schema")]), node["name"]]
