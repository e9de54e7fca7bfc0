"""What can go wrong with the state file.

StateError
├── StateBusyError       another process kept the file locked for too long
├── StateVersionError    the file was written by a newer release
└── StateUnusableError   the file cannot be opened: no database, no permission, no folder
"""


class StateError(Exception):
    """The state database cannot be used; the message names the file and the fix."""


class StateBusyError(StateError):
    """Another process kept the state file locked for longer than we wait."""


class StateVersionError(StateError):
    """The state file has a schema that this release does not know."""


class StateUnusableError(StateError):
    """The state file cannot be opened at all."""
