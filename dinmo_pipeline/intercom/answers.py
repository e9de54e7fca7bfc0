"""Reading Intercom's error answers: status first, code second, message never."""

import re
from collections.abc import Mapping
from typing import Any

from dinmo_pipeline.intercom.errors import (
    AccessError,
    ConfigurationError,
    IntercomError,
    MergedError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)

_CANONICAL = re.compile(r"</contacts/([^>/]+)>;\s*rel=\"?canonical\"?")

_ACCESS_ADVICE = {
    401: "Check the access token: Intercom does not accept it for this workspace and region, or it"
    " lacks a scope (read and write tags; read and list users). A token must be made anew after its"
    " scopes change.",
    403: "The token or the workspace's plan does not allow this call.",
}


def read_error(
    call: str,
    status: int,
    body: Mapping[str, Any],
    headers: Mapping[str, str],
    *,
    retried: bool,
) -> IntercomError:
    """The typed error of an unsuccessful answer; `call` names it as `METHOD /path`.

    The body may lack any key, or be no JSON at all (an empty mapping then).
    """
    code, message = _first_error(body)
    request_id = headers.get("X-Request-Id") or _text(body.get("request_id"))
    said = f"{call}: Intercom answered {status}" + (f" {code}" if code else "")
    if message:
        said += f" ({message})"
    if status in _ACCESS_ADVICE:
        return AccessError(
            f"{said}. {_ACCESS_ADVICE[status]}", status=status, code=code, request_id=request_id
        )
    if status == 410:  # noqa: PLR2004
        target = _CANONICAL.search(headers.get("Link", ""))
        return MergedError(
            f"{said}. The contact was merged into another.",
            canonical_id=target.group(1) if target else None,
            status=status,
            request_id=request_id,
        )
    kind: type[IntercomError] = RefusedError
    if status == 404:  # noqa: PLR2004
        kind = NotFoundError
    elif retried:
        kind, said = UnavailableError, f"{said}, also when asked again"
    elif code == "intercom_version_invalid" or status == 406 or 300 <= status < 400:  # noqa: PLR2004
        kind = ConfigurationError
        said += ". Check `region`, `base_url` and `api_version` of the destination"
    return kind(f"{said}.", status=status, code=code, request_id=request_id)


def _first_error(body: Mapping[str, Any]) -> tuple[str | None, str | None]:
    errors = body.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        return _text(errors[0].get("code")), _text(errors[0].get("message"))
    return None, None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
