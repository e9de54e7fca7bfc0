"""The charts of the report in Vega-Lite: a specification of each kind, drawn with an audience's data.

Colours are the page's CSS variables, so that light, dark and print need no second drawing.
"""

from datetime import date, timedelta
from typing import Any

# Fewer would stretch a single day over the whole chart.
_MIN_DAYS = 14
_TIME = {
    "field": "start",
    "type": "temporal",
    "title": None,
    "axis": {"grid": False, "tickCount": 5, "labelOverlap": True, "format": "%b %d"},
}
_NUMBER = {"type": "quantitative", "title": None}
# Points, so that a single day shows.
_LINE = {"type": "line", "point": {"size": 24}, "strokeWidth": 2}
CONFIG: dict[str, Any] = {
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "view": {"stroke": "transparent"},
    "axis": {
        "labelColor": "var(--quiet)",
        "domainColor": "var(--line)",
        "gridColor": "var(--line)",
        "tickColor": "var(--line)",
        "labelFontSize": 12,
    },
    "legend": {"labelColor": "var(--ink)", "title": None, "orient": "top", "labelFontSize": 12},
}


def _chart(height: int, **parts: Any) -> dict[str, Any]:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": "container",
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "config": CONFIG,
        **parts,
    }


def _series(*names: str) -> dict[str, Any]:
    """The colours of some series, always in the same order."""
    colours = [f"var(--series-{place})" for place in range(1, len(names) + 1)]
    return {"field": "series", "type": "nominal", "scale": {"domain": list(names), "range": colours}}


def _tooltip(*fields: str) -> list[dict[str, Any]]:
    day = {"field": "start", "type": "temporal", "title": "Day", "format": "%Y-%m-%d"}
    return [day, *({"field": field, "title": field.capitalize()} for field in fields)]


SIZE = _chart(
    180,
    transform=[
        {"fold": ["members", "tagged"], "as": ["series", "people"]},
        {"filter": "isValid(datum.people)"},
    ],
    mark=_LINE,
    encoding={
        "x": _TIME,
        "y": {"field": "people", **_NUMBER, "axis": {"tickMinStep": 1, "format": "~s"}},
        "color": _series("members", "tagged"),
        "tooltip": _tooltip("series", "people"),
    },
)
"""Members and tagged contacts over time."""

MOVES = _chart(
    140,
    transform=[
        {"calculate": "-datum.left", "as": "gone"},
        {"fold": ["entered", "gone"], "as": ["change", "people"]},
        {"calculate": "datum.change === 'gone' ? 'left' : 'entered'", "as": "series"},
    ],
    mark={"type": "bar", "width": {"band": 0.8}},
    encoding={
        "x": {**_TIME, "timeUnit": "utcyearmonthdate"},
        "y": {"field": "people", **_NUMBER, "axis": {"tickMinStep": 1, "format": "~s"}},
        "color": _series("entered", "left"),
        "tooltip": _tooltip("entered", "left"),
    },
)
"""Who entered, above the line, and who left, below it."""

MATCH_RATE = _chart(
    110,
    transform=[{"filter": "isValid(datum.match_rate)"}],
    mark=_LINE,
    encoding={
        "color": {"value": "var(--series-1)"},
        "x": _TIME,
        "y": {
            "field": "match_rate",
            **_NUMBER,
            "axis": {"format": ".0%", "values": [0, 0.5, 1]},
            "scale": {"domain": [0, 1]},
        },
        "tooltip": [*_tooltip(), {"field": "match_rate", "title": "Match rate", "format": ".0%"}],
    },
)
"""The share of members found in Intercom."""

CALLS = _chart(
    140,
    mark={"type": "bar", "width": {"band": 0.8}, "color": "var(--series-1)"},
    encoding={
        "x": {**_TIME, "timeUnit": "utcyearmonthdate"},
        "y": {"field": "calls", **_NUMBER, "axis": {"tickMinStep": 1, "format": "~s"}},
        "tooltip": _tooltip("calls"),
    },
)
"""Calls to Intercom."""

_SPECIFICATIONS = {"size": SIZE, "moves": MOVES, "match_rate": MATCH_RATE, "calls": CALLS}


def specifications(first: date, last: date) -> dict[str, dict[str, Any]]:
    """The charts by their name, all of them over the same days."""
    first = min(first, last - timedelta(days=_MIN_DAYS - 1))
    scale = {"type": "utc", "domain": [_as_moment(first), _as_moment(last + timedelta(days=1))]}
    return {
        name: {**chart, "encoding": {**chart["encoding"], "x": {**chart["encoding"]["x"], "scale": scale}}}
        for name, chart in _SPECIFICATIONS.items()
    }


def _as_moment(day: date) -> dict[str, Any]:
    return {"year": day.year, "month": day.month, "date": day.day, "utc": True}
