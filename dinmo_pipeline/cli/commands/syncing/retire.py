"""`dinmo retire`: untag the contacts we tagged, and close the activation."""

from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from dinmo_pipeline.cli.commands.syncing.reconcile import as_object
from dinmo_pipeline.cli.completion import ACTIVATION
from dinmo_pipeline.cli.destinations import open_client
from dinmo_pipeline.cli.exit_codes import DONE, FAILED
from dinmo_pipeline.cli.leases import command_leases
from dinmo_pipeline.cli.messages import confirm, echo, message_log, report
from dinmo_pipeline.cli.project import (
    declared_by_name,
    declared_project,
    declared_states,
    json_option,
    print_json,
    refuse_broken,
    state_of,
)
from dinmo_pipeline.state.file.paths import lock_folder
from dinmo_pipeline.text.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dinmo_pipeline.config.declarations import Activation, Project
    from dinmo_pipeline.state.file.database import StateDatabase
    from dinmo_pipeline.state.retire import RetiredTag
    from dinmo_pipeline.sync.operations.retire import Retired


@click.command()
@click.argument("activation", metavar="ACTIVATION", type=ACTIVATION)
@click.option("--destination", metavar="KEY", help="Only at this destination, which it was moved from.")
@click.option("--hand-over-to", metavar="ACTIVATION", help="Give the tag and its contacts to this one.")
@click.option("--keep-tags", is_flag=True, help="Leave the tag on the contacts permanently.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
def retire(
    activation: str,
    *,
    destination: str | None,
    hand_over_to: str | None,
    keep_tags: bool,
    yes: bool,
    as_json: bool,
) -> int:
    r"""Untag all contacts we tagged, even if the activation is no longer declared.

    The tag itself stays, and so does a tag that somebody else put on a contact.

    \b
    Examples:
      dinmo retire vip_customers
      dinmo retire vip_customers --destination intercom_old
      dinmo retire vip_customers --hand-over-to best_customers
    """
    if hand_over_to and keep_tags:
        raise click.UsageError("--hand-over-to cannot be used with --keep-tags.")
    project = declared_project()
    refuse_broken(project, "activation", [activation, hand_over_to or activation])
    tags = _tags_to_retire(project, activation, destination)
    if hand_over_to:
        (new,) = declared_by_name("activation", [hand_over_to], project.activations)
        return _hand_over(project, activation, new, tags, yes=yes, as_json=as_json)
    if not keep_tags:
        _require_declared(project, tags)
    contacts = sum(tag.contacts for tag in tags)
    others = sum(tag.others for tag in tags)
    names = " and ".join(sorted({repr(tag.name) for tag in tags})) or "no tag"
    if others and not keep_tags:
        keep = "keeps" if others == 1 else "keep"
        report(f"{counted(others, 'contact')} that we did not tag {keep} {names}.")
    confirm(
        f"Leave {names} of activation {activation!r} on {counted(contacts, 'contact')} permanently?"
        if keep_tags
        else f"Remove {names} of activation {activation!r} from {counted(contacts, 'contact')}?",
        yes=yes,
    )
    done = _retire(project, activation, tags, only=destination, keep_tags=keep_tags)
    if as_json:
        print_json({activation: as_object(done)})
    else:
        kept = f", {done.kept:,} kept the tag" if done.kept else ""
        gone = f", {done.gone:,} no longer exist" if done.gone else ""
        echo(f"{activation}: {counted(done.untagged, 'contact')} untagged{gone}{kept}.")
    if done.status == "ok":
        return DONE
    report(f"{activation}: not retired. {done.reason} Then run this again to finish the rest.")
    return FAILED


def _hand_over(
    project: "Project",
    activation: str,
    new: "Activation",
    tags: "list[RetiredTag]",
    *,
    yes: bool,
    as_json: bool,
) -> int:
    """Give the tag of an activation to another, which then owns it.

    Raises:
        click.UsageError: the activation has no tag in the workspace of the new one.
    """
    from dinmo_pipeline.state.tags.owners import tag_owners  # noqa: PLC0415  # 0.1 s to import
    from dinmo_pipeline.sync.operations.retire import hand_over  # noqa: PLC0415

    state = state_of(project, new.destination)
    with state.reading() as connection:
        there = [
            tag
            for tag in tags
            if (activation, tag.destination) in tag_owners(connection, new.destination, tag.tag_id)
        ]
    if not there:
        raise click.UsageError(
            f"Activation {activation!r} has no tag in the workspace of {new.destination!r}, to which"
            f" {new.key!r} is sent."
        )
    tag = there[0]
    question = (
        f"Hand over the tag {tag.name!r} on {counted(tag.contacts, 'contact')} from {activation!r} to"
        f" {new.key!r}?"
    )
    confirm(question, yes=yes)
    with command_leases(project, "retire", [new.destination]) as fence:
        done = hand_over(fence(state), activation, tag, new, lock_folder(project.state), log=message_log())
    if as_json:
        print_json({activation: as_object(done)})
    elif done.status == "ok":
        echo(
            f"{activation}: the tag {tag.name!r} on {counted(tag.contacts, 'contact')} belongs to {new.key!r}"
            f" now. `dinmo plan {new.key}` shows what its next sync will change."
        )
    if done.status == "ok":
        return DONE
    report(f"{activation}: not handed over. {done.reason}")
    return FAILED


def _tags_to_retire(project: "Project", activation: str, destination: str | None) -> "list[RetiredTag]":
    """The tags of an activation, at all destinations or at one.

    Raises:
        click.UsageError: the activation is in use or unknown, or has no tag at the destination.
    """
    from dinmo_pipeline.state.retire import retired_tags  # noqa: PLC0415  # 0.1 s to import

    declared = project.activations.get(activation)
    if declared and declared.enabled and destination in (None, declared.destination):
        raise click.UsageError(
            f"Activation {activation!r} is in use: its next sync would tag everybody again. Remove it"
            " from the declarations or set `enabled: false`, then run this again."
        )
    states = list(_states_of(project, activation))
    tags = []
    for state in states:
        with state.reading() as connection:
            tags += retired_tags(connection, activation)
    if not states:
        raise click.UsageError(f"There is no activation {activation!r}. `dinmo status` lists all.")
    if destination is None:
        return tags
    left_there = [tag for tag in tags if tag.destination == destination]
    if not left_there:
        known = ", ".join(repr(tag.destination) for tag in tags) or "no destination"
        raise click.UsageError(
            f"Activation {activation!r} has no tag at {destination!r}; it has one at {known}."
        )
    return left_there


def _require_declared(project: "Project", tags: "list[RetiredTag]") -> None:
    """Refuse if the token of a workspace is no longer known.

    Raises:
        click.ClickException: a destination is no longer declared.
    """
    for tag in tags:
        if tag.contacts and tag.destination not in project.destinations:
            raise click.ClickException(
                f"The tag {tag.name!r} is on {counted(tag.contacts, 'contact')} of destination"
                f" {tag.destination!r}, which is no longer declared. Declare it until this is done, or use"
                " --keep-tags."
            )


def _retire(
    project: "Project",
    activation: str,
    tags: "list[RetiredTag]",
    *,
    only: str | None,
    keep_tags: bool,
) -> "Retired":
    from dinmo_pipeline.cli.progress import progress_bar  # noqa: PLC0415  # 0.3 s to import
    from dinmo_pipeline.sync.operations.retire import Retired, retired_activation  # noqa: PLC0415
    from dinmo_pipeline.sync.operations.retire import retire as retire_activation  # noqa: PLC0415
    from dinmo_pipeline.sync.session import Session  # noqa: PLC0415

    log = message_log()
    done = Retired(activation)
    with ExitStack() as opened, progress_bar():
        fence = opened.enter_context(command_leases(project, "retire", (tag.destination for tag in tags)))
        for state in map(fence, _states_of(project, activation)):
            there = [tag for tag in tags if project.state.database_of(tag.destination) == state.database]
            sessions = [
                Session(
                    retired_activation(activation, tag.destination, tag.name),
                    state,
                    opened.enter_context(open_client(project, tag.destination)),
                    log,
                )
                for tag in there
                if tag.contacts and not keep_tags
            ]
            if only and not there:
                continue
            done += retire_activation(
                state,
                activation,
                sessions,
                lock_folder(project.state),
                log=log,
                only=only,
                kept=there if keep_tags else (),
            )
    return done


def _states_of(project: "Project", activation: str) -> "Iterator[StateDatabase]":
    """The state files that know an activation."""
    from dinmo_pipeline.state.retire import is_known  # noqa: PLC0415  # 0.1 s to import

    for state in declared_states(project):
        with state.reading() as connection:
            known = is_known(connection, activation)
        if known:
            yield state
