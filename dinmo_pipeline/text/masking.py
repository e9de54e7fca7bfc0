"""Hides what may not be shown: secrets, identifiers of members, and the values that errors quote."""

import re
from collections.abc import Iterator

MASK = "***"
_EMAIL = re.compile(r"[^\s\"'<>(),;:=]+@[^\s\"'<>(),;]+")
_CREDENTIALS = (
    re.compile(r"(?<=://)[^/\s@]+(?=@)"),  # user and password of a URL
    re.compile(r"(?<=token=)[^&\s\"']+", re.IGNORECASE),  # in its query
)
_QUOTED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"")
_MIN_LENGTH_TO_SHOW_A_START, _MIN_LENGTH_TO_SHOW_BOTH_ENDS = 4, 6


def mask_emails(text: str) -> str:
    """Text with each email address hidden.

    >>> mask_emails("no user ann@example.com here")
    'no user ***@*** here'
    """
    return _EMAIL.sub(f"{MASK}@{MASK}", text)


def mask_quoted(text: str) -> str:
    """Text with whatever stands in quotes hidden.

    >>> mask_quoted("Could not convert string 'ann' to INT32")
    "Could not convert string '***' to INT32"
    """
    return _QUOTED.sub(lambda quoted: f"{quoted[0][0]}{MASK}{quoted[0][-1]}", text)


def mask_credentials(text: str) -> str:
    """Text with the user and password of a URL, and the token in its query, hidden.

    >>> mask_credentials("postgresql://ann:s3cret@host/shop")
    'postgresql://***@host/shop'
    """
    for pattern in _CREDENTIALS:
        text = pattern.sub(MASK, text)
    return text


def credential_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where the credentials in a text stand: (start, end), the end exclusive."""
    for pattern in _CREDENTIALS:
        yield from (match.span() for match in pattern.finditer(text))


def mask_identifier(identifier: str) -> str:
    """A member's email or id with its middle hidden: enough to recognise it, never the whole.

    >>> mask_identifier("anna@example.com"), mask_identifier("C000421")
    ('a***@e***.com', 'C0***1')
    """
    local, at, domain = identifier.rpartition("@")
    if not at:
        return _printable(_mask_id(identifier))
    name, dot, ending = domain.rpartition(".")
    if not dot:
        name, ending = domain, ""
    return _printable(f"{_first(local)}@{_first(name)}{dot}{ending if dot else ''}")


def _first(text: str) -> str:
    """The first of several characters; of a single one nothing."""
    return f"{text[0]}{MASK}" if len(text) > 1 else MASK


def _mask_id(text: str) -> str:
    """Of short ids nothing or the first character: at most half is shown."""
    if len(text) >= _MIN_LENGTH_TO_SHOW_BOTH_ENDS:
        return f"{text[:2]}{MASK}{text[-1]}"
    return f"{text[0]}{MASK}" if len(text) >= _MIN_LENGTH_TO_SHOW_A_START else MASK


def _printable(text: str) -> str:
    """What comes from a warehouse must not steer the terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)
