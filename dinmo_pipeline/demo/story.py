"""The demo's story: a shop syncs its segments to a local Intercom on two days, and proves the result."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import requests
from rich.console import Console
from rich.table import Table

from dinmo_pipeline.config.declarations import Activation, Project
from dinmo_pipeline.demo.warehouse import Day, build_warehouse
from dinmo_pipeline.demo.workspace import Contact, intercom_contacts, new_contacts_day2
from dinmo_pipeline.orchestration.build import build_definitions
from dinmo_pipeline.orchestration.run import SyncOutcome, sync_activation
from dinmo_pipeline.state.database import StateDatabase
from dinmo_pipeline.state.syncs import newest_outcomes

DESTINATION = "intercom_demo"
_SAMPLES = 3


class NotTheDemoError(Exception):
    """The declarations are the user's own by now, so the demo has nothing to tell."""


@dataclass(frozen=True)
class World:
    """The demo's parts: the project, its destination pointing at the emulator, and the emulator.

    `environment` are the variables of the process, the access token among them.
    """

    project: Project
    environment: Mapping[str, str]
    emulator: str
    console: Console

    @property
    def warehouse(self) -> Path:
        """The DuckDB file of the shop."""
        if self.project.source.path is None:
            raise NotTheDemoError
        return self.project.source.path

    @property
    def activations(self) -> list[Activation]:
        """The activations that the demo syncs."""
        return [a for a in self.project.activations.values() if a.enabled]


def tell_story(
    project: Project, environment: Mapping[str, str], emulator: str, console: Console
) -> bool:
    """Play both days against an empty emulator at a base URL; whether every tag was right.

    Raises:
        NotTheDemoError: the declarations are not the demo's.
    """
    if DESTINATION not in project.destinations or project.source.path is None:
        raise NotTheDemoError
    destination = replace(project.destinations[DESTINATION], base_url=emulator)
    pointed = replace(project, destinations={DESTINATION: destination})
    world = World(pointed, environment, emulator, console)
    shutil.rmtree(world.warehouse.parent, ignore_errors=True)

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
    build_warehouse(world.warehouse, day, datetime.now(UTC).date())


def _create_contacts(world: World, contacts: list[Contact]) -> None:
    requests.post(
        f"{world.emulator}/_emulator/contacts", json=contacts, timeout=60
    ).raise_for_status()


def _sync_and_prove(world: World) -> bool:
    definitions = build_definitions(world.project, world.environment)
    outcomes = {}
    with dg.DagsterInstance.get() as instance, world.console.status("Syncing …"):
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


def _print_outcomes(world: World, outcomes: Mapping[str, SyncOutcome]) -> None:
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
