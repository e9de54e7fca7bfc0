"""The fingerprint of a change set: whether two are the same, without a name in it."""

import hashlib
from dataclasses import dataclass

import duckdb

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.state.sql import one_row


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Who enters and leaves, as a digest; `entered` and `left` count members.

    `salt` is random, so that fingerprints of different plans cannot be compared or looked up.
    """

    salt: str
    digest: str
    entered: int
    left: int


def fingerprint_changes(
    connection: duckdb.DuckDBPyConnection, activation: Activation, salt: str
) -> Fingerprint:
    """The fingerprint of what `compute_changes` found, on the same connection with the state attached.

    Members who are not in Intercom count as entering: whether one of them signs up between a plan and
    its sync changes nothing about who ought to be tagged. So do members nobody looked for yet. The sum of
    hashes is the same in any order, and needs no memory.
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
