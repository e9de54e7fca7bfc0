"""What can go wrong with the state file.

StateError
├── StateBusyError       another process kept the file locked for too long
│   └── ActivationHeldError  another sync of the activation did not end in time
├── StateMemoryError     the work needs more memory than there is
├── StateVersionError    the file was written by a newer release
└── StateUnusableError   the file cannot be opened or used: no database, no permission, no room on the disk
"""


class StateError(Exception):
    """The state database cannot be used; the message names the file and the fix."""


class StateBusyError(StateError):
    """Another process kept the state file locked for longer than we wait."""


class ActivationHeldError(StateBusyError):
    """Another sync of the activation ran for longer than we wait."""


class StateMemoryError(StateError):
    """What is done with the state needs more memory than DuckDB may take."""


class StateVersionError(StateError):
    """The state file has a schema that this release does not know."""


class StateUnusableError(StateError):
    """The state file cannot be opened at all."""
