"""What goes wrong between a declared segment and its members.

Exception
├── SourceError           the source cannot be opened, or refuses a statement
│   └── MissingTableError the source has no such table
└── SegmentError          a declared segment does not fit the source; all its problems at once
"""

from collections.abc import Sequence

from dinmo_pipeline.config.strict_yaml.problems import Problem


class SourceError(Exception):
    """The source cannot be opened or refuses a statement; the text never holds its URI."""


class MissingTableError(SourceError):
    """The source has no table of that name; `nearest` are names it has, the likeliest first."""

    def __init__(self, table: str, nearest: Sequence[str]) -> None:
        self.table = table
        self.nearest = tuple(nearest)
        super().__init__(f"The source has no table {table!r}.")


class SegmentError(Exception):
    """A declared segment does not fit the source: every problem found, in declared order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
