"""The source, and the models over its tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import timedelta
from pathlib import Path
from typing import Literal, TypeAlias

from dinmo_pipeline.config.strict_yaml.problems import Place


@dataclass(frozen=True, slots=True)
class EnvironmentVariable:
    """`{env: NAME}`: the name of an environment variable; its value is never read here."""

    name: str


SourceType: TypeAlias = Literal[
    "duckdb", "parquet", "csv", "postgres", "redshift", "snowflake", "bigquery", "databricks"
]


DEFAULT_QUERY_TIMEOUT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Source:
    """The warehouse. `path` is the DuckDB file or the folder of files (absolute), else None.

    `uri` names the environment variable with a remote warehouse's connection URI. A query that takes longer
    than `query_timeout` is stopped. With `finds_upstream`, so does every model and segment that does not say.
    """

    type: SourceType
    path: Path | None
    uri: EnvironmentVariable | None
    place: Place = dataclass_field(compare=False, repr=False)
    query_timeout: timedelta = DEFAULT_QUERY_TIMEOUT
    finds_upstream: bool = False


@dataclass(frozen=True, slots=True)
class Join:
    """How a row finds its related rows: pairs of (our column, their column)."""

    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """A named way from one model's rows to another's."""

    model: str
    join: Join


FieldType: TypeAlias = Literal["text", "number", "boolean", "date", "timestamp"]


@dataclass(frozen=True, slots=True)
class FieldFormat:
    """How to read the text of a column of a CSV file.

    `format` is a strptime format of a date or timestamp, None for ISO 8601. `separators` are those of the
    thousands (may be empty) and of the decimals of a number.
    """

    type: FieldType
    format: str | None = None
    separators: tuple[str, str] = ("", ".")


@dataclass(frozen=True, slots=True)
class Model:
    """A table of the source (`table`, may be `schema.table`), its key column, and its relations.

    `upstream` are the Dagster assets that fill it; with `finds_upstream`, those known to fill it are added.
    `fields` says how to read columns of CSV files.
    """

    key: str
    table: str
    primary_key: str | None
    relations: Mapping[str, Relation]
    upstream: tuple[str, ...]
    place: Place = dataclass_field(compare=False, repr=False)
    fields: Mapping[str, FieldFormat] = dataclass_field(default_factory=dict)
    finds_upstream: bool = False
