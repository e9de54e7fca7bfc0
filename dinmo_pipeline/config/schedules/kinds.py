"""The kinds of values that say when: schedules and time zones."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

from dinmo_pipeline.config.schedules.cron import fault_in_cron
from dinmo_pipeline.config.schedules.phrases import EXAMPLES as PHRASES
from dinmo_pipeline.config.schedules.phrases import PhraseError, cron_of, is_phrase
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


SCHEDULE: Kind[str] = Kind(_schedule, LINE.schema)
"""A schedule in words or cron fields, as a cron expression; or MANUAL."""
SCHEDULE_OR_UPSTREAM: Kind[str] = Kind(
    _schedule_or_upstream,
    {
        "anyOf": [
            LINE.schema,
            {
                "type": "object",
                "additionalProperties": False,
                "required": ["after"],
                "properties": {"after": {"const": "upstream"}},
            },
        ]
    },
)
"""The same, or AFTER_UPSTREAM."""
TIMEZONE: Kind[str] = Kind(_timezone, LINE.schema)
"""The IANA name of a time zone."""
