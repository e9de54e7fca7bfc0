"""The exit codes, and the errors that a person can fix."""

from dinmo_pipeline.config import ConfigError, DeclarationsNotFoundError, render
from dinmo_pipeline.intercom.errors import IntercomError
from dinmo_pipeline.state.errors import StateError

DONE, FAILED, WRONG_USAGE, HELD = 0, 1, 2, 3


def message_and_code(error: Exception) -> tuple[str, int] | None:
    """What to print for an error, and the exit code; None for an unexpected error."""
    from dinmo_pipeline.segments import SegmentError, SourceError  # noqa: PLC0415  # 0.2 s to import

    match error:
        case ConfigError() | DeclarationsNotFoundError():
            return str(error), WRONG_USAGE
        case SegmentError():
            return render(error.problems), WRONG_USAGE
        case SourceError() | StateError() | IntercomError():
            return str(error), FAILED
    return None
