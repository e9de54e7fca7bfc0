"""What a user declares, validated and resolved: plain frozen values the pipeline reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

from dinmo_pipeline.config.conditions import Condition, Scalar
from dinmo_pipeline.config.problems import Place


@dataclass(frozen=True, slots=True)
class EnvironmentVariable:
    """`{env: NAME}`: the name of an environment variable; its value is never read here."""

    name: str


SourceType: TypeAlias = Literal[
    "duckdb", "parquet", "csv", "postgres", "redshift", "snowflake", "bigquery", "databricks"
]


@dataclass(frozen=True, slots=True)
class Source:
    """The warehouse. `path` is the DuckDB file or the folder of files (absolute), else None.

    `uri` names the environment variable with a remote warehouse's connection URI.
    """

    type: SourceType
    path: Path | None
    uri: EnvironmentVariable | None
    place: Place = dataclass_field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class State:
    """The DuckDB database of the pipeline: an absolute path, or `md:…` for MotherDuck."""

    database: str


@dataclass(frozen=True, slots=True)
class Alerts:
    """Where people are told of trouble: the variable with the URL of an incoming webhook."""

    webhook: EnvironmentVariable


@dataclass(frozen=True, slots=True)
class Join:
    """How a row finds its related rows: pairs of (our column, their column)."""

    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """A named way from one model's rows to another's."""

    model: str
    join: Join


@dataclass(frozen=True, slots=True)
class Model:
    """A table of the source (`table`, may be `schema.table`), its key column, and its relations."""

    key: str
    table: str
    primary_key: str | None
    relations: Mapping[str, Relation]
    upstream: tuple[str, ...]
    place: Place = dataclass_field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Segment:
    """A named set of users: exactly one of `where` (over `model`), `sql` and `table` is set."""

    key: str
    name: str
    description: str | None
    model: str | None
    where: Condition | None
    sql: str | None
    table: str | None
    upstream: tuple[str, ...]
    place: Place = dataclass_field(compare=False, repr=False)


MatchBy: TypeAlias = Literal["email", "user_id"]

MANUAL = "manual"
AFTER_UPSTREAM = "after_upstream"
"""The schedule that is declared as `{after: upstream}`."""


@dataclass(frozen=True, slots=True)
class Guards:
    """Shares, 0 to 1: above them a change set is held, or a sync counts as failed."""

    max_removed_share: float = 0.3
    max_unidentified_share: float = 0.05
    max_failed_share: float = 0.1


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """When to compare with Intercom, a cron expression or MANUAL, and whether to mend what differs."""

    schedule: str = MANUAL
    repair: bool = False


@dataclass(frozen=True, slots=True)
class Destination:
    """One Intercom workspace; `rate_limit_share` is the part of its API budget we use (0 to 1)."""

    key: str
    access_token: EnvironmentVariable
    region: Literal["us", "eu", "au"]
    base_url: str | None
    api_version: str
    rate_limit_share: float
    place: Place = dataclass_field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Activation:
    """A segment sent to a destination, every setting resolved.

    A setting is the activation's own, else the destination's default, else built-in. `name` is the
    tag's name, `schedule` a cron expression, MANUAL or AFTER_UPSTREAM, `timezone` an IANA name.
    """

    key: str
    segment: str
    destination: str
    name: str
    match_by: MatchBy
    column: str
    schedule: str
    timezone: str
    enabled: bool
    on_multiple_users: Literal["all", "skip"]
    guards: Guards
    reconciliation: Reconciliation
    place: Place = dataclass_field(compare=False, repr=False)

    @property
    def is_scheduled(self) -> bool:
        """Whether a cron schedule launches it."""
        return self.enabled and self.schedule not in (MANUAL, AFTER_UPSTREAM)

    @property
    def is_reconciled(self) -> bool:
        """Whether a cron schedule reconciles it."""
        return self.enabled and self.reconciliation.schedule != MANUAL

    @property
    def follows_upstream(self) -> bool:
        """Whether it is launched when an asset upstream of its segment materializes."""
        return self.enabled and self.schedule == AFTER_UPSTREAM


Given: TypeAlias = Scalar | None


@dataclass(frozen=True, slots=True)
class GivenRow:
    """A row that a test puts into a table; columns that are not named are NULL."""

    values: Mapping[str, Given]
    place: Place = dataclass_field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class GivenTable:
    """The rows of one table in a test: that of a model, by its key, or one of the source, by its name."""

    table: str
    model: str | None
    rows: tuple[GivenRow, ...]
    place: Place = dataclass_field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SegmentTest:
    """Given these rows, exactly these are the segment's members.

    `now` without an offset is on the wall clock of `timezone`; None is the present moment. `column` holds
    the identifiers that `members` lists.
    """

    key: str
    segment: str
    now: datetime | None
    timezone: str
    given: tuple[GivenTable, ...]
    column: str
    members: tuple[Scalar, ...]
    place: Place = dataclass_field(compare=False, repr=False)


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
