"""Everything that one project declares."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import timedelta
from pathlib import Path

from dinmo_pipeline.config.declarations.activations import Activation, Destination
from dinmo_pipeline.config.declarations.alerts import Alerts
from dinmo_pipeline.config.declarations.segments import Segment, SegmentTest
from dinmo_pipeline.config.declarations.warehouse import Model, Source
from dinmo_pipeline.config.strict_yaml.problems import Owner, Place, Problem


@dataclass(frozen=True, slots=True)
class State:
    """Where the pipeline keeps what it knows: a DuckDB file, or a folder with a file for each destination.

    One of the two is set, to an absolute path; the other is empty.
    """

    database: str = ""
    folder: str = ""

    def database_of(self, destination: str) -> str:
        """The file of a destination."""
        return str(Path(self.folder, f"{destination}.duckdb")) if self.folder else self.database

    def databases(self, destinations: Iterable[str]) -> list[str]:
        """The files of some destinations, each once."""
        return list(map(self.database_of, dict.fromkeys(destinations))) if self.folder else [self.database]


@dataclass(frozen=True, slots=True)
class History:
    """How long to keep what is over; None is for ever."""

    keep_runs: timedelta | None = timedelta(days=14)
    keep_syncs: timedelta | None = None
    keep_memberships: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Dbt:
    """A dbt project: its manifest, and what its exposures say of their owner and maturity."""

    manifest: Path
    owner_name: str | None
    owner_email: str | None
    maturity: str
    place: Place = dataclass_field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class DagsterSettings:
    """What the pipeline is called in Dagster, where several may live in one project.

    `name` comes before the names of jobs, ops, sensors, schedules and resources, and `key_prefix` before
    asset keys. `resource_prefix` is that of resources without a `name`, which cannot be declared.
    """

    name: str | None = None
    key_prefix: tuple[str, ...] = ()
    group_name: str | None = None
    owners: tuple[str, ...] = ()
    resource_prefix: str | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """All declarations of one folder or file, checked against each other, in declared order.

    Objects that cannot be used are in `broken` only, each with the problems of its own and of what it is made
    from. `problems` are all of them, each once.
    """

    source: Source
    state: State
    destinations: Mapping[str, Destination]
    models: Mapping[str, Model]
    segments: Mapping[str, Segment]
    activations: Mapping[str, Activation]
    tests: Mapping[str, SegmentTest] = dataclass_field(default_factory=dict)
    alerts: Alerts | None = None
    history: History = History()
    dbt: Dbt | None = None
    dagster: DagsterSettings = DagsterSettings()
    problems: tuple[Problem, ...] = ()
    broken: Mapping[Owner, tuple[Problem, ...]] = dataclass_field(default_factory=dict)

    def broken_of(self, kind: str) -> dict[str, tuple[Problem, ...]]:
        """The objects of a kind (`activation`, `segment`, …) that cannot be used, each with its problems."""
        return {key: problems for (its_kind, key), problems in self.broken.items() if its_kind == kind}

    @property
    def declared_activations(self) -> list[str]:
        """The keys of all activations, also of those that cannot be used."""
        return [*self.activations, *self.broken_of("activation")]

    @property
    def all_alerts(self) -> list[Alerts]:
        """The alerts for all destinations, and those of each, without repetition."""
        own = (destination.alerts for destination in self.destinations.values())
        return list(dict.fromkeys(alerts for alerts in (self.alerts, *own) if alerts))

    def alerts_of(self, activation: str) -> Alerts | None:
        """Where messages about an activation go; those about one that cannot be used go where most do."""
        declared = self.activations.get(activation)
        return self.destinations[declared.destination].alerts if declared else self.alerts

    @property
    def finds_upstream(self) -> bool:
        """Whether assets are to be found that fill the tables of a model or segment: `upstream: auto`."""
        return any(model.finds_upstream for model in self.models.values()) or any(
            segment.finds_upstream for segment in self.segments.values()
        )
