"""The search language: reads a query from JSON, and checks it as Intercom documents."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from dinmo_pipeline.emulator.workspace.records import Contact

Operator = Literal["=", "!=", "IN", "NIN", "~", "!~", "^", "$", ">", "<"]
Kind = Literal["string", "boolean", "date", "tag"]
Value = str | int | bool | None | tuple[str, ...] | tuple[bool, ...]

MAX_FILTERS: Final = 15
MAX_LEVELS: Final = 2
_CUSTOM: Final = "custom_attributes."

_OPERATORS: Final[Mapping[Kind, frozenset[Operator]]] = {
    "string": frozenset({"=", "!=", "IN", "NIN", "~", "!~", "^", "$"}),
    "boolean": frozenset({"=", "!=", "IN", "NIN"}),
    "date": frozenset({"=", ">", "<"}),
    "tag": frozenset({"=", "!="}),
}


class InvalidQueryError(ValueError):
    """A query that Intercom refuses with 400.

    Attributes:
        code: `invalid_field` for an unknown field, else `data_invalid`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Field:
    """A searchable field.

    Attributes:
        kind: Determines the operators and values that the field allows.
        of: Reads the value from a contact; None means no value.
    """

    name: str
    kind: Kind
    of: Callable[[Contact], Any]


@dataclass(frozen=True, slots=True)
class Filter:
    """One comparison of a field."""

    field: Field
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class Group:
    """Filters, or groups of filters, of which all (AND) or any (OR) must match."""

    operator: Literal["AND", "OR"]
    parts: "tuple[Filter | Group, ...]"


Query = Filter | Group


def _attribute(name: str) -> Callable[[Contact], Any]:
    return lambda contact: contact.attributes.get(name)


def _email_domain(contact: Contact) -> str | None:
    return contact.email.rpartition("@")[2] if contact.email else None


def _custom_attribute(key: str) -> Callable[[Contact], Any]:
    def of(contact: Contact) -> str | None:
        value = contact.attributes.get("custom_attributes", {}).get(key)
        return None if value is None else str(value)

    return of


def _flag(name: str) -> Callable[[Contact], Any]:
    return lambda contact: contact.attributes.get(name, False)


_TEXTS: Final = (
    *("phone", "formatted_phone", "avatar", "owner_id", "segment_id"),
    *("language_override", "browser", "browser_language", "os"),
    *("location.country", "location.region", "location.city"),
)
_DATES: Final = (
    *("last_seen_at", "last_contacted_at", "last_replied_at"),
    *("last_email_opened_at", "last_email_clicked_at"),
)
_FLAGS: Final = ("unsubscribed_from_emails", "marked_email_as_spam", "has_hard_bounced")

# All fields that Intercom documents, except those of the contact's phone and app.
_FIELDS: Final[Mapping[str, Field]] = {
    field.name: field
    for field in (
        Field("id", "string", lambda contact: contact.id),
        Field("external_id", "string", lambda contact: contact.external_id),
        Field("email", "string", lambda contact: contact.email or None),
        Field("email_domain", "string", _email_domain),
        Field("role", "string", lambda contact: contact.role),
        Field("name", "string", lambda contact: contact.name),
        Field("tag_id", "tag", lambda contact: contact.tags),
        Field("created_at", "date", lambda contact: contact.created_at),
        Field("updated_at", "date", lambda contact: contact.updated_at),
        Field("signed_up_at", "date", lambda contact: contact.signed_up_at),
        *(Field(name, "string", _attribute(name)) for name in _TEXTS),
        *(Field(name, "date", _attribute(name)) for name in _DATES),
        *(Field(name, "boolean", _flag(name)) for name in _FLAGS),
    )
}


def field_named(name: Any) -> Field:
    """The searchable field with a name; `custom_attributes.x` is compared as text.

    Raises:
        InvalidQueryError: `name` is not a field.
    """
    if isinstance(name, str) and name.startswith(_CUSTOM):
        key = name.removeprefix(_CUSTOM)
        return Field(name, "string", _custom_attribute(key))
    field = _FIELDS.get(name) if isinstance(name, str) else None
    if field is None:
        raise InvalidQueryError("invalid_field", f"Invalid search field '{name}'")
    return field


def parse_query(raw: Any, *, in_cap: int = 0) -> Query:
    """Read a query.

    Args:
        raw: The `query` of a search body.
        in_cap: Maximum number of values in one `IN` or `NIN`; 0 means no limit.

    Raises:
        InvalidQueryError: The query is malformed, or exceeds the documented limits: 15 filters per
            group, 2 levels of groups. A group has either filters or groups, never both.
    """
    return _parse(raw, in_cap=in_cap, levels_left=MAX_LEVELS)


def _parse(raw: Any, *, in_cap: int, levels_left: int) -> Query:
    if not isinstance(raw, Mapping):
        raise _invalid()
    if "field" in raw:
        return _parse_filter(raw, in_cap=in_cap)
    operator, parts = raw.get("operator"), raw.get("value")
    if operator not in ("AND", "OR") or not isinstance(parts, list):
        raise _invalid()
    if not levels_left or not 0 < len(parts) <= MAX_FILTERS:
        raise _invalid()
    parsed = tuple(_parse(part, in_cap=in_cap, levels_left=levels_left - 1) for part in parts)
    if len({type(part) for part in parsed}) > 1:
        raise _invalid()
    return Group(operator, parsed)


def _parse_filter(raw: Mapping[str, Any], *, in_cap: int) -> Filter:
    field = field_named(raw["field"])
    operator = raw.get("operator")
    if operator not in get_args(Operator) or operator not in _OPERATORS[field.kind]:
        raise InvalidQueryError("data_invalid", f"Operator '{operator}' is not supported for '{field.name}'")
    value = raw.get("value")
    if operator not in ("IN", "NIN"):
        return Filter(field, operator, _one_value(field, operator, value))
    if not isinstance(value, list) or not value or (in_cap and len(value) > in_cap):
        raise InvalidQueryError("data_invalid", f"Invalid list of values for '{field.name}'")
    return Filter(field, operator, tuple(_one_value(field, operator, each) for each in value))


def _one_value(field: Field, operator: Operator, value: Any) -> Any:
    if value is None and operator in ("=", "!=") and field.kind != "date":
        return None
    if field.kind == "date":
        if isinstance(value, str) and value.isdecimal():
            return int(value)  # the official description's own example sends "1306054154"
        valid = isinstance(value, int) and not isinstance(value, bool)
    elif field.kind == "boolean":
        valid = isinstance(value, bool)
    else:
        # Reported: an empty string is refused.
        valid = isinstance(value, str) and value != ""
    if not valid or (field.name == "role" and value not in ("user", "lead")):
        raise InvalidQueryError("data_invalid", f"Invalid value for '{field.name}'")
    return value


def _invalid() -> InvalidQueryError:
    # Measured: the response names neither the limit nor the part of the query that exceeds it.
    return InvalidQueryError("data_invalid", "Invalid query")
