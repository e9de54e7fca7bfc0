"""Errors of the state file.

StateError
├── StateBusyError       another process kept the file locked for too long
│   ├── ActivationHeldError  another sync of the activation did not end in time
│   └── DestinationHeldError another run of the destination did not end in time
├── StateMemoryError     the work needs more memory than is available
├── StateVersionError    the file was written by a newer release
└── StateUnusableError   the file cannot be opened or used: not a database, no permission, disk full
"""

from dinmo_pipeline.text.wording import escaped


class StateError(Exception):
    """The state database cannot be used; the message names the file and the fix."""

    def __init__(self, message: str) -> None:
        super().__init__(escaped(message))


class StateBusyError(StateError):
    """Another process kept the state file locked for longer than we wait."""


class ActivationHeldError(StateBusyError):
    """Another sync of the activation ran for longer than we wait."""


class DestinationHeldError(StateBusyError):
    """Another run or command worked on the destination for longer than we wait."""


class StateMemoryError(StateError):
    """The work needs more memory than DuckDB may use."""


class StateVersionError(StateError):
    """This release does not know the schema of the state file."""


class StateUnusableError(StateError):
    """The state file cannot be opened or used."""
