"""Reads `dbt`: where the manifest of a dbt project is, and how its exposures are described."""

from pathlib import Path
from typing import Any

from dinmo_pipeline.config.dbt.manifest import DbtNode, Manifest, ManifestError, read_manifest
from dinmo_pipeline.config.declarations import Dbt
from dinmo_pipeline.config.strict_yaml.files import absolute
from dinmo_pipeline.config.strict_yaml.json_schemas import JsonSchema, exactly_one
from dinmo_pipeline.config.strict_yaml.kinds import LINE, InvalidValueError, any_node, one_of
from dinmo_pipeline.config.strict_yaml.nodes import Node
from dinmo_pipeline.config.strict_yaml.report import Report, Subject
from dinmo_pipeline.config.strict_yaml.settings import Found, Setting, read_settings, settings_schema

PROJECT = Setting(
    "project", LINE, "The folder of the dbt project, relative to this file; its target/manifest.json is read."
)
MANIFEST = Setting("manifest", LINE, "The manifest.json itself, where it is not in target/.")
OWNER_NAME = Setting("name", LINE, "The name of a team or a person.")
OWNER_EMAIL = Setting("email", LINE, "Their email.")
OWNER_SETTINGS = (OWNER_NAME, OWNER_EMAIL)
OWNER = Setting(
    "owner",
    any_node(settings_schema(OWNER_SETTINGS)),
    "Who owns the exposures that `dinmo dbt exposures` writes. dbt wants a name or an email.",
)
MATURITY = Setting(
    "maturity", one_of("high", "medium", "low"), "How far others may rely on the exposures.", default="medium"
)
DBT_SETTINGS: tuple[Setting[Any], ...] = (PROJECT, MANIFEST, OWNER, MATURITY)

_WHERE = "Write `project`, the folder of the dbt project, or `manifest`, its manifest.json."


def dbt_schema() -> JsonSchema:
    """The JSON Schema of `dbt`."""
    place = exactly_one(
        (PROJECT.key, MANIFEST.key), none=_WHERE, several="Keep one of `project` and `manifest`."
    )
    return settings_schema(DBT_SETTINGS, place)


def read_dbt(node: Node, report: Report) -> Dbt | None:
    """The `dbt` of a project; the manifest is read only if something needs it."""
    subject = Subject("dbt", report)
    found = read_settings(node, DBT_SETTINGS, subject)
    if found is None:
        return None
    owner_node = found.node(OWNER)
    owner = read_settings(owner_node, OWNER_SETTINGS, subject.part(OWNER.key)) if owner_node else None
    manifest = _manifest_path(found, node, subject)
    if manifest is None or not found.is_whole or (owner_node and not (owner and owner.is_whole)):
        return None
    return Dbt(
        manifest=manifest,
        owner_name=owner.get(OWNER_NAME) if owner else None,
        owner_email=owner.get(OWNER_EMAIL) if owner else None,
        maturity=found.get(MATURITY) or MATURITY.default,
        place=node.place,
    )


def _manifest_path(found: Found, node: Node, subject: Subject) -> Path | None:
    project, manifest = found.node(PROJECT), found.node(MANIFEST)
    if project is not None and manifest is not None:
        subject.problem(manifest, "`project` and `manifest` both say where the manifest is. Keep one.")
        return None
    for setting, inside in ((PROJECT, ("target", "manifest.json")), (MANIFEST, ())):
        text, at = found.get(setting), found.node(setting)
        if text is not None and at is not None:
            return Path(absolute(text, at.place.file), *inside)
    if project is None and manifest is None:
        subject.problem(node, _WHERE)
    return None


class DbtReferences:
    """Looks up `ref` in the manifest, which is read for the first of them."""

    def __init__(self, dbt: Dbt | None, *, is_declared: bool, report: Report) -> None:
        self._dbt = dbt
        self._is_declared = is_declared
        self._report = report
        self._manifest: Manifest | None = None
        self._is_read = False

    def find(self, ref: str) -> DbtNode | None:
        """The node that a `ref` names; None if the manifest cannot be read, which is reported once.

        Raises:
            InvalidValueError: there is none, or no manifest is declared.
        """
        if not self._is_declared:
            raise InvalidValueError(
                "names a dbt model, but no dbt project is declared", hint="Add dbt: {project: ../dbt}."
            )
        if not self._is_read:
            self._is_read = True
            self._manifest = self._read()
        return self._manifest.referred(ref) if self._manifest else None

    def _read(self) -> Manifest | None:
        if self._dbt is None:
            return None
        try:
            return read_manifest(self._dbt.manifest)
        except ManifestError as error:
            self._report.add(self._dbt.place, "dbt", error.message, hint=error.hint)
            return None
