"""Answers that are not 200: Intercom's `error.list`."""

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
    """An answer that is an error.

    Attributes:
        status: HTTP status.
        code: Intercom's word for it.
        message: For people.
        headers: Besides the ones that every answer has.
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
    """The code that usually comes with a status."""
    return _CODES.get(status, "server_error")


def body(error: ApiError, request_id: str) -> bytes:
    """The error as Intercom writes it; `request_id` repeats the `x-request-id` header."""
    return json.dumps(
        {
            "type": "error.list",
            "request_id": request_id,
            "errors": [{"code": error.code, "message": error.message}],
        }
    ).encode()


def user_not_found() -> ApiError:
    """The contact is unknown, archived, deleted, or (up to 2.15) merged."""
    return ApiError(404, "not_found", "User Not Found")


def resource_not_found() -> ApiError:
    """The tag, or the path, is unknown."""
    return ApiError(404, "not_found", "Resource Not Found")


def invalid_tag() -> ApiError:
    """The body of `POST /tags` is none of those documented."""
    return ApiError(400, "parameter_invalid", "invalid tag parameters")


def contact_merged(canonical_id: str) -> ApiError:
    """From 2.16 on: the contact was merged, and the `Link` header says into which."""
    return ApiError(
        410,
        "contact_merged",
        "This contact has been merged. See the 'Link' header for the canonical contact.",
        {"Link": f'</contacts/{canonical_id}>; rel="canonical"'},
    )
