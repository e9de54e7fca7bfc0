"""Segments, and the unit tests of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import datetime
from typing import TypeAlias

from dinmo_pipeline.config.declarations.conditions import Condition, Scalar
from dinmo_pipeline.config.strict_yaml.problems import Place


@dataclass(frozen=True, slots=True)
class Segment:
    """A named set of users: exactly one of `where` (over `model`), `sql` and `table` is set.

    `upstream` are the Dagster assets that fill the tables it names itself; with `finds_upstream`, those known
    to fill them are added.
    """

    key: str
    name: str
    description: str | None
    model: str | None
    where: Condition | None
    sql: str | None
    table: str | None
    upstream: tuple[str, ...]
    place: Place = dataclass_field(compare=False, repr=False)
    finds_upstream: bool = False


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
