"""The demo's story: a shop syncs its segments to a local Intercom on two days, and proves the result."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import requests
from rich.console import Console
from rich.table import Table

from dinmo_pipeline.config import load_project
from dinmo_pipeline.config.declarations import Activation, Project
from dinmo_pipeline.demo.folder import DemoFolder, NotTheDemoError
from dinmo_pipeline.demo.warehouse import Day, build_warehouse
from dinmo_pipeline.demo.workspace import Contact, intercom_contacts, new_contacts_day2
from dinmo_pipeline.orchestration.build import build_definitions
from dinmo_pipeline.orchestration.runs.in_process import sync_activation
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.syncs import SyncResult, newest_outcomes

DESTINATION = "intercom_demo"
DECLARATIONS = Path(__file__).parent / "declarations"
# Where the declarations of the demo keep the warehouse and the state: a folder of the demo's own.
FOLDER = DemoFolder(Path(__file__).parents[2] / ".demo", DESTINATION)
_SAMPLES = 3


@dataclass(frozen=True)
class World:
    """The demo's parts: the project, its destination pointing at the emulator, and the emulator.

    `environment` are the variables of the process, the access token among them.
    """

    project: Project
    folder: DemoFolder
    environment: Mapping[str, str]
    emulator: str
    console: Console

    @property
    def warehouse(self) -> Path:
        """The DuckDB file of the shop."""
        return self.folder.warehouse

    @property
    def activations(self) -> list[Activation]:
        """The activations that the demo syncs."""
        return [a for a in self.project.activations.values() if a.enabled]


def demo_project(declarations: Path, folder: DemoFolder) -> Project:
    """The demo's project, if its declarations are still the demo's own.

    Raises:
        NotTheDemoError: somebody edited the declarations to read another warehouse, to keep their state
            elsewhere, or to reach another destination.
    """
    project = load_project(declarations)
    declared = (project.source.path, Path(project.state.database), set(project.destinations))
    if declared != (folder.warehouse, folder.state, {folder.destination}):
        raise NotTheDemoError(
            f"The declarations in {declarations} are no longer the demo's: the demo reads"
            f" {folder.warehouse}, keeps its state in {folder.state}, and knows the destination"
            f" {folder.destination!r} alone. Keep your own declarations in a folder of your own, named"
            " by the variable DINMO_CONFIG, and restore these. Nothing was deleted."
        )
    return project


def tell_story(
    project: Project,
    folder: DemoFolder,
    environment: Mapping[str, str],
    emulator: str,
    console: Console,
) -> bool:
    """Play both days against an empty emulator at a base URL; whether every tag was right.

    Raises:
        NotTheDemoError: a file in the demo's folder is not the demo's.
    """
    destination = replace(project.destinations[folder.destination], base_url=emulator)
    pointed = replace(
        project,
        source=replace(project.source, path=folder.warehouse),
        state=replace(project.state, database=str(folder.state)),
        destinations={folder.destination: destination},
    )
    world = World(pointed, folder, environment, emulator, console)
    folder.clear()

    console.rule("Day one")
    _build_day(world, 1)
    people = intercom_contacts(world.warehouse)
    _create_contacts(world, people)
    users = sum(person["role"] == "user" for person in people)
    console.print(
        f"A shop's warehouse, and an Intercom workspace with {users:,} users and"
        f" {len(people) - users:,} leads: most customers, some of them twice.\n"
    )
    right = _sync_and_prove(world)

    console.rule("Day two")
    _build_day(world, 2)
    newcomers = new_contacts_day2(world.warehouse, people)
    _create_contacts(world, newcomers)
    console.print(
        "Overnight people bought, churned, signed up and changed their email;"
        f" {len(newcomers)} users are new in Intercom.\n"
    )
    return _sync_and_prove(world) and right


def _build_day(world: World, day: Day) -> None:
    with world.folder.making(world.warehouse):
        build_warehouse(world.warehouse, day, datetime.now(UTC).date())


def _create_contacts(world: World, contacts: list[Contact]) -> None:
    requests.post(
        f"{world.emulator}/_emulator/contacts", json=contacts, timeout=60
    ).raise_for_status()


def _sync_and_prove(world: World) -> bool:
    definitions = build_definitions(world.project, world.environment)
    outcomes = {}
    with (
        world.folder.making(world.folder.state),
        dg.DagsterInstance.get() as instance,
        world.console.status("Syncing …"),
    ):
        for activation in world.activations:
            outcomes[activation.key] = sync_activation(
                definitions,
                instance,
                activation.key,
                allow_large_removal=False,
                log_level="ERROR",
            )
    _print_outcomes(world, outcomes)
    _print_samples(world)
    return _prove(world)


def _print_outcomes(world: World, outcomes: Mapping[str, SyncResult]) -> None:
    table = _table(
        "Activation", "Members", "Entered", "Left", "Tagged", "Untagged", "Not in Intercom"
    )
    for key, outcome in outcomes.items():
        numbers = outcome.numbers
        table.add_row(
            key,
            *(f"{number:,}" for number in (numbers.members, numbers.entered, numbers.left)),
            *(f"{number:,}" for number in (numbers.tagged, numbers.untagged)),
            f"{numbers.not_in_intercom:,}",
        )
    world.console.print(table)
    for key, outcome in outcomes.items():
        if outcome.status != "ok":
            world.console.print(f"[red]{key}: {outcome.status}. {outcome.reason}")


def _print_samples(world: World) -> None:
    """A few people by what became of them; in the demo they are invented, so they may be shown."""
    with StateDatabase(world.project.state.database).reading() as connection:
        for activation in world.activations[:3]:
            for change, verb in (("entered", "got"), ("left", "lost")):
                people = newest_outcomes(connection, activation.key, change, limit=_SAMPLES)
                if people:
                    world.console.print(
                        f"  {', '.join(people)} … {verb} [bold]{activation.name}[/bold]",
                        highlight=False,
                        soft_wrap=True,
                    )
    world.console.print()


def _prove(world: World) -> bool:
    """Ask the emulator who carries each tag, and compare with the members who exist as users."""
    table = _table("Tag", "Members who are users", "Contacts with the tag", "Equal")
    right = True
    for activation in world.activations:
        expected = _expected_contacts(world, activation)
        tagged = {contact["id"] for contact in _tagged_contacts(world, activation.name)}
        right = right and tagged == expected
        table.add_row(
            activation.name,
            f"{len(expected):,}",
            f"{len(tagged):,}",
            "yes" if tagged == expected else "[red]no",
        )
    stats = requests.get(f"{world.emulator}/_emulator/stats", timeout=60).json()
    world.console.print("The emulator was asked who carries each tag:")
    world.console.print(table)
    world.console.print(f"Contacts created by the syncs: {stats['contacts_created_by_api']}\n")
    return right and stats["contacts_created_by_api"] == 0


def _expected_contacts(world: World, activation: Activation) -> set[str]:
    """The users that should carry the tag, told from Intercom's list without the pipeline's code."""
    with StateDatabase(world.project.state.database).reading() as connection:
        rows = connection.execute(
            "SELECT identifier FROM dinmo.segment_membership WHERE activation = ?", [activation.key]
        ).fetchall()
    members = {row[0] for row in rows}
    users_of: dict[str, list[str]] = {}
    for page in _listed_contacts(world):
        for contact in page:
            key = contact["external_id"]
            if activation.match_by == "email":
                key = (contact["email"] or "").strip().lower()
            if contact["role"] == "user" and key in members:
                users_of.setdefault(key, []).append(contact["id"])
    at_most = 1 if activation.on_multiple_users == "skip" else len(members) + 1
    return {user for users in users_of.values() if len(users) <= at_most for user in users}


def _listed_contacts(world: World) -> Iterator[list[dict[str, str]]]:
    """Everybody in the workspace, through Intercom's own list, 150 a page."""
    query = {"per_page": "150"}
    while True:
        answer = requests.get(
            f"{world.emulator}/contacts",
            params=query,
            headers={"Authorization": "Bearer demo-proof", "Accept": "application/json"},
            timeout=60,
        )
        answer.raise_for_status()
        body = answer.json()
        yield body["data"]
        following = body["pages"].get("next")
        if not following:
            return
        query["starting_after"] = following["starting_after"]


def _tagged_contacts(world: World, tag: str) -> list[dict[str, str]]:
    answer = requests.get(
        f"{world.emulator}/_emulator/tags/{quote(tag, safe='')}/contacts", timeout=60
    )
    answer.raise_for_status()
    contacts: list[dict[str, str]] = answer.json()["contacts"]
    return contacts


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left")
    return table
