"""A small company for tests: a warehouse, declarations, an emulated Intercom and a Dagster instance."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dagster as dg
import duckdb
import requests
import yaml

from dinmo_pipeline.config import load_project
from dinmo_pipeline.emulator import EmulatorSettings, running
from dinmo_pipeline.orchestration.build import build_definitions
from dinmo_pipeline.orchestration.naming import names_of
from dinmo_pipeline.orchestration.runs.in_process import sync_activations
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.syncs import SyncResult

TOKEN = "tok-secret-1f9c0"
TOKEN_VARIABLE = "TEST_INTERCOM_TOKEN"


@dataclass
class Company:
    """What a test can change and read in a company; `folder` holds all its files."""

    folder: Path
    intercom: str
    instance: dg.DagsterInstance
    declared: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.declared = {
            "source": {"type": "duckdb", "database": "warehouse.duckdb"},
            "state": {"database": "state.duckdb"},
            "destinations": {"main": {"access_token": {"env": TOKEN_VARIABLE}, "base_url": self.intercom}},
            "segments": {"vip": {"name": "VIP", "table": "vip"}},
            "activations": {"vip": {}},
        }

    @property
    def declarations(self) -> Path:
        """The declarations file, written from `declared`."""
        path = self.folder / "dinmo.yaml"
        path.write_text(yaml.safe_dump(self.declared, sort_keys=False))
        return path

    @property
    def state(self) -> StateDatabase:
        """The state as the pipeline opens it."""
        return StateDatabase(str(self.folder / "state.duckdb"))

    def activate(self, key: str, **settings: Any) -> None:
        """Declare a table segment and an activation with the same key."""
        self.declared["segments"][key] = {"name": key.upper(), "table": key}
        self.declared["activations"][key] = settings

    def members(self, rows: Iterable[str | tuple[Any, ...] | None], table: str = "vip") -> None:
        """Replace the rows of a segment's table: emails, or (email, user id) pairs."""
        listed = [row if isinstance(row, tuple) else (row, None) for row in rows]
        with duckdb.connect(str(self.folder / "warehouse.duckdb")) as connection:
            connection.execute(f"CREATE OR REPLACE TABLE {table} (email VARCHAR, customer_id VARCHAR)")
            # In one statement: thousands of single rows take DuckDB seconds.
            emails, user_ids = ([row[at] for row in listed] for at in range(2))
            connection.execute(
                f"INSERT INTO {table} SELECT unnest($1::VARCHAR[]), unnest($2::VARCHAR[])",
                [emails, user_ids],
            )

    def people(self, *contacts: Mapping[str, Any] | str) -> list[str]:
        """Create contacts in Intercom, given as attributes or as the email of a user; their ids."""
        body = [{"email": c} if isinstance(c, str) else dict(c) for c in contacts]
        return self._control("POST", "contacts", json=body)["ids"]

    def tagged(self, tag: str = "VIP") -> set[str]:
        """The emails of the contacts with a tag; the external id of a contact without an email."""
        found = self._control("GET", f"tags/{quote(tag, safe='')}/contacts")["contacts"]
        return {contact["email"] or contact["external_id"] for contact in found}

    def calls(self) -> dict[str, int]:
        """Calls by method and route since the last time this was called."""
        return self._control("GET", "stats", params={"reset": "1"})["calls"]

    def created_by_api(self) -> int:
        """How many contacts Intercom's API has created."""
        return self._control("GET", "stats")["contacts_created_by_api"]

    def faults(self, *rules: Mapping[str, Any]) -> None:
        """Inject faults into Intercom; without rules, clear them."""
        self._control("POST", "faults", json=list(rules))

    def definitions(
        self, environment: Mapping[str, str] | None = None, *, for_a_run: bool = False
    ) -> dg.Definitions:
        """The Dagster definitions of the declarations."""
        return build_definitions(
            load_project(self.declarations),
            os.environ if environment is None else environment,
            for_a_run=for_a_run,
        )

    def sync(self, activation: str = "vip", *, allow_large_removal: bool = False) -> SyncResult:
        """Sync through both jobs, as `dinmo sync` does."""
        project = load_project(self.declarations)
        results = sync_activations(
            build_definitions(project, os.environ, for_a_run=True),
            self.instance,
            [project.activations[activation]],
            names=names_of(project),
            allow_large_removal=allow_large_removal,
            log_level="CRITICAL",
        )
        return results[activation]

    def synced(self, activation: str = "vip") -> SyncResult:
        """Sync, and require status `ok`."""
        outcome = self.sync(activation)
        assert outcome.status == "ok", outcome.reason
        return outcome

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query on the state."""
        with self.state.reading() as connection:
            return connection.execute(query).fetchall()

    def intercom_call(self, method: str, path: str, **options: Any) -> Any:
        """Call Intercom's API as another program would."""
        answer = requests.request(
            method,
            self.intercom + path,
            headers={"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"},
            timeout=30,
            **options,
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def _control(self, method: str, path: str, **options: Any) -> Any:
        answer = requests.request(method, f"{self.intercom}/_emulator/{path}", timeout=30, **options)
        answer.raise_for_status()
        return answer.json()


@contextmanager
def intercom_of_tests() -> Iterator[str]:
    """The base URL of an emulator that accepts only the tests' token."""
    with running(EmulatorSettings(token=TOKEN)) as server:
        yield server.base_url
