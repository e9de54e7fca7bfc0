"""The endpoints that answer pages of contacts: list and search."""

from typing import Any, Final

from dinmo_pipeline.emulator.call import Answer, Call
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


def list_contacts(emulator: Emulator, call: Call) -> Answer:
    """`GET /contacts?per_page=…&starting_after=…`: live contacts of both roles.

    Recorded: 10 on a page by default, and it reads the search index.
    """
    per_page = call.query.get("per_page", str(_LIST_PER_PAGE))
    size = _per_page(int(per_page) if per_page.isdecimal() else per_page)
    cursor = _cursor(call.query.get("starting_after"))
    page = page_of_all(emulator.store.searchable(), cursor, size)
    return _answer(emulator, call, page, size)


def search(emulator: Emulator, call: Call) -> Answer:
    """`POST /contacts/search`.

    The cursor is read from the body alone: documented, and in the query string it is ignored.
    """
    body = call.json_object()
    pagination = body.get("pagination") or {}
    if not isinstance(pagination, dict):
        raise ApiError(400, "data_invalid", "pagination must be an object")
    size = _per_page(pagination.get("per_page", _SEARCH_PER_PAGE))
    cursor = _cursor(pagination.get("starting_after"))
    try:
        query = parse_query(body.get("query"), in_cap=emulator.settings.in_cap)
        order = _order(body.get("sort")) if call.at_least("2.16") else Order()
        page = emulator.results.page(query, order, emulator.store.searchable(), cursor, size)
    except InvalidQueryError as error:
        raise ApiError(400, error.code, str(error)) from error
    except InvalidCursorError as error:
        raise ApiError(400, "parameter_invalid", str(error)) from error
    return _answer(emulator, call, page, size)


def _answer(emulator: Emulator, call: Call, page: Page, per_page: int) -> Answer:
    encode = encoder(emulator, call, listed_contact_json)
    return Answer(contact_page_json(page, per_page, encode).encode())


def _per_page(value: Any) -> int:
    # Measured: more than 150 is refused, not clamped.
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_PER_PAGE:
        raise ApiError(400, "invalid_per_page", f"per_page must be 0-{MAX_PER_PAGE}")
    return value


def _cursor(raw: Any) -> Cursor | None:
    if raw is None:
        return None
    try:
        return decoded(raw)
    except InvalidCursorError as error:
        raise ApiError(400, "parameter_invalid", str(error)) from error


def _order(sort: Any) -> Order:
    """The order that 2.16's `sort` asks for; without one the order is undocumented."""
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
