"""Counted nouns, suggestions, and text from outside inside a sentence."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

MAX_LENGTH_SHOWN = 80
# Control characters, separators of lines, marks of direction (Unicode's Bidi_Control), and lone surrogates.
_UNSAFE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """A number with its noun; without `plural`, an s is added.

    >>> counted(1, "row"), counted(1200, "row"), counted(0, "entry", "entries")
    ('1 row', '1,200 rows', '0 entries')
    """
    return f"{number:,} {singular if number == 1 else plural or f'{singular}s'}"


def in_bytes(number: int) -> str:
    """A number of bytes for people.

    >>> in_bytes(512), in_bytes(151_552), in_bytes(2_100_000_000)
    ('512 bytes', '152 KB', '2.1 GB')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number / 1e3:.0f} KB" if number >= 1e3 else counted(number, "byte")  # noqa: PLR2004


def shown(text: str) -> str:
    """A user's text inside a sentence: on one line, printable, and at most MAX_LENGTH_SHOWN characters."""
    clean = "".join(c if c.isprintable() else " " for c in text)
    return clean if len(clean) <= MAX_LENGTH_SHOWN else f"{clean[:MAX_LENGTH_SHOWN]}…"


def escaped(text: str) -> str:
    """A text from outside, with what could change a terminal or the direction of writing made visible.

    Control characters other than tab and newline, and marks of direction, are written as JSON writes them:
    a backslash, `u`, and four digits.

    >>> escaped("red" + chr(27)) == "red" + chr(92) + "u001b"
    True
    """
    return _UNSAFE.sub(lambda found: f"{chr(92)}u{ord(found[0]):04x}", text)


def nearest(name: str, known: Iterable[str], *, limit: int = 1) -> tuple[str, ...]:
    """The known names that `name` was perhaps meant to be, the likeliest first; case does not count."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    near = get_close_matches(name.casefold()[:MAX_LENGTH_SHOWN], by_folded, n=limit, cutoff=0.6)
    return tuple(by_folded[folded] for folded in near)


def suggestion(name: str, known: Iterable[str], *, limit: int = 1) -> str | None:
    """`Perhaps you meant 'segment'.`, if known names are near.

    >>> suggestion("segmnet", ["segment", "model"])
    "Perhaps you meant 'segment'."
    """
    near = nearest(name, known, limit=limit)
    return f"Perhaps you meant {' or '.join(repr(each) for each in near)}." if near else None
