"""A progress bar for long work, if a person is watching."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dinmo_pipeline.sync.session import progress_listener


@contextmanager
def progress_bar(beginning: str = "comparing") -> Iterator[None]:
    """Show the progress of the work inside the block on standard error; nothing without a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        tasks = {"": bar.add_task(beginning, total=None)}

        def listen(label: str, done: int, total: int) -> None:
            if label not in tasks:
                tasks[label] = bar.add_task(label, total=total)
            bar.update(tasks[label], completed=done, total=total)

        token = progress_listener.set(listen)
        try:
            yield
        finally:
            progress_listener.reset(token)
