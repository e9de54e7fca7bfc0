"""Whether an error of a source is transient: the server is away, or busy, and may answer later."""

import re

from dinmo_pipeline.segments.errors import SourceError, SourceUnavailableError

# Classes of SQLSTATEs: connection, resources, rollback (a standby's conflict), locks, operator, system.
_SQLSTATES = re.compile(r"08|40|53|55P03|57P|58")
_TEXTS = re.compile(
    r"(server|host) closed the connection|terminating connection|no connection to the server"
    r"|connection (was |has been |is )?(lost|reset|closed|refused|aborted)|could not connect|broken pipe"
    r"|timed out|timeout|temporar(y|ily)|(service|server) (is )?unavailable|too many (connections|requests)"
    r"|starting up|shutting down|recovery",
    re.IGNORECASE,
)


def source_error(message: str, sqlstate: str | None = None) -> SourceError:
    """The error of a driver: by the server's SQLSTATE, or without one by the driver's words."""
    # ADBC gives "00000" for an error that has none.
    known = sqlstate if sqlstate and sqlstate.strip("0\0") else None
    is_transient = _SQLSTATES.match(known) if known else _TEXTS.search(message)
    return SourceUnavailableError(message) if is_transient else SourceError(message)
