"""Tables for the terminal."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from dinmo_pipeline.text.wording import escaped

NUMBERS = frozenset({int, float})
_WIDTH_WITHOUT_TERMINAL = 200  # a file or pipe has no edge to fold at


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under their columns, numbers right-aligned with thousands separators."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    listed = [list(row) for row in rows]
    for index, column in enumerate(columns):
        numeric = any(type(row[index]) in NUMBERS for row in listed)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in listed:
        table.add_row(*(_cell(value) for value in row))
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = _WIDTH_WITHOUT_TERMINAL
    console.print(table)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if type(value) is int:
        return f"{value:,}"
    return f"{value:.1f}" if type(value) is float else escaped(str(value))
