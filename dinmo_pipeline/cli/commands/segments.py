"""`dinmo segments`: who is in each segment, and what to look at before sending one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from dinmo_pipeline.cli.exit_codes import DONE, WRONG_USAGE
from dinmo_pipeline.cli.project import (
    declared_project,
    declared_state,
    json_option,
    open_declared_source,
    print_json,
    tell,
    unknown_name,
)
from dinmo_pipeline.cli.tables import print_table
from dinmo_pipeline.config import render
from dinmo_pipeline.config.declarations import Project, Segment
from dinmo_pipeline.config.lineage import upstream_of
from dinmo_pipeline.text.masking import mask_identifier

if TYPE_CHECKING:
    from dinmo_pipeline.segments import OpenSource
    from dinmo_pipeline.segments.audience import Audience, MemberColumn

_IN_SAMPLE = 5
_SIZES_SHOWN = 10


@click.command()
@click.argument("name", required=False)
@json_option
def segments(name: str | None, *, as_json: bool) -> int:
    """List the segments with their sizes; of one, show a masked sample, its SQL and overlaps."""
    project = declared_project()
    if name is None:
        return _list(project, as_json=as_json)
    segment = _named(project, name)
    now = datetime.now(UTC)
    with open_declared_source(project) as source:
        found = {**_declared(project, segment), **_Look(project, segment, source, now).result()}
    found["sizes"] = _sizes_over_time(project, found["activations"])
    if as_json:
        print_json(found)
    else:
        _print(found)
    return DONE


def _named(project: Project, name: str) -> Segment:
    if name not in project.segments:
        raise unknown_name("segment", name, project.segments)
    return project.segments[name]


def _declared(project: Project, segment: Segment) -> dict[str, Any]:
    """What the declarations say of a segment."""
    kind = "sql" if segment.sql is not None else "table" if segment.table is not None else "where"
    return {
        "segment": segment.key,
        "name": segment.name,
        "description": segment.description,
        "kind": kind,
        "activations": [
            activation.key
            for activation in project.activations.values()
            if activation.segment == segment.key
        ],
        "upstream": upstream_of(segment.key, project.segments, project.models),
    }


def _list(project: Project, *, as_json: bool) -> int:
    from dinmo_pipeline.segments import SegmentError  # noqa: PLC0415  # slow to import
    from dinmo_pipeline.segments.audience import audience_of, member_column, size_of  # noqa: PLC0415

    rows: dict[str, dict[str, Any]] = {}
    problems: list[str] = []
    now = datetime.now(UTC)
    with open_declared_source(project) as source:
        for segment in project.segments.values():
            by = member_column(project, segment, source)
            members: int | None = None
            try:
                members = size_of(audience_of(project, segment.key, by, source, now=now), source)
            except SegmentError as error:
                problems.append(render(error.problems))
            rows[segment.key] = {
                **_declared(project, segment),
                "column": by.column,
                "members": members,
            }
    if as_json:
        print_json(rows)
    else:
        _print_list(rows)
    for problem in problems:
        click.echo(problem, err=True)
    return WRONG_USAGE if problems else DONE


def _print_list(rows: dict[str, dict[str, Any]]) -> None:
    print_table(
        ("SEGMENT", "NAME", "KIND", "MEMBERS", "BY", "ACTIVATIONS", "DESCRIPTION"),
        [
            (
                key,
                row["name"],
                row["kind"],
                row["members"],
                row["column"],
                ", ".join(row["activations"]) or None,
                row["description"],
            )
            for key, row in rows.items()
        ],
    )


@dataclass(frozen=True, slots=True)
class _Look:
    """A segment, and the open source that is asked about it at one moment."""

    project: Project
    segment: Segment
    source: "OpenSource"
    now: datetime

    def result(self) -> dict[str, Any]:
        """What the source says of the segment."""
        from dinmo_pipeline.segments.audience import (  # noqa: PLC0415  # slow to import
            member_column,
            sample_of,
            size_of,
        )

        by = member_column(self.project, self.segment, self.source)
        audience = self._audience(self.segment.key, by)
        members = size_of(audience, self.source)
        sample = sample_of(audience, self.source, limit=_IN_SAMPLE)
        return {
            "column": by.column,
            "match_by": by.match_by,
            "members": members,
            "sample": [mask_identifier(each) for each in sample],
            "sql": audience.readable_sql,
            "overlap": self._overlaps(audience, by, members),
        }

    def _audience(self, segment: str, by: "MemberColumn") -> "Audience":
        from dinmo_pipeline.segments.audience import audience_of  # noqa: PLC0415  # slow to import

        return audience_of(self.project, segment, by, self.source, now=self.now)

    def _overlaps(
        self, audience: "Audience", by: "MemberColumn", members: int
    ) -> dict[str, dict[str, Any]]:
        """What each other segment of the same identifier shares with this one."""
        from dinmo_pipeline.segments.audience import overlaps_of  # noqa: PLC0415  # slow to import

        others = dict(self._others(by))
        found = overlaps_of(audience, list(others.values()), self.source)
        return {
            key: {
                "in_both": overlap.in_both,
                "share": _share(overlap.in_both, members),
                "members": overlap.members,
                "share_of_other": _share(overlap.in_both, overlap.members),
            }
            for key, overlap in zip(others, found, strict=True)
        }

    def _others(self, by: "MemberColumn") -> "Iterator[tuple[str, Audience]]":
        """The other segments: by their own column of that kind where one is used, else by the same."""
        from dinmo_pipeline.segments import SegmentError  # noqa: PLC0415  # slow to import
        from dinmo_pipeline.segments.audience import MemberColumn  # noqa: PLC0415

        for other in self.project.segments.values():
            own = [
                MemberColumn(activation.column, activation.match_by, activation.timezone)
                for activation in self.project.activations.values()
                if activation.segment == other.key and activation.match_by == by.match_by
            ]
            if other.key == self.segment.key:
                continue
            try:
                yield other.key, self._audience(other.key, own[0] if own else by)
            except SegmentError:
                tell(
                    f"{other.key}: no overlap is told; it has no such column, or does not compile."
                )


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


def _sizes_over_time(project: Project, activations: list[str]) -> dict[str, list[dict[str, Any]]]:
    """The last sizes of each activation's membership, oldest first, from the state."""
    from dinmo_pipeline.state.membership import earlier_sizes  # noqa: PLC0415  # slow to import

    found = {}
    with declared_state(project).reading() as connection:
        for key in activations:
            newest = earlier_sizes(connection, key, limit=_SIZES_SHOWN)
            found[key] = [{"at": at, "members": members} for at, members in reversed(newest)]
    return found


def _print(found: dict[str, Any]) -> None:
    click.echo(f"{found['segment']}: {found['name']} ({found['kind']})")
    if found["description"]:
        click.echo(found["description"])
    click.echo(f"\n{found['members']:,} members by {found['column']}")
    if found["sample"]:
        click.echo(f"Among them: {', '.join(found['sample'])}")
    if found["upstream"]:
        click.echo(f"Upstream: {', '.join(found['upstream'])}")
    click.echo(f"\n{found['sql']}\n")
    if found["overlap"]:
        print_table(
            ("OTHER SEGMENT", "MEMBERS", "IN BOTH", "OF THIS", "OF THE OTHER"),
            [
                (
                    *(key, row["members"], row["in_both"]),
                    *(f"{row['share']:.1%}", f"{row['share_of_other']:.1%}"),
                )
                for key, row in found["overlap"].items()
            ],
        )
        click.echo()
    _print_sizes(found["sizes"])


def _print_sizes(sizes: dict[str, list[dict[str, Any]]]) -> None:
    listed = [(key, row) for key, rows in sizes.items() for row in rows]
    if not listed:
        click.echo("No sync has recorded its size yet.")
        return
    print_table(
        ("ACTIVATION", "AT", "MEMBERS"),
        [(key, f"{row['at']:%Y-%m-%d %H:%M} UTC", row["members"]) for key, row in listed],
    )
