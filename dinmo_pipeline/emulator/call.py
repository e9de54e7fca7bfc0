"""One HTTP call and its response, as plain values."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from dinmo_pipeline.emulator.choices import Version, at_least
from dinmo_pipeline.emulator.errors import ApiError

JSON: Final = "application/json; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Call:
    """A call to an endpoint.

    Attributes:
        path: The route's parameters by name, decoded.
        query: The query string by name; the last value wins.
        body: Raw bytes.
        version: The API version to serve.
    """

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    version: Version

    def at_least(self, floor: Version) -> bool:
        """Whether the call is served by this API version or a newer one."""
        return at_least(self.version, floor)

    def json(self) -> Any:
        """The body as JSON; an empty body is an empty object.

        Raises:
            ApiError: 400 `parameter_invalid`, as documented: the body is not JSON.
        """
        try:
            return json.loads(self.body) if self.body else {}
        except ValueError as error:
            raise ApiError(400, "parameter_invalid", "The body is not valid JSON") from error

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            ApiError: 400 `parameter_invalid`: it is something else.
        """
        value = self.json()
        if not isinstance(value, dict):
            raise ApiError(400, "parameter_invalid", "The body is not a JSON object")
        return value


@dataclass(frozen=True, slots=True)
class Response:
    """A response; `headers` are those that not every response has."""

    body: bytes
    status: int = 200
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


def json_response(value: Any, status: int = 200) -> Response:
    """A response with a value as its JSON body."""
    return Response(json.dumps(value).encode(), status)
