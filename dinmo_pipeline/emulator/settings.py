"""The emulator's settings, and how a change to them is read from JSON."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

from dinmo_pipeline.emulator.choices import Region, Scope, UntagMissing, UntagTrue, Version


class InvalidSettingsError(ValueError):
    """A setting is unknown or its value invalid; the message names it."""


@dataclass(frozen=True, kw_only=True)
class EmulatorSettings:
    """Settings of one emulated workspace.

    Attributes:
        rate_limit: Calls per 10-second window. Intercom allows 1667 today (10,000 a minute); 167
            was recorded in 2021.
        latency_ms: Milliseconds that each response of Intercom's endpoints is delayed; concurrent
            calls wait at the same time.
        index_lag_s: Seconds until search and list show a write. Intercom documents "a few minutes"
            for new contacts; 15 s was recorded for changes.
        in_cap: Maximum number of values in one `IN` or `NIN` of a search; 0 means no limit.
            Intercom documents none, and third parties disagree.
        token: The only bearer token to accept; None accepts any.
        region: The `app.region` of `GET /me`.
        default_version: The API version for calls without an `Intercom-Version` header. Intercom
            takes it from the app's settings in the Developer Hub.
        untag_true: What `{"id": …, "untag": true}` does to a user in `POST /tags`: `ignore` tags
            the user, `honour` untags it, `reject` responds with 400. Intercom 2.x does not document
            the key for users.
        untag_missing: What untagging does when the tag is not applied: `ok` responds with 200 and a
            null `applied_at`, as documented; `not_found` responds with 404.
        missing_scopes: Permissions that the token lacks: calls that need one of them get 401
            `token_unauthorized`.
        plan_restricted: Whether every call gets 403 `api_plan_restricted`.
        workspace_id: The workspace's `id_code`.
        workspace_name: The workspace's name.
        seed: Determines contact ids, tag ids and request ids.
        first_tag_id: The id of the first tag; 0 leaves it to the seed.
    """

    rate_limit: int = 1667
    latency_ms: float = 0
    index_lag_s: float = 0.0
    in_cap: int = 0
    token: str | None = None
    region: Region = "US"
    default_version: Version = "2.16"
    untag_true: UntagTrue = "ignore"
    untag_missing: UntagMissing = "ok"
    missing_scopes: frozenset[Scope] = frozenset()
    plan_restricted: bool = False
    workspace_id: str = "emul8tor"
    workspace_name: str = "Emulated workspace"
    seed: int = 0
    first_tag_id: int = 0


def changed(settings: EmulatorSettings, change: Mapping[str, Any]) -> EmulatorSettings:
    """The settings after a change.

    Args:
        settings: The settings before.
        change: New values by setting name, from JSON; `missing_scopes` is a list of scopes.

    Raises:
        InvalidSettingsError: A setting is unknown, or a value invalid.
    """
    values = {name: _checked(name, value) for name, value in change.items()}
    return dataclasses.replace(settings, **values)


def as_json(settings: EmulatorSettings) -> dict[str, Any]:
    """The settings as `changed` reads them."""
    return dataclasses.asdict(settings) | {"missing_scopes": sorted(settings.missing_scopes)}


def _checked(name: str, value: Any) -> Any:
    if name == "missing_scopes":
        if not isinstance(value, list) or not set(value) <= set(get_args(Scope)):
            raise InvalidSettingsError(
                f"missing_scopes must be a list; each scope is one of {', '.join(get_args(Scope))}."
            )
        return frozenset(value)
    hint = get_type_hints(EmulatorSettings).get(name)
    if hint is None:
        known = ", ".join(field.name for field in dataclasses.fields(EmulatorSettings))
        raise InvalidSettingsError(f"{name} is not a setting. The settings are {known}.")
    if choices := [choice for choice in get_args(hint) if isinstance(choice, str)]:
        if value not in choices:
            raise InvalidSettingsError(f"{name} is {value!r}. Choose from {', '.join(choices)}.")
        return value
    allowed = (int, float) if hint is float else hint
    if not isinstance(value, allowed) or (isinstance(value, bool) and hint is not bool):
        raise InvalidSettingsError(f"{name} is {value!r}, which is not of type {hint}.")
    if isinstance(value, int | float) and name != "seed" and value < 0:
        raise InvalidSettingsError(f"{name} is {value!r}. It must not be negative.")
    return value
