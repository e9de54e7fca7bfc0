"""Which function handles each path, and the permission it needs."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from dinmo_pipeline.emulator.call import Call, Response
from dinmo_pipeline.emulator.choices import Scope
from dinmo_pipeline.emulator.emulator import Emulator
from dinmo_pipeline.emulator.endpoints import contacts, control, lists, page, tags
from dinmo_pipeline.emulator.endpoints.me import me

Handler = Callable[[Emulator, Call], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint.

    Attributes:
        template: The path, with parameters in braces.
        scope: The permission that a token needs; None means no permission.
        writes: Whether it changes something; the response then sets the `recent_write` cookie.
    """

    method: str
    template: str
    handler: Handler
    scope: Scope | None = None
    writes: bool = False

    @property
    def is_own(self) -> bool:
        """Whether this is an endpoint of the emulator, not of Intercom."""
        return self.template == "/" or self.template.startswith("/_emulator/")


_ROUTES: Final = (
    Route("GET", "/me", me),
    Route("GET", "/tags", tags.list_tags, "read_tags"),
    Route("POST", "/tags", tags.write, "write_tags", writes=True),
    Route("GET", "/tags/{id}", tags.show, "read_tags"),
    Route("DELETE", "/tags/{id}", tags.delete, "write_tags", writes=True),
    Route("GET", "/contacts", lists.list_contacts, "read_contacts"),
    Route("POST", "/contacts", contacts.create, "write_contacts", writes=True),
    Route("POST", "/contacts/search", lists.search, "read_contacts"),
    Route("POST", "/contacts/merge", contacts.merge, "write_contacts", writes=True),
    Route("GET", "/contacts/{id}", contacts.show, "read_contacts"),
    Route("PUT", "/contacts/{id}", contacts.update, "write_contacts", writes=True),
    Route("DELETE", "/contacts/{id}", contacts.delete, "write_contacts", writes=True),
    Route(
        "GET",
        "/contacts/find_by_external_id/{external_id}",
        contacts.find_by_external_id,
        "read_contacts",
    ),
    Route("POST", "/contacts/{id}/archive", contacts.archive, "write_contacts", writes=True),
    Route("POST", "/contacts/{id}/unarchive", contacts.unarchive, "write_contacts", writes=True),
    Route("GET", "/contacts/{id}/tags", tags.list_of_contact, "read_tags"),
    Route("POST", "/contacts/{id}/tags", tags.add, "write_tags", writes=True),
    Route("DELETE", "/contacts/{id}/tags/{tag_id}", tags.remove, "write_tags", writes=True),
    Route("GET", "/", page.show),
    Route("POST", "/", page.add),
    Route("GET", "/_emulator/stats", control.stats),
    Route("POST", "/_emulator/contacts", control.create_contacts),
    Route("GET", "/_emulator/contacts/{id}", control.show_contact),
    Route("GET", "/_emulator/tags/{name}/contacts", control.tagged_contacts),
    Route("POST", "/_emulator/faults", control.set_faults),
    Route("POST", "/_emulator/reset", control.reset),
)


@dataclass(frozen=True, slots=True)
class Match:
    """A route that matches a path, and its decoded parameters by name."""

    route: Route
    values: Mapping[str, str]


class Router:
    """Finds the route of a path.

    Args:
        routes: All routes; the first match wins.
    """

    def __init__(self, routes: Iterable[Route] = _ROUTES) -> None:
        self._by_shape: dict[tuple[str, int], list[tuple[Route, list[str]]]] = {}
        for route in routes:
            parts = route.template.split("/")
            self._by_shape.setdefault((route.method, len(parts)), []).append((route, parts))

    def match(self, method: str, raw_path: str) -> Match | None:
        """The route that matches a path.

        Args:
            method: The HTTP method.
            raw_path: The path, still percent-encoded: an encoded slash does not split a part.
        """
        parts = raw_path.split("/")
        for route, template in self._by_shape.get((method, len(parts)), ()):
            values = _values(template, parts)
            if values is not None:
                return Match(route, values)
        return None


def _values(template: list[str], parts: list[str]) -> dict[str, str] | None:
    values = {}
    for expected, part in zip(template, parts, strict=True):
        if expected.startswith("{"):
            values[expected[1:-1]] = unquote(part)
        elif expected != part:
            return None
    return values
