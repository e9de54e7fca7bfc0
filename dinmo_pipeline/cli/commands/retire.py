"""`dinmo retire`: take the tag off the contacts we tagged, and close the activation."""

from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from dinmo_pipeline.cli.commands.reconcile import as_object
from dinmo_pipeline.cli.destinations import confirm, log_to_person, open_client
from dinmo_pipeline.cli.exit_codes import DONE, FAILED
from dinmo_pipeline.cli.project import (
    declared_project,
    declared_state,
    json_option,
    print_json,
    tell,
)

if TYPE_CHECKING:
    from dinmo_pipeline.config.declarations import Project
    from dinmo_pipeline.state.retire import RetiredTag
    from dinmo_pipeline.sync.operations.retire import Retired


@click.command()
@click.argument("activation", metavar="ACTIVATION")
@click.option("--destination", metavar="KEY", help="Only at this one, which it was moved from.")
@click.option("--keep-tags", is_flag=True, help="Leave the tag on the contacts, for good.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def retire(
    activation: str, *, destination: str | None, keep_tags: bool, yes: bool, as_json: bool
) -> int:
    """Take the tag off all contacts we tagged, also when the activation is declared no longer.

    The tag itself and tags that somebody else put on contacts stay.
    """
    project = declared_project()
    tags = _tags_to_retire(project, activation, destination)
    if not keep_tags:
        _require_declared(project, tags)
    contacts = sum(tag.contacts for tag in tags)
    names = " and ".join(sorted({repr(tag.name) for tag in tags})) or "no tag"
    confirm(
        f"Leave {names} of activation {activation!r} on {contacts:,} contacts, for good?"
        if keep_tags
        else f"Take {names} of activation {activation!r} off {contacts:,} contacts?",
        yes=yes,
    )
    done = _retired(project, activation, tags, only=destination, keep_tags=keep_tags)
    if as_json:
        print_json({activation: as_object(done)})
    else:
        why = "" if keep_tags else " for another activation"
        kept = f", {done.kept:,} keep it{why}" if done.kept else ""
        gone = f", {done.gone:,} were gone" if done.gone else ""
        click.echo(f"{activation}: {done.untagged:,} contacts untagged{gone}{kept}.")
    if done.status == "ok":
        return DONE
    tell(f"{activation}: not retired. {done.reason} Then run this again: it does the rest.")
    return FAILED


def _tags_to_retire(
    project: "Project", activation: str, destination: str | None
) -> "list[RetiredTag]":
    """What the state knows of an activation that may be retired, or of what it left at a destination.

    Raises:
        click.UsageError: it is in use, or unknown.
    """
    from dinmo_pipeline.state.retire import is_known, retired_tags  # noqa: PLC0415  # slow to import

    declared = project.activations.get(activation)
    if declared and declared.enabled and destination in (None, declared.destination):
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
    if destination is None:
        return tags
    chosen = [tag for tag in tags if tag.destination == destination]
    if not chosen:
        known = ", ".join(tag.destination for tag in tags) or "no destination"
        raise click.UsageError(
            f"Activation {activation!r} has no tag at destination {destination!r}, but at {known}."
        )
    return chosen


def _require_declared(project: "Project", tags: "list[RetiredTag]") -> None:
    """Refuse when nobody knows the token of a workspace any more.

    Raises:
        click.ClickException: a workspace is declared no longer.
    """
    for tag in tags:
        if tag.contacts and tag.destination not in project.destinations:
            raise click.ClickException(
                f"{tag.contacts:,} contacts of destination {tag.destination!r} carry the tag"
                f" {tag.name!r}, but that destination is declared no longer. Declare it again until"
                " this is done, or say --keep-tags."
            )


def _retired(
    project: "Project",
    activation: str,
    tags: "list[RetiredTag]",
    *,
    only: str | None,
    keep_tags: bool,
) -> "Retired":
    from dinmo_pipeline.cli.progress import progress_bar  # noqa: PLC0415  # slow to import
    from dinmo_pipeline.state.file.paths import lock_folder  # noqa: PLC0415
    from dinmo_pipeline.sync.operations.retire import retire as retire_activation  # noqa: PLC0415
    from dinmo_pipeline.sync.operations.retire import retired_activation  # noqa: PLC0415
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
            if tag.contacts and not keep_tags
        ]
        return retire_activation(
            state,
            activation,
            sessions,
            lock_folder(project.state.database),
            log=log,
            only=only,
            kept=tags if keep_tags else (),
        )
