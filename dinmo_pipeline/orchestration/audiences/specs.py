"""The asset of each audience, as Dagster shows it before anything has happened."""

import re
import unicodedata
import warnings
from collections.abc import Mapping
from typing import Any

import dagster as dg

from dinmo_pipeline.config.declarations import Activation, Destination, Project, Segment
from dinmo_pipeline.config.schedules.phrases import in_words
from dinmo_pipeline.orchestration.naming import AUDIENCES, INTERCOM_TAGS, names_of
from dinmo_pipeline.orchestration.runs.batch import sentence_about
from dinmo_pipeline.orchestration.sensors.upstream import upstream_keys


def audience_specs(project: Project, tags: dg.AssetSpec, report_url: str | None = None) -> list[dg.AssetSpec]:
    """An asset without computation for each activation, downstream of `tags`, whose owners it has.

    `report_url` is where people find the report of all audiences.

    A project with 1,000 of them would hide everything else of its group, so they have one of their own.
    """
    names, upstream = names_of(project), upstream_keys(project)
    shared: dict[str, Any] = {
        "group_name": names.of(AUDIENCES),
        "owners": tags.owners,
        "kinds": {"intercom"},
    }
    report = {"report": dg.MetadataValue.url(report_url)} if report_url else {}
    usable = [
        dg.AssetSpec(
            names.audience(key),
            deps=[*upstream[key], names.key(INTERCOM_TAGS)],
            description=_description(project, activation),
            metadata={**_metadata(project, activation), **report},
            tags={
                "dinmo/tag": _as_tag_value(activation.name),
                "dinmo/segment": activation.segment,
                "dinmo/destination": activation.destination,
            },
            **shared,
        )
        for key, activation in project.activations.items()
    ]
    broken = [
        dg.AssetSpec(
            names.audience(key),
            deps=[names.key(INTERCOM_TAGS)],
            description=sentence_about(problems),
            **shared,
        )
        for key, problems in project.broken_of("activation").items()
    ]
    return usable + broken


def _as_tag_value(name: str) -> str:
    """A name as the value of a tag of Dagster's, which the catalog searches: at most 63 letters and digits.

    >>> _as_tag_value("VIP: gold & silver"), _as_tag_value("Küche"), _as_tag_value("会员")
    ('VIP-gold-silver', 'Kuche', '')
    """
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_.]+", "-", letters)[:63].strip("-")


def _description(project: Project, activation: Activation) -> str:
    segment = project.segments[activation.segment]
    return "\n\n".join(
        [
            f"{activation.name}: a tag in Intercom, on the users in the segment {segment.name}.",
            *filter(None, dict.fromkeys((segment.description, activation.description))),
        ]
    )


def _metadata(project: Project, activation: Activation) -> Mapping[str, Any]:
    segment = project.segments[activation.segment]
    destination = project.destinations[activation.destination]
    return {
        "tag": activation.name,
        "segment": segment.name,
        "destination": activation.destination,
        "schedule": in_words(activation.schedule) if activation.enabled else "disabled",
        "match_by": activation.match_by,
        "help": dg.MetadataValue.md("`dinmo explain members` explains a word, `dinmo explain` lists all."),
        "contacts": dg.MetadataValue.md(_where_to_look(activation, destination)),
        "dagster/code_references": _declared(activation, segment),
    }


def _where_to_look(activation: Activation, destination: Destination) -> str:
    """Where a person finds the contacts: Intercom documents no address that filters them by a tag."""
    return (
        f"In [Intercom]({destination.app_url}), open Contacts and add the filter *Tag is {activation.name}*."
    )


def _declared(activation: Activation, segment: Segment) -> dg.CodeReferencesMetadataValue:
    """File and line of both declarations."""
    places = {"activation": activation.place, "segment": segment.place}
    with warnings.catch_warnings():
        # Code references are in beta; the UI links nothing else to a line of a file.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.CodeReferencesMetadataValue(
            code_references=[
                dg.LocalFileCodeReference(file_path=place.file, line_number=place.line, label=label)
                for label, place in places.items()
            ]
        )
