"""Everything that one project declares."""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field

from dinmo_pipeline.config.declarations.activations import Activation, Destination
from dinmo_pipeline.config.declarations.segments import Segment, SegmentTest
from dinmo_pipeline.config.declarations.warehouse import EnvironmentVariable, Model, Source


@dataclass(frozen=True, slots=True)
class State:
    """The DuckDB database of the pipeline: an absolute path, or `md:…` for MotherDuck."""

    database: str


@dataclass(frozen=True, slots=True)
class Alerts:
    """Where alert messages go: the variable with the URL of an incoming webhook."""

    webhook: EnvironmentVariable


@dataclass(frozen=True, slots=True)
class Project:
    """All declarations of one folder or file, checked against each other, in declared order."""

    source: Source
    state: State
    destinations: Mapping[str, Destination]
    models: Mapping[str, Model]
    segments: Mapping[str, Segment]
    activations: Mapping[str, Activation]
    tests: Mapping[str, SegmentTest] = dataclass_field(default_factory=dict)
    alerts: Alerts | None = None
