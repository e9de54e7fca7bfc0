"""Reads a whole project: all files and objects, checked against each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dinmo_pipeline.config.activations import (
    Declared,
    read_activation,
    refuse_shared_tags,
    refuse_without_upstream,
)
from dinmo_pipeline.config.broken import without_broken
from dinmo_pipeline.config.dbt.section import DbtReferences, read_dbt
from dinmo_pipeline.config.declarations import (
    Activation,
    Alerts,
    DagsterSettings,
    Dbt,
    History,
    Model,
    Project,
    SegmentTest,
    Source,
    State,
)
from dinmo_pipeline.config.destinations import read_destination
from dinmo_pipeline.config.field_formats import check_fields
from dinmo_pipeline.config.models import check_relations, read_model
from dinmo_pipeline.config.segments import check_segment_references, read_segment
from dinmo_pipeline.config.strict_yaml.errors import ConfigError
from dinmo_pipeline.config.strict_yaml.files import read_documents
from dinmo_pipeline.config.strict_yaml.keys import check_key, named, objects_in
from dinmo_pipeline.config.strict_yaml.nodes import MapNode, Node, Scalar
from dinmo_pipeline.config.strict_yaml.problems import Owner, Place
from dinmo_pipeline.config.strict_yaml.report import Report, Subject
from dinmo_pipeline.config.surroundings.alerts import read_alerts, refuse_without_channel
from dinmo_pipeline.config.surroundings.dagster_settings import read_dagster
from dinmo_pipeline.config.surroundings.history import read_history
from dinmo_pipeline.config.surroundings.sources import read_source, read_state, refuse_one_database
from dinmo_pipeline.config.unit_tests import read_test
from dinmo_pipeline.text.wording import shown, suggestion

SINGLE_OBJECTS = ("source", "state", "alerts", "history", "dbt", "dagster")
SECTIONS = {
    "destinations": "destination",
    "models": "model",
    "segments": "segment",
    "activations": "activation",
    "tests": "test",
}
TOP_LEVEL = (*SINGLE_OBJECTS, *SECTIONS)


@dataclass(frozen=True, slots=True)
class _Merged:
    """The objects of all files, by section and key; the nodes of single objects by their name."""

    singles: Mapping[str, Node]
    sections: Mapping[str, Mapping[str, Node]]


def load_project(path: Path, *, partly: bool = False) -> Project:
    """Load the project declared in a YAML file, or in all YAML files of a folder.

    Reads no environment variable and opens no database. With `partly`, a problem of a model, segment,
    activation or test breaks only what depends on it: see `Project.broken`.

    Raises:
        ConfigError: with every problem of every file.
    """
    report = Report()
    documents, report.is_complete = read_documents(Path(path), report)
    project = _read_project(_merge(documents, report), Path(path), report) if documents else None
    if project is None or (report.count and not partly):
        raise ConfigError(report.problems())
    return project


def _merge(documents: list[MapNode], report: Report) -> _Merged:
    singles: dict[str, Node] = {}
    sections: dict[str, dict[str, Node]] = {name: {} for name in SECTIONS}
    first_places: dict[tuple[str, str], Place] = {}
    for document in documents:
        for key, value in document.entries:
            if key.text in SINGLE_OBJECTS:
                if _is_first(key, key.text, Subject(key.text, report), first_places):
                    singles[key.text] = value
            elif key.text in SECTIONS:
                _merge_section(key.text, value, sections[key.text], first_places, report)
            else:
                report.hide(value)
                message = f"`{shown(key.text)}` is not a known section."
                hint = suggestion(key.text, TOP_LEVEL)
                report.add(key, "file", message, allowed=TOP_LEVEL, hint=hint)
    return _Merged(singles, sections)


def _merge_section(
    section: str,
    node: Node,
    merged: dict[str, Node],
    first_places: dict[tuple[str, str], Place],
    report: Report,
) -> None:
    for key, value, subject in objects_in(node, SECTIONS[section], report):
        is_sound = check_key(key, subject)
        if _is_first(key, section, subject, first_places) and is_sound:
            merged[key.text] = value


def _is_first(
    key: Scalar,
    section: str,
    subject: Subject,
    first_places: dict[tuple[str, str], Place],
) -> bool:
    first = first_places.setdefault((section, key.text), key.place)
    if first == key.place:
        return True
    subject.problem(key, f"This is declared twice. The first is at {first}.", hint="Delete or rename one.")
    return False


def _read_project(merged: _Merged, path: Path, report: Report) -> Project | None:
    source, state = _read_source_and_state(merged, path, report)
    alerts_node = merged.singles.get("alerts")
    alerts = read_alerts(alerts_node, report)
    history_node = merged.singles.get("history")
    history = read_history(history_node, report) if history_node else None
    dagster_node = merged.singles.get("dagster")
    dagster = read_dagster(dagster_node, report) if dagster_node else DagsterSettings()
    destinations = {
        key: read_destination(key, node, named("destination", key, report), alerts)
        for key, node in merged.sections["destinations"].items()
    }
    own_alerts = (draft.destination.alerts for draft in destinations.values() if draft.destination)
    refuse_without_channel(alerts, own_alerts, alerts_node, report)
    dbt_node = merged.singles.get("dbt")
    dbt = read_dbt(dbt_node, report) if dbt_node else None
    references = DbtReferences(dbt, is_declared=dbt_node is not None, report=report)
    finds_upstream = source is not None and source.finds_upstream
    models = _read_models(merged.sections["models"], references, report, finds_upstream=finds_upstream)
    check_fields(models, merged.sections["models"], source, report)
    segments = {
        key: read_segment(key, node, named("segment", key, report), models, finds_upstream=finds_upstream)
        for key, node in merged.sections["segments"].items()
    }
    check_segment_references(segments, report)
    declared = Declared(destinations, {key: draft.segment for key, draft in segments.items()}, models)
    activations = _read_activations(merged.sections["activations"], declared, report)
    tests = {
        key: read_test(key, node, named("test", key, report), declared.segments, models)
        for key, node in merged.sections["tests"].items()
    }
    if source is None or state is None or not all(map(_breaks_a_part, report.owners)):
        return None
    project = _project(
        source,
        state,
        declared,
        activations,
        tests,
        alerts=alerts.alerts,
        history=history or History(),
        dbt=dbt,
        dagster=dagster,
    )
    if not report.count:
        return project
    return without_broken(project, declared.segments, declared.models, merged.sections, report)


def _breaks_a_part(owner: Owner | None) -> bool:
    """Whether other objects than this one, and what depends on it, can be used."""
    return owner is not None and owner[0] != "destination"


def _project(
    source: Source,
    state: State,
    declared: Declared,
    activations: Mapping[str, Activation],
    tests: Mapping[str, SegmentTest | None],
    *,
    alerts: Alerts | None,
    history: History,
    dbt: Dbt | None,
    dagster: DagsterSettings,
) -> Project:
    """The project, with the objects that could be read."""
    drafts = declared.destinations.items()
    return Project(
        source=source,
        state=state,
        destinations={key: draft.destination for key, draft in drafts if draft.destination},
        models={key: model for key, model in declared.models.items() if model},
        segments={key: segment for key, segment in declared.segments.items() if segment},
        activations=activations,
        tests={key: test for key, test in tests.items() if test},
        alerts=alerts,
        history=history,
        dbt=dbt,
        dagster=dagster,
    )


def _read_source_and_state(merged: _Merged, path: Path, report: Report) -> tuple[Source | None, State | None]:
    for name, example in (("source", _SOURCE_EXAMPLE), ("state", _STATE_EXAMPLE)):
        if name not in merged.singles:
            report.add(
                Place(str(path), 1, 1),
                name,
                f"`{name}` is missing.",
                hint=f"For example: {example}",
                needs_all_files=True,
            )
    source_node, state_node = merged.singles.get("source"), merged.singles.get("state")
    source = read_source(source_node, report) if source_node else None
    state = read_state(state_node, report) if state_node else None
    refuse_one_database(source, state, merged.sections["destinations"], state_node, report)
    return source, state


_SOURCE_EXAMPLE = "source: {type: duckdb, database: warehouse.duckdb}"
_STATE_EXAMPLE = "state: {database: state.duckdb}"


def _read_models(
    nodes: Mapping[str, Node], dbt: DbtReferences, report: Report, *, finds_upstream: bool
) -> Mapping[str, Model | None]:
    models = {
        key: read_model(key, node, named("model", key, report), dbt=dbt, finds_upstream=finds_upstream)
        for key, node in nodes.items()
    }
    check_relations(models, nodes, report)
    return models


def _read_activations(
    nodes: Mapping[str, Node], declared: Declared, report: Report
) -> Mapping[str, Activation]:
    activations: dict[str, Activation] = {}
    names: dict[str, Node] = {}
    for key, node in nodes.items():
        activation, name = read_activation(key, node, named("activation", key, report), declared)
        if activation is not None:
            activations[key], names[key] = activation, name
    refuse_shared_tags(activations, names, report)
    refuse_without_upstream(activations, declared, nodes, report)
    return activations
