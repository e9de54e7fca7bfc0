"""A thin client for tests, which sends exactly what a test asks for."""

from dataclasses import dataclass, field
from typing import Any

import requests

from dinmo_pipeline.emulator import EmulatorSettings
from dinmo_pipeline.emulator.settings import as_json


@dataclass
class Clock:
    """A clock that only tests advance; it starts at the beginning of a 10-second window."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        """Unix time in seconds."""
        return self.now


@dataclass
class Api:
    """A client of one API version."""

    base_url: str
    session: requests.Session
    clock: Clock
    version: str = "2.16"
    headers: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """Call an endpoint, with the headers that a well-behaved client sends."""
        headers = {
            "Authorization": "Bearer made-up",
            "Accept": "application/json",
            "Intercom-Version": self.version,
            **self.headers,
            **options.pop("headers", {}),
        }
        return self.session.request(
            method, self.base_url + path, json=body, headers=headers, timeout=10, **options
        )

    def get(self, path: str, **options: Any) -> requests.Response:
        """Call with GET."""
        return self.call("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> requests.Response:
        """Call with POST."""
        return self.call("POST", path, body, **options)

    def put(self, path: str, body: Any) -> requests.Response:
        """Call with PUT."""
        return self.call("PUT", path, body)

    def delete(self, path: str) -> requests.Response:
        """Call with DELETE."""
        return self.call("DELETE", path)

    def speaking(self, version: str) -> "Api":
        """The same client with another API version."""
        return Api(self.base_url, self.session, self.clock, version)

    def reset(self, **settings: Any) -> None:
        """Empty the workspace; settings not given here return to their defaults."""
        answer = self.post("/_emulator/reset", as_json(EmulatorSettings()) | settings)
        assert answer.status_code == 200, answer.text

    def seed(self, *contacts: dict[str, Any]) -> list[str]:
        """Create contacts without checking any rules; their ids."""
        answer = self.post("/_emulator/contacts", list(contacts))
        assert answer.status_code == 200, answer.text
        ids: list[str] = answer.json()["ids"]
        return ids

    def user(self, **attributes: Any) -> str:
        """Create one user; its id."""
        return self.seed(attributes)[0]

    def tag(self, name: str) -> str:
        """Create a tag; its id."""
        return str(self.post("/tags", {"name": name}).json()["id"])

    def found(self, query: Any) -> list[str]:
        """The ids on the first page of a search."""
        answer = self.post("/contacts/search", {"query": query, "pagination": {"per_page": 150}})
        assert answer.status_code == 200, answer.text
        return [contact["id"] for contact in answer.json()["data"]]

    def tag_names(self, contact_id: str) -> list[str]:
        """The names of a contact's tags, in the order they were applied."""
        answer = self.get(f"/contacts/{contact_id}/tags")
        assert answer.status_code == 200, answer.text
        return [tag["name"] for tag in answer.json()["data"]]


def where(field_name: str, operator: str, value: Any) -> dict[str, Any]:
    """One filter of a search."""
    return {"field": field_name, "operator": operator, "value": value}


def error_of(answer: requests.Response) -> tuple[int, str]:
    """The status and code of an error response."""
    body = answer.json()
    assert body["type"] == "error.list"
    assert body["request_id"] == answer.headers["X-Request-Id"]
    return answer.status_code, body["errors"][0]["code"]


def message_of(answer: requests.Response) -> str:
    """The message of an error response."""
    return str(answer.json()["errors"][0]["message"])
