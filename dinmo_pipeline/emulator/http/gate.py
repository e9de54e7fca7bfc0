"""What Intercom checks before it handles a call: token, version, rate limit, media type, permission."""

from collections.abc import Mapping
from typing import Final

from dinmo_pipeline.emulator.choices import VERSIONS, Scope, Version
from dinmo_pipeline.emulator.errors import ApiError
from dinmo_pipeline.emulator.rate import WINDOW_S, Admission
from dinmo_pipeline.emulator.settings import EmulatorSettings

_ACCEPTED: Final = frozenset({"application/json", "application/*", "*/*"})


def check_token(headers: Mapping[str, str], token: str | None) -> None:
    """Refuse a call without a bearer token, or with the wrong one.

    Args:
        headers: The request's headers, by lower-case name.
        token: The only token to accept; None accepts any.

    Raises:
        ApiError: 401 `unauthorized`.
    """
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not given or token not in (None, given):
        raise ApiError(401, "unauthorized", "Access Token Invalid")


def served_version(headers: Mapping[str, str], default: Version) -> Version:
    """The API version that a call asks for.

    Raises:
        ApiError: 400 `intercom_version_invalid`. Intercom's own Ruby client knows the code; the
            status is an assumption.
    """
    asked = headers.get("intercom-version", default)
    for version in VERSIONS:
        if asked == version:
            return version
    raise ApiError(400, "intercom_version_invalid", f"The version '{asked}' is not supported")


def check_budget(admission: Admission) -> None:
    """Refuse a call over the rate limit. Recorded traffic never has a `Retry-After`.

    Raises:
        ApiError: 429 `rate_limit_exceeded`, with the documented message.
    """
    if not admission.admitted:
        raise ApiError(
            429,
            "rate_limit_exceeded",
            f"Exceeded rate limit of {admission.limit} in {WINDOW_S}_seconds",
        )


def check_accept(headers: Mapping[str, str]) -> None:
    """Refuse a call whose `Accept` header does not include JSON, or is missing.

    Raises:
        ApiError: 406 `media_type_not_acceptable`.
    """
    ranges = headers.get("accept", "").split(",")
    if _ACCEPTED.isdisjoint(each.partition(";")[0].strip().lower() for each in ranges):
        raise ApiError(406, "media_type_not_acceptable", "The Accept header should be application/json")


def check_permission(scope: Scope | None, settings: EmulatorSettings) -> None:
    """Refuse a call that the token or the plan does not allow.

    Args:
        scope: The permission that the endpoint needs; None means no permission.
        settings: Name the missing scopes, and whether the plan is restricted.

    Raises:
        ApiError: 401 `token_unauthorized`, as reported for a missing scope; 403
            `api_plan_restricted`.
    """
    if settings.plan_restricted:
        raise ApiError(403, "api_plan_restricted", "Active subscription needed.")
    if scope in settings.missing_scopes:
        raise ApiError(401, "token_unauthorized", "Not authorized to access resource")
