"""A place in the declarations, and what is wrong there."""

from dataclasses import dataclass
from dataclasses import field as dataclass_field


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A position in a declarations file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        """`activations.yaml:12:5`."""
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The source line of a place and up to two before it, secrets masked.

    `lines` are (line number, text); `caret` is the offset of the problem in the last line, in characters.
    """

    lines: tuple[tuple[int, str], ...]
    caret: int


Owner = tuple[str, str]
"""The kind and key of a declared object: `("segment", "churned")`."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the declarations.

    `subject` names the object (`activation 'churned_eu'`), `message` is a sentence without a secret in it,
    `value` is what was found (None where it may be a secret), `allowed` lists what would be accepted.
    `owner` is the declared object that it breaks; None if it breaks all of them.
    """

    place: Place
    subject: str
    message: str
    value: str | None = None
    allowed: tuple[str, ...] = ()
    hint: str | None = None
    excerpt: Excerpt | None = dataclass_field(default=None, compare=False, repr=False)
    owner: Owner | None = dataclass_field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        """One line: place, object, message."""
        return f"{self.place}: {self.subject}: {self.message}"
