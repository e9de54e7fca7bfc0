"""Identifiers of members shown to a person: enough to recognise one, never the whole."""

_MASK = "***"
_SHORT, _LONG = 4, 6


def masked(identifier: str) -> str:
    """An identifier with its middle hidden, whatever its length.

    >>> masked("anna@example.com"), masked("C000421")
    ('a***@e***.com', 'C0***1')
    """
    local, at, domain = identifier.rpartition("@")
    if not at:
        return _printable(_masked_id(identifier))
    name, dot, ending = domain.rpartition(".")
    if not dot:
        name, ending = domain, ""
    return _printable(f"{_first(local)}@{_first(name)}{dot}{ending if dot else ''}")


def _first(text: str) -> str:
    """The first of several characters; of a single one nothing."""
    return f"{text[0]}{_MASK}" if len(text) > 1 else _MASK


def _masked_id(text: str) -> str:
    """Of short ids nothing or the first character: at most half is shown."""
    if len(text) >= _LONG:
        return f"{text[:2]}{_MASK}{text[-1]}"
    return f"{text[0]}{_MASK}" if len(text) >= _SHORT else _MASK


def _printable(text: str) -> str:
    """What comes from a warehouse must not steer the terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)
