"""The fingerprint of a change set, to compare two without revealing anybody in them."""

import hashlib
from dataclasses import dataclass

import duckdb

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.state.sql import one_row


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A digest of the members who entered and left; `entered` and `left` count them.

    `salt` is random, so fingerprints of different plans cannot be compared or looked up.
    """

    salt: str
    digest: str
    entered: int
    left: int


def fingerprint_changes(
    connection: duckdb.DuckDBPyConnection, activation: Activation, salt: str
) -> Fingerprint:
    """The fingerprint of what `compute_changes` found, on the same connection with the state attached.

    Members who are not in Intercom or were never looked up count as entered: who should be tagged does not
    depend on whether they sign up between a plan and its sync. The combined hash is the same in any order,
    and needs no memory.
    """
    row = one_row(
        connection,
        """
        WITH ours AS (
            SELECT change, identifier FROM changes
            UNION
            SELECT 'entered', identifier FROM candidates
            SEMI JOIN (FROM dinmo.missing_members
                       WHERE destination = $destination AND match_by = $match_by)
                USING (identifier)
            WHERE member
        )
        SELECT bit_xor(md5_number(concat_ws(chr(31), $salt, change, identifier))),
               count(*) FILTER (change = 'entered'), count(*) FILTER (change = 'left')
        FROM ours
        """,
        {
            "salt": salt,
            "destination": activation.destination,
            "match_by": activation.match_by,
        },
    )
    combined, entered, left = row
    text = f"{salt}:{combined or 0}:{entered}:{left}"
    return Fingerprint(salt, hashlib.sha256(text.encode()).hexdigest()[:32], entered, left)
