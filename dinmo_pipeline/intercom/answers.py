"""Reads Intercom's answers: by status first, then by code, never by message."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from dinmo_pipeline.intercom.errors import (
    AccessError,
    ConfigurationError,
    IntercomError,
    MergedError,
    NotFoundError,
    RefusedError,
    UnavailableError,
    UnreadableError,
)
from dinmo_pipeline.intercom.json_values import read_text
from dinmo_pipeline.intercom.permissions import needed_permission
from dinmo_pipeline.intercom.retry import RETRIED_STATUSES
from dinmo_pipeline.text.masking import MASK, mask_emails

MIN_VERSION = (2, 13)

_CANONICAL = re.compile(r"<[^<>]*/contacts/([^<>/?#]+)>;\s*rel=\"?canonical\"?")
_VERSION = re.compile(r"(\d{1,3})\.(\d{1,3})")
_MAX_QUOTE_LENGTH = 200  # characters quoted from an answer in an error

# These exist in every workspace, so a 404 does not come from Intercom.
_ALWAYS_FOUND = {"GET /me", "GET /tags", "GET /contacts", "POST /contacts/search"}

# Status 200 with a body of errors has been reported (intercom-ruby treats it as an error): then the code
# stands for the status.
_STATUS_OF_CODE = {
    "unauthorized": 401,
    "missing_authorization": 401,
    "action_forbidden": 403,
    "forbidden": 403,
    "api_plan_restricted": 403,
    "not_found": 404,
    "tag_not_found": 404,
    "request_timeout": 408,
    "contact_merged": 410,
    "rate_limit_exceeded": 429,
    "too_many_requests": 429,
    "retry_after": 429,
    "server_error": 500,
    "service_unavailable": 503,
    "server_timeout": 504,
}

_WRONG_HOST = "Check `region` and `base_url` of the destination"


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer: its JSON object and Intercom's id of the request."""

    body: Mapping[str, Any]
    request_id: str | None


def read_answer(
    method: str, path: str, response: requests.Response, content: bytes, *, token: str = ""
) -> Answer | IntercomError:
    """Read any HTTP response and its content, as an answer or as the error it stands for.

    `token` never appears in the error, even if the answer repeats it.
    """
    call = f"{method} {path}"
    status = response.status_code
    body = _json_object(content)
    if 200 <= status < 300:  # noqa: PLR2004
        if body is None:
            return _not_json(call, response)
        if body.get("type") != "error.list" and not body.get("errors"):
            return _wrong_version(call, response) or Answer(
                body, read_text(response.headers.get("X-Request-Id"))
            )
        status = _status_of(_first_error(body)[0])
    return _read_error(call, status, body or {}, response.headers, token)


def _read_error(
    call: str, status: int, body: Mapping[str, Any], headers: Mapping[str, str], token: str
) -> IntercomError:
    code, message = (_without_secrets(text, token) for text in _first_error(body))
    request_id = _without_secrets(
        read_text(headers.get("X-Request-Id")) or read_text(body.get("request_id")), token
    )
    said = f"{call}: Intercom answered {status}" + (f" {code}" if code else "")
    if message:
        said += f" ({message})"
    if status == 410 and code:  # noqa: PLR2004
        target = _CANONICAL.search(headers.get("Link") or "")
        return MergedError(
            f"{said}. The contact was merged into another one.",
            canonical_id=target.group(1) if target else None,
            status=status,
            request_id=request_id,
        )
    kind, advice = _meaning(call, status, code)
    return kind(f"{said}{advice}.", status=status, code=code, request_id=request_id)


def _meaning(call: str, status: int, code: str | None) -> tuple[type[IntercomError], str]:
    """The error that a status stands for, and advice for a person."""
    if status in (401, 403):
        method, _, path = call.partition(" ")
        return AccessError, _access_advice(status, code, needed_permission(method, path))
    if status in RETRIED_STATUSES or status >= 500:  # noqa: PLR2004
        return UnavailableError, ", even after retries"
    if status in (404, 410) and code and call not in _ALWAYS_FOUND:
        return NotFoundError, ""
    if status in (404, 410):
        # Reading a gateway's page as "no such contact" would drop contacts that exist.
        return ConfigurationError, f". This is not an answer of Intercom's API. {_WRONG_HOST}"
    if status in (405, 406) or 300 <= status < 400 or "version" in (code or ""):  # noqa: PLR2004
        return ConfigurationError, f". {_WRONG_HOST}, and its `api_version`"
    return RefusedError, ""


def _access_advice(status: int, code: str | None, permission: str | None) -> str:
    if code is None:
        return f". The answer comes from a gateway, not from Intercom's API. {_WRONG_HOST}"
    needs = f" The call needs the permission {permission!r}." if permission else ""
    if status == 403:  # noqa: PLR2004
        return f". The token or the workspace's plan does not allow this call.{needs}".rstrip(".")
    return (
        ". Check the access token: it is not valid for this workspace and `region`, or it lacks a"
        f" permission.{needs} Create a new token after you change its permissions"
    )


def _not_json(call: str, response: requests.Response) -> IntercomError:
    said = f"{call}: the answer ({response.status_code}) is not a JSON object"
    if "html" in response.headers.get("Content-Type", "").lower():
        # A website, or the sign-in page of a network: a retry would get the same.
        return ConfigurationError(
            f"{said} but a web page. {_WRONG_HOST}, and whether a proxy is in between.",
            status=response.status_code,
        )
    return UnreadableError(f"{said}, even after retries.", status=response.status_code)


def _wrong_version(call: str, response: requests.Response) -> ConfigurationError | None:
    """An error if Intercom answered in a version that this client does not support.

    Every recorded answer names its version in this header. From 2.13 on any version will do, since the
    client goes by what the answers contain.
    """
    served = response.headers.get("Intercom-Version", "")
    numbers = _VERSION.fullmatch(served)
    if numbers is None:
        return None
    major, minor = int(numbers[1]), int(numbers[2])
    if (major, minor) >= MIN_VERSION and major == MIN_VERSION[0]:
        return None
    return ConfigurationError(
        f"{call}: Intercom answered in API version {served}; supported are 2.13 and later versions of"
        " 2. Set the destination's `api_version` to one that Intercom still offers.",
        status=response.status_code,
    )


def _json_object(content: bytes) -> Mapping[str, Any] | None:
    """The body as a JSON object: empty for an empty body, None if it is anything else."""
    if not content:
        return {}
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):  # not JSON, or nested too deep
        return None
    return body if isinstance(body, dict) else None


def _first_error(body: Mapping[str, Any]) -> tuple[str | None, str | None]:
    errors = body.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        return read_text(errors[0].get("code")), read_text(errors[0].get("message"))
    return None, None


def _status_of(code: str | None) -> int:
    if code and code.startswith("token_"):
        return 401
    return _STATUS_OF_CODE.get(code or "", 400)


def _without_secrets(text: str | None, token: str) -> str | None:
    """Shorten a text of an answer for a log, and mask the token and email addresses in it."""
    if text is None:
        return None
    if token:
        text = text.replace(token, MASK)
    return mask_emails(text[: 10 * _MAX_QUOTE_LENGTH])[:_MAX_QUOTE_LENGTH]
