"""Which errors are a person's to mend, what to tell, and the exit code."""

import click

from dinmo_pipeline.config import ConfigError, render
from dinmo_pipeline.intercom.errors import IntercomError

DONE, FAILED, WRONG_USAGE, HELD = 0, 1, 2, 3


def explain(error: Exception) -> int:
    """Tell a known error on standard error and return the exit code; raise any other again."""
    from dinmo_pipeline.segments import SegmentError, SourceError  # noqa: PLC0415  # slow to import
    from dinmo_pipeline.state.errors import StateError  # noqa: PLC0415

    if isinstance(error, ConfigError):
        click.echo(str(error), err=True)
        return WRONG_USAGE
    if isinstance(error, SegmentError):
        click.echo(render(error.problems), err=True)
        return WRONG_USAGE
    if isinstance(error, SourceError | StateError | IntercomError):
        click.echo(str(error), err=True)
        return FAILED
    raise error
