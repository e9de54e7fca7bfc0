"""Two real engines to run segments on: a DuckDB file, and a schema of a PostgreSQL server."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import adbc_driver_postgresql.dbapi as postgres_driver
import duckdb
import pyarrow as pa

from dinmo_pipeline.segments import OpenSource, open_source
from dinmo_pipeline_tests.segments import declaring


class Engine(Protocol):
    """An engine that a test fills and then reads through the project's own code."""

    name: str

    def run(self, *statements: str) -> None:
        """Run statements that define and fill tables."""

    def load(self, tables: Mapping[str, pa.Table]) -> None:
        """Append rows to tables, creating those that do not exist."""

    def open(self) -> "contextmanager[OpenSource]":
        """The engine as an open source."""


@dataclass
class DuckDBEngine:
    """A DuckDB file."""

    path: Path
    name: str = "duckdb"

    def run(self, *statements: str) -> None:
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            for statement in statements:
                connection.execute(statement)

    def load(self, tables: Mapping[str, pa.Table]) -> None:
        with duckdb.connect(str(self.path)) as connection:
            for name, rows in tables.items():
                connection.register("arriving", rows)
                connection.execute(f"CREATE TABLE IF NOT EXISTS {name} AS FROM arriving LIMIT 0")
                connection.execute(f"INSERT INTO {name} FROM arriving")

    @contextmanager
    def open(self) -> Iterator[OpenSource]:
        with open_source(declaring.duckdb_file(self.path), uri=None) as source:
            yield source


@dataclass
class PostgresEngine:
    """A separate schema on a PostgreSQL server, with one connection for writing and one per `open`."""

    server_uri: str
    schema: str
    name: str = "postgres"
    _writer: Any = None

    @property
    def uri(self) -> str:
        """The server's URI, with the schema first on the search path."""
        options = f"-csearch_path%3D{self.schema}%20-csynchronous_commit%3Doff"
        return f"{self.server_uri}&options={options}"

    def run(self, *statements: str) -> None:
        for statement in statements:
            with closing(self.writer().cursor()) as cursor:
                cursor.execute(statement)

    def load(self, tables: Mapping[str, pa.Table]) -> None:
        for name, rows in tables.items():
            with closing(self.writer().cursor()) as cursor:
                cursor.adbc_ingest(name, rows, mode="create_append", db_schema_name=self.schema)

    @contextmanager
    def open(self) -> Iterator[OpenSource]:
        with open_source(declaring.postgres(), uri=self.uri) as source:
            yield source

    def writer(self) -> Any:
        """The connection that writes: connecting costs the driver 40 ms."""
        if self._writer is None:
            self._writer = postgres_driver.connect(self.uri, autocommit=True)
            self.run(f'CREATE SCHEMA IF NOT EXISTS "{self.schema}"')
        return self._writer

    def close(self) -> None:
        """Close the connection that writes."""
        if self._writer is not None:
            self._writer.close()
