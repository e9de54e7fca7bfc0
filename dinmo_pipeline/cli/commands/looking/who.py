"""`dinmo who`: one person in every activation, from the state alone."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from dinmo_pipeline.cli.exit_codes import DONE, FAILED
from dinmo_pipeline.cli.messages import echo, report
from dinmo_pipeline.cli.project import declared_project, declared_states, json_option, print_json
from dinmo_pipeline.cli.tables import print_table
from dinmo_pipeline.text.masking import mask_identifier
from dinmo_pipeline.text.wording import counted

if TYPE_CHECKING:
    from dinmo_pipeline.config.declarations import Project
    from dinmo_pipeline.state.looking.person import Known, Presence

_NOT_FOUND = (
    "Not found: no segment has had this email or user id at any reading, and no user of Intercom with it is"
    " known. A user id must be spelled exactly as in the warehouse."
)


@click.command()
@click.argument("identifier", metavar="IDENTIFIER")
@click.option("--show", is_flag=True, help="Show emails and ids in full; otherwise they are masked.")
@json_option
def who(identifier: str, *, show: bool, as_json: bool) -> int:
    r"""Show a person, by email or user id: which segments they are in, since when, their tags, and why not.

    It is as of the last reading of each segment; neither the warehouse nor Intercom is asked. A person whom
    the state does not know is reported as not found, with exit code 1.

    \b
    Examples:
      dinmo who ana@example.com
      dinmo who C000421 --show --json
    """
    from dinmo_pipeline.state.looking.person import NOBODY, look_up_person  # noqa: PLC0415  # slow: imports DuckDB

    project = declared_project()
    known = NOBODY
    for state in declared_states(project):
        with state.reading() as connection:
            known = known.and_also(look_up_person(connection, identifier))
    shown = _as_object(known, identifier, show=show)
    if as_json:
        print_json(shown)
    elif known.is_known:
        _print(known, shown, project)
    if not known.is_known:
        report(_NOT_FOUND)
        return FAILED
    return DONE


def _as_object(known: "Known", given: str, *, show: bool) -> dict[str, Any]:
    """What `--json` prints."""
    # A user id was looked up as an email as well, in lower case; that is no name of the person.
    tried = given.strip().lower()
    others = {tried} - {given} if "@" not in tried else set[str]()

    def seen(text: str) -> str:
        return text if show else mask_identifier(text)

    return {
        "found": known.is_known,
        "identifiers": [seen(each) for each in known.person.identifiers if each not in others],
        "contacts": [
            {"destination": destination, "contact_id": seen(contact_id)}
            for destination, contact_id in known.person.contacts
        ],
        "activations": {each.activation: _presence(each) for each in known.presences},
    }


def _presence(presence: "Presence") -> dict[str, Any]:
    from dinmo_pipeline.sync.whereabouts import why  # noqa: PLC0415  # slow: imports DuckDB

    return {**asdict(presence), "why": why(presence)}


def _print(known: "Known", shown: dict[str, Any], project: "Project") -> None:
    named = ", ".join(shown["identifiers"])
    there = ", ".join(f"{each['contact_id']} at {each['destination']}" for each in shown["contacts"])
    echo(f"{named}: {f'in Intercom as {there}' if there else 'not known to be in Intercom'}.")
    if known.presences:
        print_table(
            ("ACTIVATION", "IN SEGMENT SINCE", "TAGGED SINCE", "TAG", "WHY"),
            [
                (
                    *(each.activation, _since(each), _moment(each.tagged_since)),
                    *(each.tag, shown["activations"][each.activation]["why"] or None),
                )
                for each in known.presences
            ],
            optional=("TAG",),
        )
    others = [key for key in project.activations if key not in shown["activations"]]
    if others:
        echo(f"Never in the segment of {counted(len(others), 'other activation')}.")


def _since(presence: "Presence") -> str | None:
    if presence.in_since:
        return _moment(presence.in_since)
    return f"left {_moment(presence.left_at)}" if presence.left_at else None


def _moment(value: Any) -> str | None:
    return f"{value:%Y-%m-%d %H:%M}" if value else None
