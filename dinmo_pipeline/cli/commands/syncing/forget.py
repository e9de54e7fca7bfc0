"""`dinmo forget`: erase a person from the state and its history."""

from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from dinmo_pipeline.cli.destinations import open_client
from dinmo_pipeline.cli.exit_codes import DONE, FAILED
from dinmo_pipeline.cli.leases import command_leases
from dinmo_pipeline.cli.messages import echo, message_log, report
from dinmo_pipeline.cli.project import (
    declared_project,
    declared_states,
    json_option,
    print_json,
)
from dinmo_pipeline.cli.tables import print_table
from dinmo_pipeline.state.file.paths import lock_folder
from dinmo_pipeline.text.wording import counted

if TYPE_CHECKING:
    from dinmo_pipeline.config.declarations import Project
    from dinmo_pipeline.sync.operations.forget import Forgotten

_NOT_FOUND = (
    "Not found: the state has nobody with this email or user id, so nothing was erased. A user id must be"
    " spelled exactly as in the warehouse."
)
_WHAT_REMAINS = (
    "A person who is still in the warehouse comes back with the next sync: delete them there first."
    " Copies of the state file, such as backups, are not touched."
)


@click.command()
@click.argument("identifier", metavar="IDENTIFIER")
@click.option("--keep-tags", is_flag=True, help="Leave our tags on their contacts permanently.")
@json_option
def forget(identifier: str, *, keep_tags: bool, as_json: bool) -> int:
    r"""Erase a person, by email or user id, from the state, its history and the bytes of its file.

    Their contacts lose our tags first. The contacts themselves stay in Intercom. A person whom the state does
    not know is reported as not found, with exit code 1.

    \b
    Examples:
      dinmo who ana@example.com
      dinmo forget ana@example.com
    """
    project = declared_project()
    done = _forget(project, identifier, keep_tags=keep_tags)
    found = any(done.erased.values()) or done.untagged > 0
    if as_json:
        print_json({"status": "ok" if found else "not_found", **asdict(done)})
    elif found:
        _print(done)
    if not found:
        report(_NOT_FOUND)
        return FAILED
    report(_WHAT_REMAINS)
    return DONE


def _forget(project: "Project", identifier: str, *, keep_tags: bool) -> "Forgotten":
    from dinmo_pipeline.state.overview import overview  # noqa: PLC0415  # 0.2 s to import
    from dinmo_pipeline.sync.operations.forget import forget as forget_person  # noqa: PLC0415
    from dinmo_pipeline.sync.operations.forget import person_of  # noqa: PLC0415

    states = declared_states(project)
    tags = [] if keep_tags else [tag for state in states for tag in person_of(state, identifier).tags]
    for tag in tags:
        if tag.destination not in project.destinations:
            raise click.ClickException(
                f"A contact of destination {tag.destination!r} carries a tag of ours, but that"
                " destination is no longer declared. Declare it until this is done, or use --keep-tags."
            )
    known = set(project.declared_activations)
    for state in states:
        with state.reading() as connection:
            known |= set(overview(connection))
    with ExitStack() as opened:
        fence = opened.enter_context(command_leases(project, "forget", project.destinations))
        return forget_person(
            [fence(state) for state in states],
            lock_folder(project.state),
            identifier,
            known,
            {key: opened.enter_context(open_client(project, key)) for key in project.destinations},
            keep_tags=keep_tags,
            log=message_log(),
        )


def _print(done: "Forgotten") -> None:
    print_table(
        ("TABLE", "ROWS"),
        [
            (f"dinmo.{table}" + (" (masked)" if table == "change_log" else ""), rows)
            for table, rows in done.erased.items()
        ],
    )
    echo(f"{counted(done.untagged, 'tag')} removed in Intercom, {done.kept_tags:,} kept.")
    echo("The state was rewritten: the person no longer appears in its files.")
