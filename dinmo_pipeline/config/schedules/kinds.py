"""The kinds of values that say when: schedules and time zones."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

from dinmo_pipeline.config.schedules.cron import PATTERN as CRON_PATTERN
from dinmo_pipeline.config.schedules.cron import fault_in_cron
from dinmo_pipeline.config.schedules.phrases import EXAMPLES as PHRASES
from dinmo_pipeline.config.schedules.phrases import PATTERN as PHRASE_PATTERN
from dinmo_pipeline.config.schedules.phrases import PhraseError, cron_of, is_phrase
from dinmo_pipeline.config.strict_yaml.json_schemas import (
    JsonSchema,
    first_of,
    matching,
    needs,
    object_of,
)
from dinmo_pipeline.config.strict_yaml.kinds import LINE, InvalidValueError, Kind
from dinmo_pipeline.config.strict_yaml.nodes import MapNode, Node, Scalar
from dinmo_pipeline.text.wording import shown, suggestion

MANUAL = "manual"
"""The schedule of what runs only when a person or a program asks for it."""
AFTER_UPSTREAM = "after_upstream"
"""The schedule that is declared as `{after: upstream}`."""

_MAX_ZONE_LENGTH = 100
_EXAMPLES = (MANUAL, *PHRASES, '"30 7 * * mon-fri"')
_EXAMPLES_WITH_UPSTREAM = (MANUAL, "{after: upstream}", *_EXAMPLES[1:])


def _schedule(node: Node, allowed: tuple[str, ...] = _EXAMPLES) -> str:
    text = " ".join(LINE.read(node).split())
    if text == MANUAL:
        return text
    if is_phrase(text):
        try:
            return cron_of(text)
        except PhraseError as error:
            hint = suggestion(text, (MANUAL, *PHRASES))
            raise InvalidValueError(str(error), allowed=allowed, hint=hint) from None
    fault = fault_in_cron(text)
    if fault is not None:
        raise InvalidValueError(fault, allowed=allowed)
    return text


def _schedule_or_upstream(node: Node) -> str:
    if not isinstance(node, MapNode):
        return _schedule(node, _EXAMPLES_WITH_UPSTREAM)
    after = node.get("after")
    is_upstream = isinstance(after, Scalar) and after.text == "upstream"
    if not is_upstream or len(node.entries) != 1:
        raise InvalidValueError("must be one of the allowed forms", allowed=_EXAMPLES_WITH_UPSTREAM)
    return AFTER_UPSTREAM


def _timezone(node: Node) -> str:
    text = LINE.read(node)
    try:
        if len(text) > _MAX_ZONE_LENGTH:
            raise ValueError  # noqa: TRY301 - one way out for every wrong name
        ZoneInfo(text).utcoffset(datetime.now(tz=UTC))
    except (ValueError, OSError, LookupError):
        raise InvalidValueError(
            f"is not a time zone: '{shown(text)}'",
            allowed=("UTC", "Europe/Paris", "America/New_York"),
            hint=suggestion(text, available_timezones()),
        ) from None
    return text


SCHEDULE: Kind[str] = Kind(_schedule, {"$ref": "#/$defs/schedule"})
"""A schedule in words or cron fields, as a cron expression; or MANUAL."""
SCHEDULE_OR_UPSTREAM: Kind[str] = Kind(
    _schedule_or_upstream,
    {"$ref": "#/$defs/schedule_or_upstream"},
)
"""The same, or AFTER_UPSTREAM."""
TIMEZONE: Kind[str] = Kind(_timezone, {"$ref": "#/$defs/timezone"})
"""The IANA name of a time zone."""


def schedule_schemas() -> dict[str, JsonSchema]:
    """The definitions that the JSON Schemas of these kinds refer to. Listing time zones takes 0.1 s."""
    after: JsonSchema = {"enum": ["upstream"], "description": "Sync when an upstream asset has materialized."}
    of_upstream = object_of({"after": after}, rules=[needs("after", "Write {after: upstream}.")])
    in_words = _schedule_schema(_EXAMPLES_WITH_UPSTREAM)
    return {
        "schedule": _schedule_schema(_EXAMPLES),
        "schedule_or_upstream": {
            "examples": in_words.pop("examples"),
            **first_of([({"type": "object"}, of_upstream)], in_words),
        },
        "timezone": _timezone_schema(),
    }


def _schedule_schema(examples: tuple[str, ...]) -> JsonSchema:
    return matching(
        rf"^\s*(?:{MANUAL}|{PHRASE_PATTERN}|{CRON_PATTERN})\s*$",
        f"This is not a schedule. Write, for example: {', '.join(examples)}. Cron fields are minute, hour,"
        " day of the month, month, and day of the week.",
        *(example.strip('"') for example in examples if not example.startswith("{")),
    )


def _timezone_schema() -> JsonSchema:
    """The zones of this machine: a pattern and snippets, since editors show all of an `enum` on hover."""
    zones = sorted(available_timezones())
    names = "|".join(zone.replace("+", "[+]") for zone in zones)
    return {
        **matching(
            rf"^\s*(?:{names})\s*$",
            "This is not a time zone of the IANA database, such as UTC, Europe/Paris or America/New_York.",
        ),
        "defaultSnippets": [{"label": zone, "body": zone} for zone in zones],
    }
