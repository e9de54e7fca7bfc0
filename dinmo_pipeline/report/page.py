"""The report as one HTML file that needs no network: text, tables, and charts drawn from data in it."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dinmo_pipeline.report.charts import specifications
from dinmo_pipeline.report.content import Audience, Report
from dinmo_pipeline.state.looking.audiences import Overlap
from dinmo_pipeline.state.syncs import match_rate
from dinmo_pipeline.text.legend import LEGEND

_HERE = Path(__file__).parent
# Intercom's documented limit for an app; see docs/reference/intercom.md.
_CALLS_PER_MINUTE = 10_000


class MissingLibraryError(Exception):
    """The libraries of the extra `report` are not installed."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the matrix: how much of an audience each other one has too."""

    tag: str
    cells: tuple[tuple[int, float | None], ...]


def require_libraries() -> None:
    """Check that the extra `report` is installed.

    Raises:
        MissingLibraryError: it is not; the message says how to install it.
    """
    missing = [
        package
        for module, package in (("vl_convert", "vl-convert-python"), ("jinja2", "jinja2"))
        if find_spec(module) is None
    ]
    if missing:
        raise MissingLibraryError(
            f"The report needs {' and '.join(missing)}. Run pip install 'dinmo-pipeline[report]'."
        )


def render(report: Report) -> str:
    """The page; `require_libraries` first."""
    import jinja2  # noqa: PLC0415  # an optional extra
    import vl_convert  # noqa: PLC0415

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {
        "code": _code,
        "number": _number,
        "percent": _percent,
        "moment": _moment,
    }
    environment.globals["words"] = _words
    return environment.get_template("page.html").render(
        report=report,
        style=_text("page.css"),
        script=_text("page.js"),
        # Its stub forgets that the snippet is optional.
        library=vl_convert.javascript_bundle(None).replace(  # type: ignore[arg-type]
            "</script", "<\\/script"
        ),
        data=_data(report),
        matrix=[*_matrix(report.overlap, {each.key: each.tag for each in report.audiences})],
        troubled=[each for each in report.audiences if each.standing.state.needs_a_person],
        legend={
            name: LEGEND[name]
            for name in ("members", "tagged", "entered", "left", "not_in_intercom", "match_rate", "api_calls")
        },
        budgets={each.destination: _budget(each.rate_limit_share) for each in report.calls},
        minutes={
            each.destination: max((calls for _, calls in each.by_period), default=0)
            / _budget(each.rate_limit_share)
            for each in report.calls
        },
    )


def _budget(share: float) -> float:
    """The calls that we may make in a minute."""
    return _CALLS_PER_MINUTE * share


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _data(report: Report) -> str:
    """What the charts are drawn from, as JSON that cannot end its script element."""
    last = report.made_at.date()
    starts = [period.start for each in report.audiences for period in each.periods]
    data = {
        "specifications": specifications(min(starts, default=last), last),
        "audiences": {each.key: _points(each) for each in report.audiences if each.is_charted},
        "calls": {
            each.destination: [{"start": f"{start}", "calls": calls} for start, calls in each.by_period]
            for each in report.calls
        },
    }
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _points(audience: Audience) -> list[dict[str, Any]]:
    """A point for each period; what no sync recorded in it is as it was before."""
    points: list[dict[str, Any]] = []
    members: int | None = None
    tagged: int | None = None
    looked_up: tuple[int, int] | None = None
    for period in audience.periods:
        members = members if period.members is None else period.members
        tagged = tagged if period.tagged is None else period.tagged
        if period.not_in_intercom is not None:
            looked_up = (period.not_in_intercom, period.never_looked_up or 0)
        rate = match_rate(members, *looked_up) if members is not None and looked_up else None
        points.append(
            {
                "start": f"{period.start}",
                "members": members,
                "tagged": tagged,
                "entered": period.entered,
                "left": period.left,
                # The segment may have been read again since Intercom was asked.
                "match_rate": None if rate is None else max(rate, 0.0),
            }
        )
    return points


def _matrix(overlap: Overlap | None, tags: Mapping[str, str]) -> Iterable[Row]:
    if overlap is None:
        return
    for key in overlap.activations:
        size = overlap.shared[key, key]
        in_both = [overlap.shared[key, other] for other in overlap.activations]
        yield Row(
            tags[key],
            tuple(
                (shared, None if other == key or not size else shared / size)
                for other, shared in zip(overlap.activations, in_both, strict=True)
            ),
        )


def _code(text: str) -> Any:
    """Text whose words in backticks are shown as code."""
    from markupsafe import Markup, escape  # noqa: PLC0415  # comes with jinja2

    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  # escaped


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _moment(value: Any) -> str:
    return f"{value:%Y-%m-%d %H:%M} UTC" if value else "-"


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize().replace("intercom", "Intercom").replace("Api", "API")
