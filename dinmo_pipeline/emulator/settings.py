"""What a person can set on the emulator, and the reading of a change to it from JSON."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

from dinmo_pipeline.emulator.choices import Region, Scope, UntagMissing, UntagTrue, Version


class InvalidSettingsError(ValueError):
    """A setting that does not exist, or a value of the wrong type; the message names it."""


@dataclass(frozen=True, kw_only=True)
class EmulatorSettings:
    """Settings of one emulated workspace.

    Attributes:
        rate_limit: Calls admitted in each 10-second window. 1667 is what Intercom answers today
            (10,000 a minute); 167 was recorded in 2021.
        latency_ms: Milliseconds that each answer of Intercom's own endpoints takes longer;
            requests overlap while they wait.
        index_lag_s: Seconds after which search and list show a write. Intercom documents "a few
            minutes" for new contacts; a delay of 15 s was recorded for changes.
        in_cap: Most values in one `IN` or `NIN` of a search; 0 means no cap. Intercom documents
            no cap, and third parties disagree about it.
        token: The one bearer token that is accepted; None accepts any.
        region: The `app.region` of `GET /me`.
        default_version: The version served to a call without an `Intercom-Version` header.
            Intercom serves the version that is set in the app's Developer Hub there.
        untag_true: What `{"id": …, "untag": true}` in the users of `POST /tags` does:
            `ignore` tags the user, `honour` untags it, `reject` answers 400. Intercom 2.x does
            not document the key for users.
        untag_missing: Taking off a tag that is not applied: `ok` answers 200 with a null
            `applied_at`, as documented; `not_found` answers 404.
        missing_scopes: Permissions the token lacks: a call that needs one of them answers 401
            `token_unauthorized`.
        plan_restricted: Every call answers 403 `api_plan_restricted`.
        workspace_id: The workspace's `id_code`.
        workspace_name: The workspace's name.
        seed: Contact ids, tag ids and request ids follow from it.
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


def changed(settings: EmulatorSettings, change: Mapping[str, Any]) -> EmulatorSettings:
    """The settings with a change that came as JSON.

    Args:
        settings: The settings that hold for what the change does not name.
        change: Values by setting name; `missing_scopes` is a list of scope names.

    Raises:
        InvalidSettingsError: A name is unknown, or a value is not allowed.
    """
    values = {name: _checked(name, value) for name, value in change.items()}
    return dataclasses.replace(settings, **values)


def as_json(settings: EmulatorSettings) -> dict[str, Any]:
    """The settings as `changed` reads them."""
    return dataclasses.asdict(settings) | {"missing_scopes": sorted(settings.missing_scopes)}


def _checked(name: str, value: Any) -> Any:
    if name == "missing_scopes":
        if not isinstance(value, list) or not set(value) <= set(get_args(Scope)):
            raise InvalidSettingsError(f"missing_scopes is a list of {_listed(get_args(Scope))}")
        return frozenset(value)
    hint = get_type_hints(EmulatorSettings).get(name)
    if hint is None:
        known = _listed(field.name for field in dataclasses.fields(EmulatorSettings))
        raise InvalidSettingsError(f"unknown setting {name!r}; there are {known}")
    if choices := [choice for choice in get_args(hint) if isinstance(choice, str)]:
        if value not in choices:
            raise InvalidSettingsError(f"{name} is {value!r}; allowed are {_listed(choices)}")
        return value
    allowed = (int, float) if hint is float else hint
    if not isinstance(value, allowed) or (isinstance(value, bool) and hint is not bool):
        raise InvalidSettingsError(f"{name} is {value!r}, which is not of type {hint}")
    if isinstance(value, int | float) and name != "seed" and value < 0:
        raise InvalidSettingsError(f"{name} is {value!r}; it cannot be negative")
    return value


def _listed(names: Any) -> str:
    return ", ".join(names)
