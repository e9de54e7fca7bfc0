"""Apply only what was reviewed: the change set of a plan, recognised by its fingerprint."""

import re
import secrets

import duckdb

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.state.changes import compute_changes
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.fingerprint import Fingerprint, fingerprint_changes

NOT_AS_REVIEWED = "The changes are not those that were reviewed"
_WRITTEN = re.compile(r"1:([0-9a-f]{16}):([0-9a-f]{32}):(\d{1,18}):(\d{1,18})")


def new_salt() -> str:
    """A random salt for a plan's fingerprints."""
    return secrets.token_hex(8)


def written(fingerprint: Fingerprint) -> str:
    """As it stands in a plan file and in a run's config: `1:salt:digest:entered:left`."""
    values = (fingerprint.salt, fingerprint.digest, fingerprint.entered, fingerprint.left)
    return ":".join(("1", *(str(value) for value in values)))


def read_fingerprint(text: str) -> Fingerprint | None:
    """The fingerprint that was written; None for another text."""
    match = _WRITTEN.fullmatch(text)
    if match is None:
        return None
    salt, digest, entered, left = match.groups()
    return Fingerprint(salt, digest, int(entered), int(left))


def difference_from_reviewed(
    state: StateDatabase, activation: Activation, expected: str
) -> str | None:
    """Why the change set of now is not the expected one (as `written`), in words; None when it is.

    The caller holds the activation's lock, so that nothing comes between this and applying it.

    Raises:
        StateError: the state cannot be read.
    """
    then = read_fingerprint(expected)
    if then is None:
        return f"{NOT_AS_REVIEWED}: {expected!r} is no fingerprint of a plan."
    with state.reading() as connection:
        now = _fingerprint_of_now(connection, activation, then.salt)
    if now == then:
        return None
    if (now.entered, now.left) == (then.entered, then.left):
        what = f"still {now.entered:,} enter and {now.left:,} leave, but not the same members"
    else:
        what = (
            f"{then.entered:,} entered and {then.left:,} left then,"
            f" {now.entered:,} enter and {now.left:,} leave now"
        )
    return f"{NOT_AS_REVIEWED}: {what}."


def _fingerprint_of_now(
    connection: duckdb.DuckDBPyConnection, activation: Activation, salt: str
) -> Fingerprint:
    compute_changes(connection, activation)
    return fingerprint_changes(connection, activation, salt)
