"""Columns of text that become numbers, days or moments where a condition needs them: those of CSV files."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from sqlglot import exp


@dataclass(frozen=True, slots=True)
class Misfits:
    """The values of an untyped column that do not fit what a condition needs.

    Attributes:
        values: the number of values that are neither NULL nor blank.
        misfits: how many of them do not fit.
        forms: the number of values of each form that was asked for.
        example: one that does not fit, as it is in the file.
        place: where that is, if the source knows: `customers.csv, line 3`.
    """

    values: int
    misfits: int
    forms: Mapping[str, int]
    example: str | None
    place: str | None


class UntypedSource(Protocol):
    """A source with untyped columns."""

    def misfits(self, table: str, column: str, fits: exp.Expr, forms: Mapping[str, exp.Expr]) -> Misfits:
        """Count the values of a column for which the condition `fits` does not hold, and its `forms`."""
