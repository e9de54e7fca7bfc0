"""Messages on standard error; standard output belongs to results."""

import logging
import sys

import click

from dinmo_pipeline.text.wording import escaped


def report(message: str) -> None:
    """Print a message for the person who watches."""
    click.echo(escaped(message), err=True)


def echo(text: str = "") -> None:
    """Print a part of the result."""
    click.echo(escaped(text))


def message_log() -> logging.Logger:
    """A logger whose messages are reported as they are, without level or time."""
    log = logging.getLogger("dinmo")
    if not log.handlers:
        log.addHandler(_ReportHandler())
        log.setLevel(logging.INFO)
        log.propagate = False
    return log


class _ReportHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        report(record.getMessage())


def confirm(question: str, *, yes: bool) -> None:
    """Ask a person; without a terminal, only `--yes` confirms.

    Raises:
        click.UsageError: there is no terminal to ask on. click.Abort: the answer was no.
    """
    if yes:
        return
    if not (sys.stdin and sys.stdin.isatty()):
        raise click.UsageError(f"{question} There is no terminal to ask on; confirm with --yes.")
    click.confirm(question, abort=True, err=True)
