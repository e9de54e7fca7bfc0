"""What the state knows of each activation, in one row: for `dinmo status`."""

from typing import Any

import duckdb


def overview(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, Any]]:
    """By activation key: tag, counts of members, tagged contacts and waiting changes, the last sync.

    Tag and tagged contacts are those of the activation's present destination. `changes` are those of the
    newest change set that no successful sync has applied.
    """
    cursor = connection.execute(
        """
        WITH last_sync AS (
            SELECT activation, started_at, status, reason FROM dinmo.syncs
            QUALIFY row_number() OVER (PARTITION BY activation ORDER BY started_at DESC) = 1
        ),
        computed AS (
            SELECT activation, max(materialized_at) AS at FROM dinmo.membership_sizes GROUP BY ALL
        ),
        counts AS (
            SELECT activation, count(*) AS members, 0 AS tagged, 0 AS changes
            FROM dinmo.segment_membership GROUP BY ALL
            UNION ALL
            SELECT activation, 0, count(tagged_at), 0 FROM dinmo.tagged_contacts
            SEMI JOIN dinmo.change_sets USING (activation, destination) GROUP BY ALL
            UNION ALL
            SELECT activation, 0, 0, count(DISTINCT (change, identifier))
            FROM dinmo.membership_changes GROUP BY ALL
            UNION ALL
            SELECT activation, 0, 0, 0 FROM dinmo.membership_sizes
            UNION ALL
            SELECT activation, 0, 0, 0 FROM dinmo.activation_tags
        ),
        tags AS (
            FROM dinmo.activation_tags SEMI JOIN dinmo.change_sets USING (activation, destination)
        )
        SELECT counts.activation,
               any_value(tags.name) AS tag_name,
               sum(members)::BIGINT AS members,
               sum(tagged)::BIGINT AS tagged_contacts,
               CASE WHEN any_value(last_sync.status) = 'ok'
                         AND any_value(last_sync.started_at) > any_value(computed.at)
                    THEN 0 ELSE sum(changes)::BIGINT END AS changes,
               any_value(last_sync.started_at) AS last_sync_at,
               any_value(last_sync.status) AS last_status,
               any_value(last_sync.reason) AS last_reason
        FROM counts
        LEFT JOIN last_sync USING (activation)
        LEFT JOIN computed USING (activation)
        LEFT JOIN tags USING (activation)
        GROUP BY counts.activation ORDER BY counts.activation
        """
    )
    columns = [column[0] for column in cursor.description or ()][1:]
    return {row[0]: dict(zip(columns, row[1:], strict=True)) for row in cursor.fetchall()}
