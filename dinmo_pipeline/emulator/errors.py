"""Error responses: Intercom's `error.list`."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})

_CODES: Final[Mapping[int, str]] = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    408: "request_timeout",
    409: "conflict",
    422: "unprocessable_entity",
    429: "rate_limit_exceeded",
    503: "service_unavailable",
    504: "server_timeout",
}


class ApiError(Exception):
    """An error to respond with.

    Attributes:
        status: HTTP status.
        code: Intercom's error code.
        message: Intercom's text for people.
        headers: Headers that only this error has.
    """

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] = _NO_HEADERS
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers


def usual_code(status: int) -> str:
    """The error code that usually comes with a status."""
    return _CODES.get(status, "server_error")


def body(error: ApiError, request_id: str) -> bytes:
    """The error as JSON; `request_id` is that of the `X-Request-Id` header."""
    return json.dumps(
        {
            "type": "error.list",
            "request_id": request_id,
            "errors": [{"code": error.code, "message": error.message}],
        }
    ).encode()


def user_not_found() -> ApiError:
    """404: the contact is unknown, archived, deleted, or (up to 2.15) merged."""
    return ApiError(404, "not_found", "User Not Found")


def resource_not_found() -> ApiError:
    """404: the tag, or the path, is unknown."""
    return ApiError(404, "not_found", "Resource Not Found")


def invalid_tag() -> ApiError:
    """400: the body of `POST /tags` has none of the documented forms."""
    return ApiError(400, "parameter_invalid", "invalid tag parameters")


def contact_merged(canonical_id: str) -> ApiError:
    """410, from 2.16 on: the contact was merged into the one in the `Link` header."""
    return ApiError(
        410,
        "contact_merged",
        "This contact has been merged. See the 'Link' header for the canonical contact.",
        {"Link": f'</contacts/{canonical_id}>; rel="canonical"'},
    )
