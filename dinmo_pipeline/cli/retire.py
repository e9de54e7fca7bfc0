"""`dinmo retire`: take the tag off the contacts we tagged, and close the activation."""

from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from dinmo_pipeline.cli.destinations import confirm, log_to_person, open_client
from dinmo_pipeline.cli.failures import DONE, FAILED
from dinmo_pipeline.cli.project import (
    declared_project,
    declared_state,
    json_option,
    print_json,
    tell,
)
from dinmo_pipeline.cli.reconcile import as_object

if TYPE_CHECKING:
    from dinmo_pipeline.config.declarations import Project
    from dinmo_pipeline.state.retire import RetiredTag
    from dinmo_pipeline.sync.retire import Retired


@click.command()
@click.argument("activation", metavar="ACTIVATION")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def retire(activation: str, *, yes: bool, as_json: bool) -> int:
    """Take the tag off all contacts we tagged, also when the activation is declared no longer.

    The tag itself and tags that somebody else put on contacts stay.
    """
    project = declared_project()
    tags = _tags_to_retire(project, activation)
    contacts = sum(tag.contacts for tag in tags)
    names = " and ".join(sorted({repr(tag.name) for tag in tags})) or "no tag"
    confirm(f"Take {names} of activation {activation!r} off {contacts:,} contacts?", yes=yes)
    done = _retired(project, activation, tags)
    if as_json:
        print_json({activation: as_object(done)})
    else:
        kept = f", {done.kept:,} keep it for another activation" if done.kept else ""
        gone = f", {done.gone:,} were gone" if done.gone else ""
        click.echo(f"{activation}: {done.untagged:,} contacts untagged{gone}{kept}.")
    if done.status == "ok":
        return DONE
    tell(f"{activation}: not retired. {done.reason} Run this again: it does the rest.")
    return FAILED


def _tags_to_retire(project: "Project", activation: str) -> "list[RetiredTag]":
    """What the state knows of an activation that may be retired.

    Raises:
        click.UsageError: it is in use, or unknown.
        click.ClickException: a workspace it was sent to is declared no longer.
    """
    from dinmo_pipeline.state.retire import is_known, retired_tags  # noqa: PLC0415  # slow to import

    declared = project.activations.get(activation)
    if declared and declared.enabled:
        raise click.UsageError(
            f"Activation {activation!r} is in use: its next sync would tag everybody again. Remove it"
            " from the declarations, or set `enabled: false` on it, and run this again."
        )
    with declared_state(project).reading() as connection:
        if not is_known(connection, activation):
            raise click.UsageError(
                f"Nothing is known of an activation {activation!r}. `dinmo status` lists them."
            )
        tags = retired_tags(connection, activation)
    for tag in tags:
        if tag.contacts and tag.destination not in project.destinations:
            raise click.ClickException(
                f"{tag.contacts:,} contacts of destination {tag.destination!r} carry the tag"
                f" {tag.name!r}, but that destination is declared no longer. Declare it again until"
                " this is done."
            )
    return tags


def _retired(project: "Project", activation: str, tags: "list[RetiredTag]") -> "Retired":
    from dinmo_pipeline.cli.watching import progress_bar  # noqa: PLC0415  # slow to import
    from dinmo_pipeline.state.lock_folder import lock_folder  # noqa: PLC0415
    from dinmo_pipeline.sync.retire import retire as retire_activation  # noqa: PLC0415
    from dinmo_pipeline.sync.retire import retired_activation  # noqa: PLC0415
    from dinmo_pipeline.sync.session import Session  # noqa: PLC0415

    state, log = declared_state(project), log_to_person()
    with ExitStack() as opened, progress_bar(activation):
        sessions = [
            Session(
                retired_activation(activation, tag.destination, tag.name),
                state,
                opened.enter_context(open_client(project, tag.destination)),
                log,
            )
            for tag in tags
            if tag.contacts
        ]
        return retire_activation(
            state, activation, sessions, lock_folder(project.state.database), log=log
        )
