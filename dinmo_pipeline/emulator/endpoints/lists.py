"""The endpoints that return pages of contacts: list and search."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from dinmo_pipeline.emulator.call import Call, Response
from dinmo_pipeline.emulator.emulator import Emulator
from dinmo_pipeline.emulator.endpoints.contacts import encoder
from dinmo_pipeline.emulator.endpoints.views import contact_page_json, listed_contact_json
from dinmo_pipeline.emulator.errors import ApiError
from dinmo_pipeline.emulator.workspace.paging import (
    MAX_PER_PAGE,
    Cursor,
    InvalidCursorError,
    Order,
    Page,
    decoded,
    page_of_all,
)
from dinmo_pipeline.emulator.workspace.query import InvalidQueryError, field_named, parse_query

_LIST_PER_PAGE: Final = 10
_SEARCH_PER_PAGE: Final = 50


def list_contacts(emulator: Emulator, call: Call) -> Response:
    """`GET /contacts?per_page=…&starting_after=…`: live contacts of both roles.

    Recorded: 10 per page by default, from the search index.
    """
    raw_size = call.query.get("per_page", str(_LIST_PER_PAGE))
    size = _per_page(int(raw_size) if raw_size.isdecimal() else raw_size)
    with _invalid_input_is_400():
        cursor = _cursor(call.query.get("starting_after"))
    page = page_of_all(emulator.store.searchable(), cursor, size)
    return _response(emulator, call, page, size)


def search(emulator: Emulator, call: Call) -> Response:
    """`POST /contacts/search`.

    The cursor is read only from the body, as documented; one in the query string is ignored.
    """
    body = call.json_object()
    pagination = body.get("pagination") or {}
    if not isinstance(pagination, dict):
        raise ApiError(400, "data_invalid", "pagination must be an object")
    size = _per_page(pagination.get("per_page", _SEARCH_PER_PAGE))
    with _invalid_input_is_400():
        cursor = _cursor(pagination.get("starting_after"))
        query = parse_query(body.get("query"), in_cap=emulator.settings.in_cap)
        order = _order(body.get("sort")) if call.at_least("2.16") else Order()
        page = emulator.results.page(query, order, emulator.store.searchable(), cursor, size)
    return _response(emulator, call, page, size)


@contextmanager
def _invalid_input_is_400() -> Iterator[None]:
    try:
        yield
    except InvalidQueryError as error:
        raise ApiError(400, error.code, str(error)) from error
    except InvalidCursorError as error:
        raise ApiError(400, "parameter_invalid", str(error)) from error


def _response(emulator: Emulator, call: Call, page: Page, per_page: int) -> Response:
    encode = encoder(emulator, call, listed_contact_json)
    return Response(contact_page_json(page, per_page, encode).encode())


def _per_page(value: Any) -> int:
    # Measured: more than 150 is refused, not clamped.
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_PER_PAGE:
        raise ApiError(400, "invalid_per_page", f"per_page must be 0-{MAX_PER_PAGE}")
    return value


def _cursor(raw: Any) -> Cursor | None:
    return None if raw is None else decoded(raw)


def _order(sort: Any) -> Order:
    """The order that `sort` asks for, from 2.16 on; without it, the order is undocumented."""
    if sort is None:
        return Order()
    if not isinstance(sort, dict):
        raise ApiError(400, "data_invalid", "sort must be an object")
    order = sort.get("order", "descending")
    if order not in ("ascending", "descending"):
        raise ApiError(
            400,
            "invalid_sort_order",
            f"Invalid sort order '{order}'. Must be one of: ascending, descending",
        )
    field = field_named(sort.get("field", "created_at"))
    if field.kind == "tag":
        raise InvalidQueryError("invalid_field", f"Invalid sort field '{field.name}'")
    return Order(field, descending=order == "descending")
