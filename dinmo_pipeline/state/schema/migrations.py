"""The tables of the state, as SQL: one script per version of the schema; the first creates everything.

A released script is never edited; a new version adds one. `descriptions.py` describes each table and column,
and the database shows those descriptions as comments.
"""

from collections.abc import Sequence

MIGRATIONS: Sequence[str] = (
    # 1: the first release
    """
    CREATE SEQUENCE dinmo.touches;

    CREATE TABLE dinmo.segment_membership (
        activation VARCHAR NOT NULL,
        identifier VARCHAR NOT NULL,
        entered_at TIMESTAMPTZ NOT NULL
    );
    CREATE TABLE dinmo.membership_departures (
        activation VARCHAR NOT NULL,
        identifier VARCHAR NOT NULL,
        entered_at TIMESTAMPTZ NOT NULL,
        left_at TIMESTAMPTZ NOT NULL
    );
    CREATE VIEW dinmo.membership_history AS
        SELECT activation, identifier, entered_at, NULL::TIMESTAMPTZ AS left_at
        FROM dinmo.segment_membership
        UNION ALL
        SELECT activation, identifier, entered_at, left_at FROM dinmo.membership_departures;
    CREATE TABLE dinmo.membership_sizes (
        activation VARCHAR NOT NULL,
        materialized_at TIMESTAMPTZ NOT NULL,
        match_by VARCHAR NOT NULL,
        members BIGINT NOT NULL,
        added BIGINT NOT NULL,
        removed BIGINT NOT NULL,
        rows_read BIGINT NOT NULL,
        null_identifiers BIGINT NOT NULL,
        blank_identifiers BIGINT NOT NULL,
        malformed_identifiers BIGINT NOT NULL,
        duplicate_rows BIGINT NOT NULL
    );

    CREATE TABLE dinmo.contacts (
        destination VARCHAR NOT NULL,
        contact_id VARCHAR NOT NULL,
        email VARCHAR,
        external_id VARCHAR,
        by_email BOOLEAN NOT NULL,
        seen_at TIMESTAMPTZ NOT NULL,
        touched BIGINT NOT NULL
    );
    CREATE TABLE dinmo.missing_members (
        destination VARCHAR NOT NULL,
        match_by VARCHAR NOT NULL,
        identifier VARCHAR NOT NULL,
        looked_at TIMESTAMPTZ NOT NULL,
        looks INTEGER NOT NULL
    );
    CREATE TABLE dinmo.signup_looks (
        destination VARCHAR PRIMARY KEY,
        looked_at TIMESTAMPTZ NOT NULL
    );

    CREATE TABLE dinmo.tagged_contacts (
        activation VARCHAR NOT NULL,
        destination VARCHAR NOT NULL,
        contact_id VARCHAR NOT NULL,
        identifier VARCHAR NOT NULL,
        tagged_at TIMESTAMPTZ
    );
    CREATE TABLE dinmo.activation_tags (
        activation VARCHAR NOT NULL,
        destination VARCHAR NOT NULL,
        tag_id VARCHAR NOT NULL,
        name VARCHAR NOT NULL,
        PRIMARY KEY (activation, destination)
    );

    CREATE TABLE dinmo.change_sets (
        activation VARCHAR PRIMARY KEY,
        destination VARCHAR NOT NULL,
        match_by VARCHAR NOT NULL,
        on_multiple_users VARCHAR NOT NULL,
        number BIGINT NOT NULL,
        settled BIGINT NOT NULL
    );
    CREATE TABLE dinmo.membership_changes (
        activation VARCHAR NOT NULL,
        position BIGINT NOT NULL,
        change VARCHAR NOT NULL,
        identifier VARCHAR NOT NULL,
        contact_id VARCHAR
    );
    CREATE TABLE dinmo.change_log (
        activation VARCHAR NOT NULL,
        sync_id VARCHAR NOT NULL,
        logged_at TIMESTAMPTZ NOT NULL,
        change VARCHAR NOT NULL,
        identifier VARCHAR NOT NULL,
        contact_id VARCHAR,
        outcome VARCHAR NOT NULL,
        reason VARCHAR,
        request_id VARCHAR
    );
    CREATE TABLE dinmo.syncs (
        sync_id VARCHAR NOT NULL,
        activation VARCHAR NOT NULL,
        started_at TIMESTAMPTZ NOT NULL,
        finished_at TIMESTAMPTZ,
        status VARCHAR NOT NULL,
        reason VARCHAR,
        members BIGINT,
        entered BIGINT,
        "left" BIGINT,
        tagged BIGINT,
        untagged BIGINT,
        not_in_intercom BIGINT,
        ambiguous BIGINT,
        failed BIGINT,
        pending BIGINT,
        api_calls BIGINT,
        seconds DOUBLE
    );
    """,
    # 2: the type of the identifiers, and the reading that was last applied to a destination
    """
    ALTER TABLE dinmo.membership_sizes ADD COLUMN identifier_type VARCHAR;
    ALTER TABLE dinmo.membership_sizes ADD COLUMN applied_to VARCHAR;
    -- The latest reading that a successful sync followed.
    UPDATE dinmo.membership_sizes AS sizes SET applied_to = change_sets.destination
    FROM dinmo.change_sets
    WHERE change_sets.activation = sizes.activation
      AND sizes.materialized_at = (
        SELECT max(earlier.materialized_at)
        FROM dinmo.membership_sizes AS earlier JOIN dinmo.syncs USING (activation)
        WHERE earlier.activation = sizes.activation
          AND syncs.status = 'ok' AND syncs.started_at >= earlier.materialized_at
      );
    """,
    # 3: the workspace of each destination
    """
    CREATE TABLE dinmo.workspaces (
        destination VARCHAR PRIMARY KEY,
        workspace_id VARCHAR NOT NULL,
        name VARCHAR NOT NULL,
        access VARCHAR NOT NULL
    );
    """,
    # 4: why a sync was held, as a value beside its sentence
    """
    ALTER TABLE dinmo.syncs ADD COLUMN hold_reason VARCHAR;
    """,
    # 5: the contact that another was merged into, which was part of the reason before
    """
    ALTER TABLE dinmo.change_log ADD COLUMN merged_into VARCHAR;
    UPDATE dinmo.change_log
    SET merged_into = split_part(reason, ' into ', 2), reason = split_part(reason, ' into ', 1)
    WHERE contains(reason, ' into ');
    """,
    # 6: a tag belongs to one activation; releases, carriers that we did not tag, and when facts were checked
    """
    ALTER TABLE dinmo.membership_sizes ADD COLUMN released BOOLEAN DEFAULT false;
    CREATE TABLE dinmo.stray_tags (
        activation VARCHAR NOT NULL,
        destination VARCHAR NOT NULL,
        tag_id VARCHAR NOT NULL,
        contact_id VARCHAR NOT NULL
    );
    CREATE TABLE dinmo.carrier_counts (
        activation VARCHAR NOT NULL,
        destination VARCHAR NOT NULL,
        counted_at TIMESTAMPTZ NOT NULL,
        others BIGINT NOT NULL,
        PRIMARY KEY (activation, destination)
    );
    ALTER TABLE dinmo.syncs ADD COLUMN other_carriers BIGINT;
    ALTER TABLE dinmo.syncs ADD COLUMN skipped BIGINT;
    ALTER TABLE dinmo.syncs ADD COLUMN not_found BIGINT;
    UPDATE dinmo.syncs SET skipped = 0, not_found = 0 WHERE members IS NOT NULL;
    ALTER TABLE dinmo.contacts ADD COLUMN checked_at TIMESTAMPTZ;
    UPDATE dinmo.contacts SET checked_at = seen_at;
    -- These times were ours, and are Intercom's from now on.
    DELETE FROM dinmo.signup_looks WHERE looked_at > now();
    CREATE TABLE dinmo.rechecks (
        activation VARCHAR NOT NULL,
        destination VARCHAR NOT NULL,
        rechecked_at TIMESTAMPTZ NOT NULL,
        PRIMARY KEY (activation, destination)
    );
    -- Of several owners of one tag, the one stays that is still sent there, was synced last, and has more
    -- contacts. It takes over the others' contacts: its next sync untags those who are not its members.
    CREATE TEMP TABLE owners AS
    WITH ranked AS (
        SELECT tags.activation, tags.destination, tag_id,
               coalesce(workspace_id, 'destination ' || tags.destination) AS workspace,
               change_sets.destination = tags.destination IS TRUE AS is_sent_there,
               (SELECT max(syncs.rowid) FROM dinmo.syncs WHERE syncs.activation = tags.activation) AS synced,
               (SELECT count(*) FROM dinmo.tagged_contacts AS ledger
                WHERE ledger.activation = tags.activation
                  AND ledger.destination = tags.destination) AS contacts
        FROM dinmo.activation_tags AS tags
        LEFT JOIN dinmo.workspaces USING (destination)
        LEFT JOIN dinmo.change_sets USING (activation)
    )
    SELECT activation, destination, tag_id,
           first_value(activation) OVER best AS owner, first_value(destination) OVER best AS owner_at
    FROM ranked
    WINDOW best AS (
        PARTITION BY workspace, tag_id
        ORDER BY is_sent_there DESC, synced DESC NULLS LAST, contacts DESC, activation
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    );
    CREATE TEMP TABLE losers AS
    FROM owners WHERE (activation, destination) <> (owner, owner_at);
    CREATE TEMP TABLE given AS
    SELECT losers.owner, losers.owner_at, ledger.contact_id, min(ledger.identifier) AS identifier,
           max(ledger.tagged_at) AS tagged_at
    FROM dinmo.tagged_contacts AS ledger JOIN losers USING (activation, destination)
    GROUP BY ALL;
    DELETE FROM dinmo.tagged_contacts AS ledger USING losers
    WHERE ledger.activation = losers.activation AND ledger.destination = losers.destination;
    INSERT INTO dinmo.tagged_contacts
    SELECT owner, owner_at, contact_id, identifier, tagged_at FROM given
    WHERE (owner, owner_at, contact_id) NOT IN (
        SELECT (activation, destination, contact_id) FROM dinmo.tagged_contacts
    );
    DELETE FROM dinmo.activation_tags AS tags USING losers
    WHERE tags.activation = losers.activation AND tags.destination = losers.destination;
    DROP TABLE owners;
    DROP TABLE losers;
    DROP TABLE given;
    """,
    # 7: activations that a person has paused
    """
    CREATE TABLE dinmo.pauses (
        activation VARCHAR PRIMARY KEY,
        paused_at TIMESTAMPTZ NOT NULL,
        reason VARCHAR
    );
    """,
    # 8: who works on a destination, if the state has a file for each
    """
    CREATE TABLE dinmo.leases (
        destination VARCHAR PRIMARY KEY,
        holder VARCHAR NOT NULL,
        machine VARCHAR NOT NULL,
        pid BIGINT NOT NULL,
        taken_at TIMESTAMPTZ NOT NULL,
        released_at TIMESTAMPTZ
    );
    """,
    # 9: what keeps an activation from being right: an unread segment, a hold, drift. And who entered the
    # segment and who is to be tagged are two numbers.
    """
    CREATE TABLE dinmo.unread_segments (
        activation VARCHAR PRIMARY KEY,
        since TIMESTAMPTZ NOT NULL,
        failed_at TIMESTAMPTZ NOT NULL,
        failures BIGINT NOT NULL,
        reason VARCHAR NOT NULL
    );
    CREATE TABLE dinmo.reconciliations (
        activation VARCHAR NOT NULL,
        destination VARCHAR NOT NULL,
        reconciled_at TIMESTAMPTZ NOT NULL,
        status VARCHAR NOT NULL,
        reason VARCHAR,
        expected BIGINT NOT NULL,
        found BIGINT NOT NULL,
        missing BIGINT NOT NULL,
        unexpected BIGINT NOT NULL,
        "foreign" BIGINT NOT NULL,
        repaired BIGINT NOT NULL,
        PRIMARY KEY (activation, destination)
    );
    ALTER TABLE dinmo.change_sets ADD COLUMN hold_reason VARCHAR;
    ALTER TABLE dinmo.change_sets ADD COLUMN held_because VARCHAR;
    ALTER TABLE dinmo.change_sets ADD COLUMN look_failed VARCHAR;
    UPDATE dinmo.change_sets SET hold_reason = syncs.hold_reason, held_because = syncs.reason
    FROM (
        FROM dinmo.syncs
        QUALIFY row_number() OVER (PARTITION BY activation ORDER BY rowid DESC) = 1
    ) AS syncs
    WHERE syncs.activation = change_sets.activation AND syncs.status = 'held';
    ALTER TABLE dinmo.membership_sizes RENAME COLUMN added TO entered;
    ALTER TABLE dinmo.membership_sizes RENAME COLUMN removed TO "left";
    ALTER TABLE dinmo.syncs RENAME COLUMN entered TO to_tag;
    ALTER TABLE dinmo.syncs RENAME COLUMN "left" TO to_untag;
    ALTER TABLE dinmo.syncs ADD COLUMN entered BIGINT;
    ALTER TABLE dinmo.syncs ADD COLUMN "left" BIGINT;
    ALTER TABLE dinmo.syncs ADD COLUMN never_looked_up BIGINT;
    ALTER TABLE dinmo.syncs ADD COLUMN tagged_contacts BIGINT;
    """,
    # 10: what is unusual about the size of a segment
    """
    ALTER TABLE dinmo.membership_sizes ADD COLUMN size_note VARCHAR;
    """,
)
