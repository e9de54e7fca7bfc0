"""The settings of an activation that a destination can give defaults for, and how they resolve."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from dinmo_pipeline.config.cron import NICKNAMES, fault_in_cron
from dinmo_pipeline.config.declarations import (
    AFTER_UPSTREAM,
    MANUAL,
    Guards,
    MatchBy,
    Reconciliation,
)
from dinmo_pipeline.config.strict_yaml.kinds import (
    BOOLEAN,
    LINE,
    Kind,
    UnfitError,
    any_node,
    one_of,
    share,
)
from dinmo_pipeline.config.strict_yaml.nodes import MapNode, Node, Scalar
from dinmo_pipeline.config.strict_yaml.report import Subject
from dinmo_pipeline.config.strict_yaml.settings import (
    Found,
    Setting,
    read_settings,
    settings_schema,
)
from dinmo_pipeline.text.wording import shown, suggestion

_LONGEST_ZONE = 100
_FOLLOWING = "{after: upstream}"
_CRON = (*NICKNAMES, '"0 * * * *"', '"30 7 * * mon-fri"')
_TIMES = (MANUAL, *_CRON)
_SCHEDULES = (MANUAL, _FOLLOWING, *_CRON)


def _schedule(node: Node) -> str:
    return _after_upstream(node) if isinstance(node, MapNode) else _times(node, _SCHEDULES)


def _times(node: Node, allowed: tuple[str, ...] = _TIMES) -> str:
    text = " ".join(LINE.read(node).split())
    if text == MANUAL:
        return text
    fault = fault_in_cron(text)
    if fault is not None:
        raise UnfitError(fault, allowed=allowed)
    return text


def _after_upstream(node: MapNode) -> str:
    after = node.get("after")
    is_upstream = isinstance(after, Scalar) and after.text == "upstream"
    if not is_upstream or len(node.entries) != 1:
        raise UnfitError("must be one of the allowed forms", allowed=_SCHEDULES)
    return AFTER_UPSTREAM


def _timezone(node: Node) -> str:
    text = LINE.read(node)
    try:
        if len(text) > _LONGEST_ZONE:
            raise ValueError  # noqa: TRY301 - one way out for every wrong name
        ZoneInfo(text).utcoffset(datetime.now(tz=UTC))
    except (ValueError, OSError, LookupError):
        hint = suggestion(text, available_timezones())
        message = f"is no time zone: '{shown(text)}'"
        raise UnfitError(
            message, allowed=("UTC", "Europe/Paris", "America/New_York"), hint=hint
        ) from None
    return text


_TEXT = {"type": "string", "pattern": r"\S"}
TIMES: Kind[str] = Kind(_times, _TEXT)
SCHEDULE: Kind[str] = Kind(
    _schedule,
    {
        "anyOf": [
            _TEXT,
            {
                "type": "object",
                "additionalProperties": False,
                "required": ["after"],
                "properties": {"after": {"const": "upstream"}},
            },
        ]
    },
)
TIMEZONE: Kind[str] = Kind(_timezone, _TEXT)

_BUILT_IN = Guards()
MAX_REMOVED_SHARE = Setting(
    "max_removed_share",
    share(),
    "Hold the changes when more than this share of the tagged contacts would lose the tag.",
    default=_BUILT_IN.max_removed_share,
)
MAX_UNIDENTIFIED_SHARE = Setting(
    "max_unidentified_share",
    share(),
    "Hold the changes when more than this share of the tagged contacts would lose the tag because rows of"
    " the segment lost their identifier, or its type changed.",
    default=_BUILT_IN.max_unidentified_share,
)
MAX_FAILED_SHARE = Setting(
    "max_failed_share",
    share(),
    "A sync has failed when more than this share of its changes failed.",
    default=_BUILT_IN.max_failed_share,
)
GUARD_SETTINGS = (MAX_REMOVED_SHARE, MAX_UNIDENTIFIED_SHARE, MAX_FAILED_SHARE)

RECONCILE_SCHEDULE = Setting(
    "schedule",
    TIMES,
    "A cron expression of five fields, or manual.",
    default=Reconciliation().schedule,
)
RECONCILE_REPAIR = Setting(
    "repair",
    BOOLEAN,
    "Mend what differs; else the check `drift` tells it.",
    default=Reconciliation().repair,
)
RECONCILE_SETTINGS = (RECONCILE_SCHEDULE, RECONCILE_REPAIR)

MATCH_BY = Setting(
    "match_by",
    one_of("email", "user_id"),
    "Which identifier finds the user in Intercom.",
    default="email",
)
COLUMN = Setting(
    "column",
    LINE,
    "The segment's column with that identifier. Default: email; by user_id the model's key, else user_id.",
)
SCHEDULE_SETTING = Setting(
    "schedule",
    SCHEDULE,
    "A cron expression of five fields, manual, or {after: upstream}: when upstream assets materialize.",
    default=MANUAL,
)
TIMEZONE_SETTING = Setting(
    "timezone",
    TIMEZONE,
    "The time zone of the schedule and of the days in conditions.",
    default="UTC",
)
ENABLED = Setting(
    "enabled", BOOLEAN, "false stops schedule and sensor, and keeps the tags.", default=True
)
ON_MULTIPLE_USERS = Setting(
    "on_multiple_users",
    one_of("all", "skip"),
    "When several users have one identifier: tag all of them, or none.",
    default="all",
)
GUARDS = Setting(
    "guards", any_node(settings_schema(GUARD_SETTINGS)), "When to stop and ask a person."
)
RECONCILE = Setting(
    "reconcile",
    any_node(settings_schema(RECONCILE_SETTINGS)),
    "When to compare with who carries the tag in Intercom.",
)

DEFAULTABLE_SETTINGS: tuple[Setting[Any], ...] = (
    MATCH_BY,
    COLUMN,
    SCHEDULE_SETTING,
    TIMEZONE_SETTING,
    ENABLED,
    ON_MULTIPLE_USERS,
    GUARDS,
    RECONCILE,
)


@dataclass(frozen=True, slots=True)
class ActivationSettings:
    """What one place says about an activation; None where it says nothing."""

    match_by: MatchBy | None = None
    column: str | None = None
    schedule: str | None = None
    timezone: str | None = None
    enabled: bool | None = None
    on_multiple_users: Any = None
    max_removed_share: float | None = None
    max_unidentified_share: float | None = None
    max_failed_share: float | None = None
    reconcile_schedule: str | None = None
    reconcile_repair: bool | None = None

    def over(self, other: "ActivationSettings") -> "ActivationSettings":
        """These settings, and the other's where these say nothing."""
        return ActivationSettings(
            *(_first(getattr(self, each.name), getattr(other, each.name)) for each in fields(self))
        )


BUILT_IN = ActivationSettings(
    match_by="email",
    column=None,  # depends on match_by and on the segment
    schedule=MANUAL,
    timezone="UTC",
    enabled=True,
    on_multiple_users="all",
    max_removed_share=_BUILT_IN.max_removed_share,
    max_unidentified_share=_BUILT_IN.max_unidentified_share,
    max_failed_share=_BUILT_IN.max_failed_share,
    reconcile_schedule=Reconciliation().schedule,
    reconcile_repair=Reconciliation().repair,
)


def _first(own: Any, other: Any) -> Any:
    return other if own is None else own


def activation_settings(found: Found, subject: Subject) -> ActivationSettings | None:
    """The settings among those found; None after a problem in `guards` or `reconcile`."""
    guards = _part(found, GUARDS, GUARD_SETTINGS, subject)
    reconcile = _part(found, RECONCILE, RECONCILE_SETTINGS, subject)
    if guards is None or reconcile is None:
        return None
    return ActivationSettings(
        match_by=found.get(MATCH_BY),
        column=found.get(COLUMN),
        schedule=found.get(SCHEDULE_SETTING),
        timezone=found.get(TIMEZONE_SETTING),
        enabled=found.get(ENABLED),
        on_multiple_users=found.get(ON_MULTIPLE_USERS),
        max_removed_share=guards.get(MAX_REMOVED_SHARE),
        max_unidentified_share=guards.get(MAX_UNIDENTIFIED_SHARE),
        max_failed_share=guards.get(MAX_FAILED_SHARE),
        reconcile_schedule=reconcile.get(RECONCILE_SCHEDULE),
        reconcile_repair=reconcile.get(RECONCILE_REPAIR),
    )


def _part(
    found: Found, part: Setting[Any], settings: Sequence[Setting[Any]], subject: Subject
) -> Found | None:
    """What an object in the settings says: nothing when it is not there; None after a problem in it."""
    node = found.node(part)
    if node is None:
        return Found({})
    read = read_settings(node, settings, subject.part(part.key))
    return read if read is not None and read.is_whole else None
