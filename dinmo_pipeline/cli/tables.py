"""Tables for the terminal, as wide as it is: columns that do not fit are left out, and named."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from dinmo_pipeline.cli.messages import report
from dinmo_pipeline.text.wording import escaped


class Share(float):
    """A share from 0 to 1, shown in percent."""


def as_share(value: float | None) -> Share | None:
    """A number as a share, if there is one."""
    return None if value is None else Share(value)


_NUMBERS = frozenset({int, float, Share})
_GAP = 1
# The last column of text may wrap at spaces, but is of no use when it is narrower.
_MIN_TEXT_WIDTH = 20


@dataclass(frozen=True, slots=True)
class Fitted:
    """The columns of a table that are shown, by index, and the names of those that are not.

    `is_tight` if even so they do not fit, so that cells have to wrap.
    """

    shown: tuple[int, ...]
    left_out: tuple[str, ...]
    is_tight: bool


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, optional: Sequence[str] = ()
) -> None:
    """Print rows under their columns, numbers right-aligned with thousands separators.

    In a terminal that is too narrow, `optional` columns are left out, the first of them first, and named on
    standard error. A file or pipe gets all of them: it has no edge.
    """
    values = [*rows]
    listed = [[_cell(value) for value in row] for row in values]
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = max(sum(_widths(columns, listed)) + _GAP * len(columns), 1)
    fitted = fit(columns, listed, optional, console.width)
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, _GAP, 0, 0))
    for index in fitted.shown:
        numeric = any(type(row[index]) in _NUMBERS for row in values)
        may_wrap = fitted.is_tight or (not numeric and index == max(fitted.shown))
        table.add_column(
            columns[index], justify="right" if numeric else "left", overflow="fold", no_wrap=not may_wrap
        )
    for row in listed:
        table.add_row(*(row[index] for index in fitted.shown))
    console.print(table)
    if fitted.left_out:
        report(
            f"Not shown, for lack of room: {', '.join(fitted.left_out)}. A wider terminal, `| less -S` or"
            " --json has all."
        )


def fit(columns: Sequence[str], rows: Sequence[Sequence[str]], optional: Sequence[str], width: int) -> Fitted:
    """Choose the columns that fit into a width, leaving out `optional` ones in their order."""
    widths = dict(zip(columns, _widths(columns, rows), strict=True))
    last = columns[-1]
    if last not in optional:
        widths[last] = min(widths[last], max(_MIN_TEXT_WIDTH, cell_len(last)))
    chosen = {name for name in columns if name not in optional}
    # The most important first; a narrow one may still find room that a wide one did not.
    for name in reversed(optional):
        if _total(widths, {*chosen, name}) <= width:
            chosen.add(name)
    return Fitted(
        tuple(index for index, name in enumerate(columns) if name in chosen),
        tuple(name for name in columns if name not in chosen),
        is_tight=_total(widths, chosen) > width,
    )


def _total(widths: Mapping[str, int], names: Collection[str]) -> int:
    return sum(widths[name] for name in names) + _GAP * (len(names) - 1)


def _widths(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    return [
        max(cell_len(line) for cell in (column, *(row[index] for row in rows)) for line in cell.split("\n"))
        for index, column in enumerate(columns)
    ]


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if type(value) is int:
        return f"{value:,}"
    if isinstance(value, Share):
        # Rounded to 100%, nobody would be missing.
        return f"{min(value, 0.99) if value < 1 else value:.0%}"
    return f"{value:.1f}" if type(value) is float else escaped(str(value))
