"""The declarations as Dagster resources: the UI shows every setting, and secrets by name only."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import dagster as dg
import duckdb
from dagster_duckdb import DuckDBResource
from pydantic import Field, create_model

from dinmo_pipeline.config.declarations import (
    Activation,
    EnvironmentVariable,
    Source,
    SourceType,
    State,
)
from dinmo_pipeline.config.declarations.warehouse import DEFAULT_QUERY_TIMEOUT
from dinmo_pipeline.config.strict_yaml.declared_fields import (
    build,
    flat_fields,
    flat_values,
    nested_values,
)
from dinmo_pipeline.config.strict_yaml.problems import Place
from dinmo_pipeline.intercom.client import REGION_HOSTS, IntercomClient
from dinmo_pipeline.orchestration.naming import SOURCE, STATE, Names
from dinmo_pipeline.state.errors import StateError
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.file.paths import budget_folder, lock_folder, other_files
from dinmo_pipeline.state.file.run_marks import run_mark

if TYPE_CHECKING:
    from dinmo_pipeline.segments import OpenSource

# The place of a value matters only to errors in the declarations, which were reported before.
_NOWHERE = Place("resource", 0, 0)


class SourceResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The warehouse; it is opened read-only."""

    type: SourceType = Field(description="Kind of warehouse.")
    path: str = Field(default="", description="The DuckDB file or the folder of files.")
    uri: str = Field(default="", repr=False, description="Connection URI of a remote warehouse.")
    uri_variable: str = Field(default="", description="The environment variable of the URI.")
    query_timeout_seconds: float = Field(
        default=DEFAULT_QUERY_TIMEOUT.total_seconds(), description="A query that takes longer is stopped."
    )

    def declared(self) -> Source:
        """The source, as the segments layer takes it."""
        return Source(
            type=self.type,
            path=Path(self.path) if self.path else None,
            uri=EnvironmentVariable(self.uri_variable) if self.uri_variable else None,
            place=_NOWHERE,
            query_timeout=timedelta(seconds=self.query_timeout_seconds),
        )

    def opened_by(self, log: logging.Logger) -> "AbstractContextManager[OpenSource]":
        """The open source; `log` gets a warning if it waits for another program."""
        from dinmo_pipeline.segments import open_source  # noqa: PLC0415  # slow to import

        return open_source(self.declared(), uri=self.uri or None, on_wait=log.warning)


class StateResource(DuckDBResource):
    """The DuckDB files of the pipeline: one, or in a folder one for each destination.

    Unlike its parent it waits for another process, closes the file after an error too, and migrates an older
    file. A run that uses it is marked as alive.
    """

    database: str = Field(default="", description="The file, if there is one for all destinations.")
    folder: str = Field(default="", description="The folder with a file for each destination.")

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Self]:
        """The state for all steps of a run; `close_dead_runs` finds the run if its process is killed."""
        if context.run is None:
            yield self
            return
        with run_mark(self.locks, context.run.run_id):
            yield self

    def without_settings(self) -> dg.ResourceDefinition:
        """The same resource, without settings that a person could change for one run."""

        def state(context: dg.InitResourceContext) -> Iterator[StateResource]:
            with self.yield_for_execution(context) as resource:
                yield resource

        return dg.ResourceDefinition(state)

    def declared(self) -> State:
        """Where the state is."""
        return State(self.database, self.folder)

    def of(self, destination: str, log: logging.Logger) -> StateDatabase:
        """The state of a destination; `log` gets a warning if it waits for another process."""
        state = self.declared()
        others = other_files(state, destination)
        return StateDatabase(state.database_of(destination), on_wait=log.warning, others=others)

    @property
    def budgets(self) -> Path:
        """The folder in which all runs on this machine share Intercom's call budget."""
        return budget_folder(self.declared())

    @property
    def locks(self) -> Path:
        """The folder of the activation locks and the run marks."""
        return lock_folder(self.declared())

    @contextmanager
    def get_connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-only connection to the state of all destinations.

        Raises:
            StateError: each destination has a file of its own.
        """
        if self.folder:
            raise StateError("Each destination has a state file of its own. Use `of(destination, log)`.")
        with StateDatabase(self.database).reading() as connection:
            yield connection


class IntercomResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """An Intercom workspace: a destination."""

    destination: str = Field(description="Key of the destination in the declarations.")
    access_token: str = Field(repr=False, description="From the environment; never shown.")
    access_token_variable: str = Field(description="The environment variable of the token.")
    region: Literal["us", "eu", "au"] = Field(description="Where the workspace is hosted.")
    base_url: str = Field(default="", description="An API address other than the region's.")
    api_version: str = Field(description="The API version sent with each call.")
    rate_limit_share: float = Field(description="The share of the API budget to use, 0 to 1.")

    def client_in_run(self, budgets: Path) -> IntercomClient:
        """A client with the token as the environment has it now.

        Assets do not require the destinations, since a run works with one of them. Initialising one here
        would make Dagster set up an instance for it, which takes 0.07 s.
        """
        return self._client(dg.EnvVar(self.access_token_variable).get_value() or "", budgets)

    def client(self, budgets: Path) -> IntercomClient:
        """A client of the workspace that shares its call budget in a folder; use it in a `with`."""
        return self._client(self.access_token, budgets)

    def _client(self, access_token: str, budgets: Path) -> IntercomClient:
        return IntercomClient(
            access_token,
            self.base_url or REGION_HOSTS[self.region],
            token_name=(
                f"The environment variable {self.access_token_variable}"
                f" (access token of destination {self.destination!r})"
            ),
            version=self.api_version,
            rate_limit_share=self.rate_limit_share,
            budget_folder=budgets,
        )


def source_of(names: Names, context: Any) -> SourceResource:
    """The source of a run that requires it."""
    source: SourceResource = getattr(context.resources, names.resource(SOURCE))
    return source


def state_of(names: Names, context: Any) -> StateResource:
    """The state of a run that requires it."""
    state: StateResource = getattr(context.resources, names.resource(STATE))
    return state


@contextmanager
def clients_of(
    destinations: Mapping[str, IntercomResource], state: StateResource, *, listing_seconds: float = 0.0
) -> Iterator[Callable[[Activation], IntercomClient]]:
    """Clients of the workspaces of a batch, each opened once; for `listing_seconds` see `Tags`."""
    clients: dict[str, IntercomClient] = {}
    with ExitStack() as opened:

        def client_of(activation: Activation) -> IntercomClient:
            key = activation.destination
            if key not in clients:
                clients[key] = opened.enter_context(destinations[key].client_in_run(state.budgets))
                clients[key].tags.listing_seconds = listing_seconds
            return clients[key]

        yield client_of


_SETTINGS: dict[str, Any] = {
    name: (type_, Field(description=doc)) for name, type_, doc in flat_fields(Activation)
}
# Dagster takes 1.5 ms to make an instance of a resource class, so all activations share the schema of one.
_ACTIVATION_TYPE = (
    create_model(
        "ActivationResource",
        __base__=dg.ConfigurableResource,
        activation=(str, Field(description="Key of the activation: the partition key.")),
        **_SETTINGS,
    )
    .to_config_schema()
    .config_type
)


def make_activation_resource(activation: Activation) -> dg.ResourceDefinition:
    """The resource of an activation, which shows each of its settings; its value is the activation.

    No asset requires it. Dagster initialises what an asset requires in every run, 9 ms each, and a run works
    on a few activations only.
    """
    settings = {"activation": activation.key, **flat_values(activation)}
    return dg.ResourceDefinition(
        _declared,
        config_schema=dg.Field(_ACTIVATION_TYPE, default_value=settings),
        description=activation.description or "A segment sent to a destination, with all its settings.",
    )


def _declared(context: dg.InitResourceContext) -> Activation:
    values = nested_values(Activation, context.resource_config)
    return build(Activation, {**values, "key": context.resource_config["activation"], "place": _NOWHERE})
