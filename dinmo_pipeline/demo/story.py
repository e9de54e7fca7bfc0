"""The demo's story: a shop syncs its segments to an emulated Intercom on two days, and checks every tag."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property

import dagster as dg
import requests
from rich.console import Console
from rich.table import Table

from dinmo_pipeline.config.declarations import Activation, Project
from dinmo_pipeline.demo.folder import DemoFolder
from dinmo_pipeline.demo.proof import contacts_created, prove
from dinmo_pipeline.demo.warehouse import Day, build_warehouse
from dinmo_pipeline.demo.workspace import Contact, intercom_contacts, new_contacts_day2
from dinmo_pipeline.orchestration.build import build_definitions
from dinmo_pipeline.orchestration.naming import names_of
from dinmo_pipeline.orchestration.runs.in_process import sync_activations
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.syncs import SyncResult, newest_outcomes
from dinmo_pipeline.text.legend import LEGEND
from dinmo_pipeline.text.wording import counted

_TIMEOUT_SECONDS = 60
_ACTIVATIONS_WITH_EXAMPLES = 3
_EXAMPLES_PER_CHANGE = 3
# The columns whose meaning nobody should have to guess.
_LEGEND = "\n".join(
    f"{name.replace('_', ' ').capitalize().replace('intercom', 'Intercom')}: {LEGEND[name]}"
    for name in ("members", "entered", "left", "tagged", "untagged", "not_in_intercom")
)


@dataclass(frozen=True)
class Story:
    """Two days of the shop.

    Attributes:
        declared: The demo's project.
        folder: Where the warehouse and the state go, whatever `declared` says.
        environment: The variables of the process, the access token among them.
        emulator: The base URL of an empty emulator, used whatever `declared` says.
        console: Where the story is printed.
    """

    declared: Project
    folder: DemoFolder
    environment: Mapping[str, str]
    emulator: str
    console: Console

    def play(self) -> bool:
        """Play both days in an empty folder; whether every tag was right."""
        self.console.rule("Day one")
        self._build_warehouse(1)
        people = intercom_contacts(self.folder.warehouse)
        self._create_contacts(people)
        users = sum(person["role"] == "user" for person in people)
        self.console.print(
            "A shop has a warehouse and an Intercom workspace with"
            f" {counted(users, 'user')} and {counted(len(people) - users, 'lead')}."
            " Most of its customers are in Intercom, some of them twice.\n"
        )
        day_one_is_right = self._sync_and_prove()

        self.console.rule("Day two")
        self._build_warehouse(2)
        newcomers = new_contacts_day2(self.folder.warehouse, people)
        self._create_contacts(newcomers)
        self.console.print(
            "Overnight, people bought, churned, signed up and changed their email."
            f" Intercom has {counted(len(newcomers), 'new user')}.\n"
        )
        return self._sync_and_prove() and day_one_is_right

    @cached_property
    def _project(self) -> Project:
        """The declared project, kept to the demo's folder and the emulator."""
        name = self.folder.destination
        destination = replace(self.declared.destinations[name], base_url=self.emulator)
        return replace(
            self.declared,
            source=replace(self.declared.source, path=self.folder.warehouse),
            state=replace(self.declared.state, database=str(self.folder.state)),
            destinations={name: destination},
        )

    @property
    def _activations(self) -> list[Activation]:
        return [a for a in self._project.activations.values() if a.enabled]

    def _build_warehouse(self, day: Day) -> None:
        with self.folder.making(self.folder.warehouse):
            build_warehouse(self.folder.warehouse, day, datetime.now(UTC).date())

    def _create_contacts(self, contacts: list[Contact]) -> None:
        requests.post(
            f"{self.emulator}/_emulator/contacts", json=contacts, timeout=_TIMEOUT_SECONDS
        ).raise_for_status()

    def _sync_and_prove(self) -> bool:
        self._print_outcomes(self._sync())
        self._print_examples()
        return self._prove()

    def _sync(self) -> dict[str, SyncResult]:
        definitions = build_definitions(self._project, self.environment, for_a_run=True)
        with (
            self.folder.making(self.folder.state),
            dg.DagsterInstance.get() as instance,
            self.console.status("Syncing …"),
        ):
            return sync_activations(
                definitions,
                instance,
                self._activations,
                names=names_of(self._project),
                log_level="ERROR",
            )

    def _print_outcomes(self, outcomes: Mapping[str, SyncResult]) -> None:
        table = _table("Activation", "Members", "Entered", "Left", "Tagged", "Untagged", "Not in Intercom")
        for key, outcome in outcomes.items():
            n = outcome.numbers
            counts = (n.members, n.entered, n.left, n.tagged, n.untagged, n.not_in_intercom)
            table.add_row(key, *(f"{count:,}" for count in counts))
        self.console.print(table)
        self.console.print(_LEGEND, style="dim")
        for key, outcome in outcomes.items():
            if outcome.status != "ok":
                self.console.print(f"[red]{key}: {outcome.status}. {outcome.reason}")

    def _print_examples(self) -> None:
        """Print the emails of a few people whose tags changed; all of them are invented."""
        with StateDatabase(str(self.folder.state)).reading() as connection:
            for activation in self._activations[:_ACTIVATIONS_WITH_EXAMPLES]:
                for change, verb in (("entered", "Tagged"), ("left", "Untagged")):
                    people = newest_outcomes(connection, activation.key, change, limit=_EXAMPLES_PER_CHANGE)
                    if people:
                        self.console.print(
                            f"  {verb} [bold]{activation.name}[/bold]: {', '.join(people)}, …",
                            highlight=False,
                            soft_wrap=True,
                        )
        self.console.print()

    def _prove(self) -> bool:
        """Print how many should carry each tag and how many do; whether all tags are right."""
        table = _table("Tag", "Users who should have it", "Contacts that have it", "Match")
        proofs = {
            activation.name: prove(self.emulator, str(self.folder.state), activation)
            for activation in self._activations
        }
        for name, proof in proofs.items():
            table.add_row(
                name,
                f"{len(proof.expected):,}",
                f"{len(proof.tagged):,}",
                "yes" if proof.holds else "[red]no",
            )
        created = contacts_created(self.emulator)
        self.console.print("Checked in Intercom itself:")
        self.console.print(table)
        self.console.print(f"The syncs created {counted(created, 'contact')}.\n")
        return created == 0 and all(proof.holds for proof in proofs.values())


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left")
    return table
