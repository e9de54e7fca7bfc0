"""What goes wrong between a declared segment and its members.

Exception
├── SourceError           the source cannot be opened, or refuses a statement
│   ├── SourceUnavailableError  it does not answer at present
│   ├── MissingTableError the source has no such table
│   └── TimeLimitError    the source did not answer in time, and was stopped
└── SegmentError          a declared segment does not fit the source; all its problems at once
"""

from collections.abc import Iterable, Sequence

from dinmo_pipeline.config.strict_yaml.problems import Place, Problem
from dinmo_pipeline.text.wording import counted, escaped, suggestion

_MAX_NAMES_LISTED = 30
_MAX_NAMES_SUGGESTED = 3


class SourceError(Exception):
    """The source cannot be opened or refuses a statement; the text never holds its URI."""

    def __init__(self, message: str) -> None:
        super().__init__(escaped(message))


class SourceUnavailableError(SourceError):
    """The source does not answer at present: the same may succeed later."""


class MissingTableError(SourceError):
    """The source has no table of that name; `known` are the names it has, if it lists them."""

    def __init__(self, table: str, known: Iterable[str]) -> None:
        self.table = table
        self.known = tuple(known)
        super().__init__(f"The source has no table {table!r}.")


class TimeLimitError(SourceError):
    """The source did not answer within its `query_timeout`, and was stopped."""

    def __init__(self, seconds: float) -> None:
        self.limit = _in_words(seconds)
        super().__init__(
            f"The query did not finish within {self.limit} and was stopped. Make it faster, or set a longer"
            " `query_timeout` for the source."
        )


def _in_words(seconds: float) -> str:
    """A length of time in its largest whole unit: `1 hour`, `90 minutes`."""
    for unit, length in (("hour", 3600), ("minute", 60)):
        if seconds >= length and seconds % length == 0:
            return counted(int(seconds // length), unit)
    return counted(int(seconds), "second")


class SegmentError(Exception):
    """A declared segment does not fit the source: every problem found, in declared order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def unknown_name(place: Place, subject: str, message: str, name: str, known: Iterable[str]) -> Problem:
    """A problem with a name that does not exist: the nearest ones, and all that do if they are few."""
    names = tuple(known)
    hint = suggestion(name, names, limit=_MAX_NAMES_SUGGESTED)
    allowed = names if len(names) <= _MAX_NAMES_LISTED else ()
    return Problem(place, subject, message, value=name, allowed=allowed, hint=hint)
