"""Apply only what was reviewed: the change set of a plan, recognised by its fingerprint."""

import re
import secrets

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.state.changes import compute_changes
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.fingerprint import Fingerprint, fingerprint_changes
from dinmo_pipeline.sync.guards.holds import Hold, OtherChanges, UnreadableFingerprint

_WRITTEN = re.compile(r"1:([0-9a-f]{16}):([0-9a-f]{32}):(\d{1,18}):(\d{1,18})")


def new_salt() -> str:
    """A random salt for a plan's fingerprints."""
    return secrets.token_hex(8)


def written(fingerprint: Fingerprint) -> str:
    """A fingerprint as plan files and run configs hold it: `1:salt:digest:entered:left`."""
    values = (fingerprint.salt, fingerprint.digest, fingerprint.entered, fingerprint.left)
    return ":".join(("1", *(str(value) for value in values)))


def read_fingerprint(text: str) -> Fingerprint | None:
    """The fingerprint that was written; None for another text."""
    match = _WRITTEN.fullmatch(text)
    if match is None:
        return None
    salt, digest, entered, left = match.groups()
    return Fingerprint(salt, digest, int(entered), int(left))


def difference_from_reviewed(state: StateDatabase, activation: Activation, expected: str) -> Hold | None:
    """How the current change set differs from the expected one (as `written`); None when it does not.

    The caller holds the activation's lock, so nothing changes between this and applying it.

    Raises:
        StateError: the state cannot be read.
    """
    planned = read_fingerprint(expected)
    if planned is None:
        return Hold(UnreadableFingerprint(expected))
    with state.reading() as connection:
        compute_changes(connection, activation)
        now = fingerprint_changes(connection, activation, planned.salt)
    return None if now == planned else Hold(OtherChanges(planned, now))
