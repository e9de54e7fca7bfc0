"""`dinmo segments`: who is in each segment, before any of it is sent."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from dinmo_pipeline.cli.completion import SEGMENT
from dinmo_pipeline.cli.exit_codes import DONE, WRONG_USAGE
from dinmo_pipeline.cli.messages import echo, report
from dinmo_pipeline.cli.project import (
    declared_by_name,
    declared_project,
    json_option,
    open_declared_source,
    print_json,
    refuse_broken,
    state_of,
    with_broken,
)
from dinmo_pipeline.cli.tables import print_table
from dinmo_pipeline.config import render
from dinmo_pipeline.config.declarations import Project, Segment
from dinmo_pipeline.text.wording import counted

if TYPE_CHECKING:
    from dinmo_pipeline.cli.segment_facts import AudienceFacts, RecordedSize, SegmentFacts


@click.command()
@click.argument("name", required=False, type=SEGMENT)
@json_option
def segments(name: str | None, *, as_json: bool) -> int:
    r"""List the segments and their sizes; with NAME, show a masked sample, the SQL and overlaps.

    \b
    Examples:
      dinmo segments
      dinmo segments vip_customers
    """
    project = declared_project()
    if name is None:
        return _list(project, as_json=as_json)
    refuse_broken(project, "segment", [name])
    (segment,) = declared_by_name("segment", [name], project.segments)
    return _show(project, segment, as_json=as_json)


def _list(project: Project, *, as_json: bool) -> int:
    from dinmo_pipeline.cli.segment_facts import SegmentReader  # noqa: PLC0415  # 0.3 s to import

    with open_declared_source(project) as source:
        facts, problems = SegmentReader(project, source, datetime.now(UTC)).list_all()
    if as_json:
        print_json({each.segment: asdict(each) for each in facts})
    else:
        _print_list(facts)
    if problems:
        report(render(problems))
    return with_broken(WRONG_USAGE if problems else DONE, project, "segment")


def _print_list(facts: "list[SegmentFacts]") -> None:
    print_table(
        ("SEGMENT", "NAME", "KIND", "MEMBERS", "BY", "ACTIVATIONS", "DESCRIPTION"),
        [
            (
                *(each.segment, each.name, each.kind, each.members, each.column),
                *(", ".join(each.activations) or None, each.description),
            )
            for each in facts
        ],
        optional=("DESCRIPTION", "KIND", "NAME", "BY", "ACTIVATIONS"),
    )


def _show(project: Project, segment: Segment, *, as_json: bool) -> int:
    from dinmo_pipeline.cli.segment_facts import RecordedSize, SegmentReader, recorded_sizes  # noqa: PLC0415

    with open_declared_source(project) as source:
        reader = SegmentReader(project, source, datetime.now(UTC))
        facts, audience = reader.look_at(segment, report)
    sizes: dict[str, list[RecordedSize]] = {}
    for key in facts.activations:
        sizes |= recorded_sizes(state_of(project, project.activations[key].destination), [key])
    if as_json:
        listed = {key: [asdict(size) for size in each] for key, each in sizes.items()}
        print_json({**asdict(facts), **asdict(audience), "sizes": listed})
    else:
        _print_segment(facts, audience)
        _print_sizes(sizes)
    return DONE


def _print_segment(facts: "SegmentFacts", audience: "AudienceFacts") -> None:
    echo(f"{facts.segment}: {facts.name} ({facts.kind})")
    if facts.description:
        echo(facts.description)
    echo(f"\n{counted(facts.members or 0, 'member')} by {facts.column}")
    if audience.sample:
        echo(f"Sample: {', '.join(audience.sample)}")
    if facts.upstream:
        echo(f"Upstream: {', '.join(facts.upstream)}")
    echo(f"\n{audience.sql}\n")
    if audience.overlap:
        print_table(
            ("OTHER SEGMENT", "MEMBERS", "IN BOTH", "OF THIS", "OF THE OTHER"),
            [
                (
                    *(key, overlap.members, overlap.in_both),
                    *(f"{overlap.share:.1%}", f"{overlap.share_of_other:.1%}"),
                )
                for key, overlap in audience.overlap.items()
            ],
        )
        echo()


def _print_sizes(sizes: "dict[str, list[RecordedSize]]") -> None:
    rows = [
        (key, f"{size.at:%Y-%m-%d %H:%M} UTC", size.members)
        for key, recorded in sizes.items()
        for size in recorded
    ]
    if rows:
        print_table(("ACTIVATION", "AT", "MEMBERS"), rows)
    else:
        echo("No sync has recorded its size yet.")
