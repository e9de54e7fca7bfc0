"""Reads `destinations`: Intercom workspaces."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from dinmo_pipeline.config.declarations import Activation, Destination
from dinmo_pipeline.config.strict_yaml.declared_fields import Values, read_values, settings_of
from dinmo_pipeline.config.strict_yaml.json_schemas import first_of, matching
from dinmo_pipeline.config.strict_yaml.kinds import (
    LINE,
    InvalidValueError,
    Kind,
    any_node,
    one_of,
    share,
)
from dinmo_pipeline.config.strict_yaml.nodes import Node, Scalar, kind_of
from dinmo_pipeline.config.strict_yaml.report import Subject
from dinmo_pipeline.config.strict_yaml.settings import Setting, read_settings, settings_schema
from dinmo_pipeline.config.surroundings.alerts import (
    ALERTS_OF_A_DESTINATION,
    GeneralAlerts,
    read_own_alerts,
)
from dinmo_pipeline.config.surroundings.secrets import environment_variable

DEFAULT_API_VERSION = "2.16"
DEFAULT_RATE_LIMIT_SHARE = 0.8
_OLDEST_API_VERSION = (2, 13)
_VERSION = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def _base_url(node: Node) -> str:
    text = LINE.read(node)
    example = ("https://api.intercom.io", "http://127.0.0.1:8055")
    try:
        parts = urlsplit(text)
        is_sound = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_sound = False
        parts = urlsplit("")
    if not is_sound or parts.scheme not in {"http", "https"} or re.search(r"\s", text):
        raise InvalidValueError("must be an http or https address", allowed=example)
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise InvalidValueError(
            "must be a plain address without user, password, query or fragment", allowed=example
        )
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        hint = "Otherwise the access token would be sent in clear text."
        raise InvalidValueError("must use https, except for this machine", allowed=example, hint=hint)
    return text.rstrip("/")


def _api_version(node: Node) -> str:
    # 2.16 without quotes is a number to YAML; as written it is the version.
    if not isinstance(node, Scalar) or node.kind not in {"text", "float", "int"}:
        raise InvalidValueError(f"must be a version such as {DEFAULT_API_VERSION}, not {kind_of(node)}")
    match = _VERSION.fullmatch(node.text.strip())
    if match is None:
        raise InvalidValueError(f"must be a version such as {DEFAULT_API_VERSION}")
    if (int(match[1]), int(match[2])) < _OLDEST_API_VERSION:
        raise InvalidValueError("must be 2.13 or later; earlier versions lack what the pipeline needs")
    return match[0]


BASE_URL: Kind[str] = Kind(
    _base_url,
    matching(
        r"^\s*(?:https://[^\s/?#@:]|http://(?:localhost|127\.0\.0\.1|\[::1\])(?=[:/]|\s*$))[^\s?#@]*\s*$",
        "This must be a plain https address, without user or query; http is for this machine only.",
        "https://api.intercom.io",
        "http://127.0.0.1:8055",
    ),
)
API_VERSION: Kind[str] = Kind(
    _api_version,
    first_of(
        # Without quotes it is a number, and 2.9 is greater than 2.16.
        [({"type": "number"}, {"minimum": 2.13})],
        matching(
            r"^\s*(?:2\.(?:1[3-9]|[2-9][0-9]|[0-9]{3})|(?:[3-9]|[0-9]{2,3})\.[0-9]{1,3})\s*$",
            f"This must be a version of Intercom's API, 2.13 or later, such as {DEFAULT_API_VERSION}.",
            DEFAULT_API_VERSION,
        ),
    ),
)

ACCESS_TOKEN = Setting(
    "access_token",
    environment_variable("INTERCOM_ACCESS_TOKEN"),
    "The environment variable that holds the workspace's access token.",
    required=True,
)
REGION = Setting(
    "region", one_of("us", "eu", "au"), "Where Intercom keeps the workspace's data.", default="us"
)
BASE_URL_SETTING = Setting(
    "base_url",
    BASE_URL,
    "Another address of the API, such as a local emulator. Default: the region's.",
)
API_VERSION_SETTING = Setting(
    "api_version",
    API_VERSION,
    "The version of Intercom's API, 2.13 or later.",
    default=DEFAULT_API_VERSION,
)
RATE_LIMIT_SHARE = Setting(
    "rate_limit_share",
    share(above_zero=True),
    "The share of the workspace's API budget that the pipeline uses.",
    default=DEFAULT_RATE_LIMIT_SHARE,
)
DEFAULT_ACTIVATION = Setting(
    "default_activation",
    any_node(settings_schema(settings_of(Activation, inherited_only=True))),
    "Settings of every activation to this destination that does not set them itself.",
)
DESTINATION_SETTINGS: tuple[Setting[Any], ...] = (
    ACCESS_TOKEN,
    REGION,
    BASE_URL_SETTING,
    API_VERSION_SETTING,
    RATE_LIMIT_SHARE,
    ALERTS_OF_A_DESTINATION,
    DEFAULT_ACTIVATION,
)


@dataclass(frozen=True, slots=True)
class DestinationDraft:
    """A destination and the defaults that its activations take; None if they could not be read."""

    destination: Destination | None
    defaults: Values | None


def read_destination(key: str, node: Node, subject: Subject, general: GeneralAlerts) -> DestinationDraft:
    """One destination; `general` are the alerts of all."""
    found = read_settings(node, DESTINATION_SETTINGS, subject, holds_secret=True)
    if found is None:
        return DestinationDraft(None, None)
    defaults = _read_defaults(found.node(DEFAULT_ACTIVATION), subject)
    alerts, alerts_node = general.alerts, found.node(ALERTS_OF_A_DESTINATION)
    if alerts_node is not None:
        alerts = read_own_alerts(alerts_node, general, subject.part(ALERTS_OF_A_DESTINATION.key))
        found.is_whole = found.is_whole and alerts is not None
    access_token = found.get(ACCESS_TOKEN)
    if access_token is None or not found.is_whole:
        return DestinationDraft(None, defaults)
    destination = Destination(
        key=key,
        access_token=access_token,
        region=found.get(REGION) or "us",
        base_url=found.get(BASE_URL_SETTING),
        api_version=found.get(API_VERSION_SETTING) or DEFAULT_API_VERSION,
        rate_limit_share=found.get(RATE_LIMIT_SHARE) or DEFAULT_RATE_LIMIT_SHARE,
        alerts=alerts,
        place=node.place,
    )
    return DestinationDraft(destination, defaults)


def _read_defaults(node: Node | None, subject: Subject) -> Values | None:
    if node is None:
        return {}
    return read_values(node, Activation, subject.part(DEFAULT_ACTIVATION.key), inherited_only=True)
