"""Contacts from a CSV file that a person exported or wrote."""

import csv
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from dinmo_pipeline.emulator.workspace.records import NewContact

_MAX_PROBLEMS: Final = 20
_DELIMITERS: Final = (",", ";", "\t", "|")
_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "email": ("email", "e_mail", "email_address", "mail"),
    "external_id": ("external_id", "user_id", "userid", "uid", "customer_id"),
    "name": ("name", "full_name", "contact_name"),
    "role": ("role", "type", "contact_type"),
    "created_at": ("created_at", "created", "signed_up", "signed_up_at", "signup_date"),
    "tags": ("tags", "tag"),
}
_FIELD_OF: Final = {alias: field for field, aliases in _ALIASES.items() for alias in aliases}

Row = Mapping[str, str]


class ContactsFileError(Exception):
    """A file of contacts cannot be used; the message has every problem with its line."""


def read_contacts(path: Path) -> list[NewContact]:
    """The contacts in a CSV file with a header; columns that no contact has are left out.

    Each row needs an email or an external id. Values are never part of an error, since they are people's.

    Raises:
        ContactsFileError: the file cannot be read, or a row is wrong.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ContactsFileError(f"{path} cannot be read: {reason}.") from error
    lines = csv.reader(text.splitlines(keepends=True), delimiter=_delimiter(text), strict=True)
    problems: list[str] = []
    try:
        header = next(lines, None)
        if header is None:
            raise ContactsFileError(f"{path} is empty. Its first line must name the columns: email,name")
        fields = _fields(header, path)
        contacts = list(_contacts(_rows(lines, fields, problems), problems))
    except csv.Error as error:
        raise ContactsFileError(f"{path}:{lines.line_num}: {error}.") from error
    if problems:
        shown = [f"{path}:{problem}" for problem in problems[:_MAX_PROBLEMS]]
        more = [f"… and {len(problems) - _MAX_PROBLEMS} more."] if len(problems) > _MAX_PROBLEMS else []
        raise ContactsFileError("\n".join([*shown, *more]))
    return contacts


def seed_of(contacts: Iterable[NewContact]) -> int:
    """A seed that other contacts would not have.

    So an emulator that starts again with other contacts does not give one the id that another had: a pipeline
    may still know that id.
    """
    seed = 0
    for contact in contacts:
        seed = zlib.crc32(f"{contact.email}\0{contact.external_id}\0{contact.role}".encode(), seed)
    return seed


def _delimiter(text: str) -> str:
    """The most frequent one in the header."""
    header = text.partition("\n")[0]
    return max(_DELIMITERS, key=header.count)


def _fields(header: Sequence[str], path: Path) -> list[str | None]:
    """The field of each column, None for a column that no contact has."""
    fields = [_FIELD_OF.get(re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")) for name in header]
    for field in _ALIASES:
        if fields.count(field) > 1:
            raise ContactsFileError(f"{path}:1: Several columns are the {field}. Keep one of them.")
    if "email" not in fields and "external_id" not in fields:
        raise ContactsFileError(
            f"{path}:1: There is no column of emails or external ids. Name one of the columns"
            f" {', '.join((*_ALIASES['email'], *_ALIASES['external_id']))}."
        )
    return fields


def _rows(
    lines: Iterator[list[str]], fields: Sequence[str | None], problems: list[str]
) -> Iterator[tuple[int, Row]]:
    """The line number and the values by field of each row that has values."""
    line = 2
    for values in lines:
        first, line = line, lines.line_num + 1  # type: ignore[attr-defined]  # of csv's reader
        if not any(value.strip() for value in values):
            continue
        if len(values) != len(fields):
            problems.append(f"{first}: This row has {_counted(len(values))}, the header {len(fields)}.")
            continue
        yield first, {field: value.strip() for field, value in zip(fields, values, strict=True) if field}


def _contacts(rows: Iterable[tuple[int, Row]], problems: list[str]) -> Iterator[NewContact]:
    lines_of_ids: dict[str, int] = {}
    for line, row in rows:
        found = [*_problems(row)]
        external_id = row.get("external_id") or None
        role = row.get("role", "").lower() or "user"
        if external_id and role == "user":
            first = lines_of_ids.setdefault(external_id, line)
            if first != line:
                found.append(f"This external id is also on line {first}.")
        if found:
            problems += [f"{line}: {problem}" for problem in found]
            continue
        yield NewContact(
            email=row.get("email") or None,
            external_id=external_id,
            role="lead" if role == "lead" else "user",
            name=row.get("name") or None,
            created_at=_seconds(row.get("created_at", "")),
            tags=tuple(tag.strip() for tag in re.split("[;|]", row.get("tags", "")) if tag.strip()),
        )


def _problems(row: Row) -> Iterator[str]:
    if not row.get("email") and not row.get("external_id"):
        yield "This row has neither an email nor an external id."
    if row.get("email") and "@" not in row["email"]:
        yield "The email has no @."
    if row.get("role", "").lower() not in ("", "user", "lead"):
        yield "The role must be user or lead."
    try:
        _seconds(row.get("created_at", ""))
    except (ValueError, OverflowError):
        yield "The time of creation must be Unix seconds, or a date or time such as 2026-03-01 12:30."


def _counted(values: int) -> str:
    return f"{values} value" if values == 1 else f"{values} values"


def _seconds(text: str) -> int | None:
    """Unix seconds of a number or an ISO 8601 time, UTC where it names no zone; None of an empty text."""
    if not text:
        return None
    if text.isdecimal():
        return int(text)
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
