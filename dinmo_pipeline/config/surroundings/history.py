"""Reads `history`: how long to keep what is over."""

from datetime import timedelta

from dinmo_pipeline.config.declarations import History
from dinmo_pipeline.config.strict_yaml.kinds import FOREVER, duration_or_forever
from dinmo_pipeline.config.strict_yaml.nodes import Node
from dinmo_pipeline.config.strict_yaml.report import Report, Subject
from dinmo_pipeline.config.strict_yaml.settings import Found, Setting, read_settings

# Shorter than a day would take from under the sensors what they have yet to look at.
_KEPT = duration_or_forever(("days", "weeks", "years"), examples=("14 days", "2 years"))

KEEP_RUNS = Setting(
    "keep_runs",
    _KEPT,
    "How long Dagster keeps finished runs of the pipeline, with their events and logs; the last of each"
    " activation stay.",
    default="14 days",
)
KEEP_SYNCS = Setting(
    "keep_syncs",
    _KEPT,
    "How long the state keeps its log of syncs and of changes: the tables `syncs` and `change_log`.",
    default="forever",
)
KEEP_MEMBERSHIPS = Setting(
    "keep_memberships",
    _KEPT,
    "How long the state keeps who was in a segment once, and how large it was: the tables"
    " `membership_departures` and `membership_sizes`.",
    default="forever",
)
HISTORY_SETTINGS = (KEEP_RUNS, KEEP_SYNCS, KEEP_MEMBERSHIPS)


def read_history(node: Node, report: Report) -> History | None:
    """The `history` of a project."""
    found = read_settings(node, HISTORY_SETTINGS, Subject("history", report))
    if found is None or not found.is_whole:
        return None
    usual = History()
    return History(
        keep_runs=_kept(found, KEEP_RUNS, usual.keep_runs),
        keep_syncs=_kept(found, KEEP_SYNCS, usual.keep_syncs),
        keep_memberships=_kept(found, KEEP_MEMBERSHIPS, usual.keep_memberships),
    )


def _kept(found: Found, setting: Setting[timedelta], usual: timedelta | None) -> timedelta | None:
    kept = found.get(setting)
    if kept is None:
        return usual
    return None if kept == FOREVER else kept
