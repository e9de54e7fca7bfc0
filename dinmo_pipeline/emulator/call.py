"""One HTTP call and its answer, as plain values."""

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
    """A call.

    Attributes:
        path: The decoded values of the route's parameters, by name.
        query: The query string; of a repeated name, the last value.
        body: As it came.
        version: The API version to serve.
    """

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    version: Version

    def at_least(self, floor: Version) -> bool:
        """Whether the API version to serve is the floor or newer."""
        return at_least(self.version, floor)

    def json(self) -> Any:
        """The body as JSON; an empty one is an empty object.

        Raises:
            ApiError: 400 `parameter_invalid`, as documented, when it is not JSON.
        """
        try:
            return json.loads(self.body) if self.body else {}
        except ValueError as error:
            raise ApiError(400, "parameter_invalid", "The body is not valid JSON") from error

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            ApiError: 400 `parameter_invalid` when it is something else.
        """
        value = self.json()
        if not isinstance(value, dict):
            raise ApiError(400, "parameter_invalid", "The body is not a JSON object")
        return value


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; `headers` come besides the ones that every answer has."""

    body: bytes
    status: int = 200
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


def json_answer(value: Any, status: int = 200) -> Answer:
    """An answer whose body is a value as JSON."""
    return Answer(json.dumps(value).encode(), status)
