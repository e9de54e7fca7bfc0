"""Reads `alerts`: where alert messages go, for all destinations and for one."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dinmo_pipeline.config.declarations import Alerts, Email
from dinmo_pipeline.config.strict_yaml.declared_fields import Values, layered
from dinmo_pipeline.config.strict_yaml.json_schemas import matching
from dinmo_pipeline.config.strict_yaml.kinds import (
    LINE,
    InvalidValueError,
    Kind,
    any_node,
    expect_number,
    list_of,
    one_of,
)
from dinmo_pipeline.config.strict_yaml.nodes import Node
from dinmo_pipeline.config.strict_yaml.report import Report, Subject
from dinmo_pipeline.config.strict_yaml.settings import Found, Setting, read_settings, settings_schema
from dinmo_pipeline.config.surroundings.secrets import environment_variable

_ADDRESS = r"[^\s@<>()\[\]\\,;:\"]+@[^\s@<>()\[\]\\,;:\"]+"
_URL = r"https?://[^\s/?#@]+(?:/[^\s?#@]*)?"
_MAX_PORT = 65_535
_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_NEEDED = ("host", "from", "to")


def _pattern(pattern: str, message: str, *examples: str) -> Kind[str]:
    def read(node: Node) -> str:
        text = LINE.read(node)
        if not re.fullmatch(pattern, text):
            raise InvalidValueError(message, allowed=examples)
        return text

    return Kind(read, matching(rf"^\s*(?:{pattern})\s*$", f"This {message}.", *examples))


def _port(node: Node) -> int:
    number = expect_number(node)
    if not isinstance(number, int) or not 1 <= number <= _MAX_PORT:
        raise InvalidValueError(f"must be a whole number from 1 to {_MAX_PORT}")
    return number


_PORT = Kind(
    _port,
    {
        "type": "integer",
        "minimum": 1,
        "maximum": _MAX_PORT,
        "errorMessage": f"This must be a whole number from 1 to {_MAX_PORT}.",
    },
)
_EMAIL_ADDRESS = _pattern(_ADDRESS, "must be an email address", "crm@example.com")

HOST = Setting("host", LINE, "The SMTP server.")
PORT = Setting("port", _PORT, "Its port.", default_doc="587 with `starttls`, 465 with `tls`, 25 with `none`")
SECURITY = Setting(
    "security",
    one_of(*_PORTS),
    "How the connection is encrypted: `starttls` after it is open, `tls` from the start, or `none`.",
    default="starttls",
)
USER = Setting("user", LINE, "The user to log in as.", default_doc="none: no login")
PASSWORD = Setting(
    "password",
    environment_variable("SMTP_PASSWORD"),
    "The environment variable that holds the user's password.",
)
SENDER = Setting("from", _EMAIL_ADDRESS, "The address that messages come from.")
RECIPIENTS = Setting("to", list_of(_EMAIL_ADDRESS), "The addresses that messages go to.")
EMAIL_SETTINGS: tuple[Setting[Any], ...] = (HOST, PORT, SECURITY, USER, PASSWORD, SENDER, RECIPIENTS)

WEBHOOK = Setting(
    "webhook",
    environment_variable("ALERTS_WEBHOOK"),
    "The environment variable that holds the URL of an incoming webhook.",
)
EMAIL = Setting(
    "email",
    any_node(settings_schema(EMAIL_SETTINGS)),
    "Messages by email, through an SMTP server: `host`, `from` and `to` at least.",
)
DAGSTER_URL = Setting(
    "dagster_url",
    _pattern(_URL, "must be an http or https address without user or query", "https://dagster.example.com"),
    "The address at which people open the Dagster UI: messages then link to the run.",
)
HEARTBEAT = Setting(
    "heartbeat",
    environment_variable("ALERTS_HEARTBEAT"),
    "The environment variable that holds a URL to call every minute while Dagster's daemon runs. A service"
    " that expects the calls reports when they stop.",
)
DESTINATION_ALERTS_SETTINGS: tuple[Setting[Any], ...] = (WEBHOOK, EMAIL, DAGSTER_URL)
ALERTS_SETTINGS: tuple[Setting[Any], ...] = (*DESTINATION_ALERTS_SETTINGS, HEARTBEAT)
ALERTS_OF_A_DESTINATION = Setting(
    "alerts",
    any_node(settings_schema(DESTINATION_ALERTS_SETTINGS)),
    "Where messages about this destination's activations go. What it leaves out is as in the general"
    " `alerts`.",
)


@dataclass(frozen=True, slots=True)
class GeneralAlerts:
    """The alerts of all destinations, and the settings that those of one destination take from them."""

    alerts: Alerts | None = None
    values: Values = field(default_factory=dict)


def read_alerts(node: Node | None, report: Report) -> GeneralAlerts:
    """The general `alerts` of a project."""
    subject = Subject("alerts", report)
    values = _read(node, ALERTS_SETTINGS, subject) if node else None
    if node is None or values is None:
        return GeneralAlerts()
    return GeneralAlerts(_alerts(values, node, subject), values)


def read_own_alerts(node: Node, general: GeneralAlerts, subject: Subject) -> Alerts | None:
    """The `alerts` of a destination, over the general ones; None after a problem."""
    own = _read(node, DESTINATION_ALERTS_SETTINGS, subject)
    return None if own is None else _alerts(layered(own, general.values), node, subject)


def refuse_without_channel(
    general: GeneralAlerts, own: Iterable[Alerts | None], node: Node | None, report: Report
) -> None:
    """Report general alerts that say of no destination where its messages go."""
    alerts = general.alerts
    if not node or not alerts or alerts.heartbeat or any(each.has_channel for each in own if each):
        return
    if not alerts.has_channel:
        hint = "For example: alerts: {webhook: {env: ALERTS_WEBHOOK}}"
        Subject("alerts", report).problem(node, "`webhook` or `email` is missing.", hint=hint)


def _read(node: Node, settings: tuple[Setting[Any], ...], subject: Subject) -> Values | None:
    found = read_settings(node, settings, subject, holds_secret=True)
    if found is None:
        return None
    values = _values(found, settings)
    email = found.node(EMAIL)
    if email is not None:
        inner = read_settings(email, EMAIL_SETTINGS, subject.part(EMAIL.key), holds_secret=True)
        if inner is None or not inner.is_whole:
            return None
        values[EMAIL.key] = _values(inner, EMAIL_SETTINGS)
    return values if found.is_whole else None


def _values(found: Found, settings: tuple[Setting[Any], ...]) -> dict[str, Any]:
    return {each.key: value for each in settings if (value := found.get(each)) is not None}


def _alerts(values: Values, node: Node, subject: Subject) -> Alerts | None:
    email = values.get(EMAIL.key)
    if email is not None and not _is_sound(email, node, subject.part(EMAIL.key)):
        return None
    return Alerts(
        webhook=values.get(WEBHOOK.key),
        email=_email(email) if email is not None else None,
        dagster_url=values.get(DAGSTER_URL.key, "").rstrip("/") or None,
        heartbeat=values.get(HEARTBEAT.key),
    )


def _is_sound(email: Mapping[str, Any], node: Node, subject: Subject) -> bool:
    problems = [
        f"`{key}` is missing, without which nothing can be sent." for key in _NEEDED if not email.get(key)
    ]
    if (USER.key in email) != (PASSWORD.key in email):
        problems.append("`user` and `password` go together: set both, or neither.")
    elif USER.key in email and email.get(SECURITY.key) == "none" and email.get(HOST.key) not in _LOOPBACK:
        problems.append("With `security: none` the password would be sent in clear text.")
    for problem in problems:
        subject.problem(node, problem)
    return not problems


def _email(values: Mapping[str, Any]) -> Email:
    security = values.get(SECURITY.key, SECURITY.default)
    return Email(
        host=values[HOST.key],
        port=values.get(PORT.key, _PORTS[security]),
        security=security,
        sender=values[SENDER.key],
        recipients=tuple(dict.fromkeys(values[RECIPIENTS.key])),
        user=values.get(USER.key),
        password=values.get(PASSWORD.key),
    )
