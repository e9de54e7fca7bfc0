"""Stuck members: Intercom refused their change in several syncs in a row, and it is still to be made."""

import duckdb

from dinmo_pipeline.text.wording import counted

FAILED_SYNCS = 3  # failed syncs in a row that make a member stuck


def count_stuck(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """The number of stuck members by activation; activations without any are left out.

    A member's outcome in a sync is the worst of its contacts'. A sync without an answer (`pending`) does not
    count. A member who is no longer in the newest change set is not stuck.
    """
    found = connection.execute(
        f"""
        WITH refused AS (
            SELECT activation, change, identifier FROM dinmo.change_log
            WHERE outcome = 'failed' GROUP BY ALL HAVING count(DISTINCT sync_id) >= {FAILED_SYNCS}
        ),
        suspects AS (
            FROM refused SEMI JOIN dinmo.membership_changes USING (activation, change, identifier)
        ),
        outcomes AS (
            SELECT activation, change, identifier, sync_id, max(rowid) AS newest_row,
                   bool_or(outcome = 'failed') AS failed
            FROM dinmo.change_log SEMI JOIN suspects USING (activation, change, identifier)
            WHERE outcome <> 'pending' GROUP BY ALL
        ),
        newest AS (
            FROM outcomes
            QUALIFY row_number() OVER (
                PARTITION BY activation, change, identifier ORDER BY newest_row DESC
            ) <= {FAILED_SYNCS}
        ),
        stuck AS (
            SELECT activation, change, identifier FROM newest GROUP BY ALL HAVING bool_and(failed)
        )
        SELECT activation, count(DISTINCT identifier) FROM stuck GROUP BY ALL
        """
    ).fetchall()
    return dict(found)


def stuck_members(number: int) -> str:
    """What a person should know about stuck members."""
    return (
        f"{counted(number, 'member is', 'members are')} stuck: Intercom refused the change in each of the"
        f" last {FAILED_SYNCS} syncs. `dinmo.change_log` has reason and request_id."
    )
