"""Descriptions of each table and column: comments in the database, and part of the reference page."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dinmo_pipeline.state.sql import literal

_ACTIVATION = "Key of the activation"
_DESTINATION = "Key of the destination"
_CONTACT = "Intercom's id of the contact"


@dataclass(frozen=True, slots=True)
class Description:
    """The descriptions of a table or view and of its columns, in order."""

    text: str
    columns: Mapping[str, str]


DESCRIPTIONS: Mapping[str, Description] = {
    "segment_membership": Description(
        "The current members of each activation's segment; one row per activation and identifier.",
        {
            "activation": _ACTIVATION,
            "identifier": "The member: an email, trimmed and in lower case, or a user id, unchanged",
            "entered_at": "When the current stay began: the first reading that had the member",
        },
    ),
    "membership_history": Description(
        "The members over time; one row per stay. The members at time t have"
        " entered_at <= t AND (left_at IS NULL OR left_at > t).",
        {
            "activation": _ACTIVATION,
            "identifier": "The member",
            "entered_at": "When the stay began",
            "left_at": "When the stay ended; NULL while it lasts",
        },
    ),
    "membership_departures": Description(
        "Stays that have ended; membership_history shows them together with current ones.",
        {
            "activation": _ACTIVATION,
            "identifier": "The member who left",
            "entered_at": "When the stay began",
            "left_at": "When the stay ended",
        },
    ),
    "membership_sizes": Description(
        "The size of each segment and the quality of its rows over time; one row per reading.",
        {
            "activation": _ACTIVATION,
            "materialized_at": "When the segment was read",
            "match_by": "The kind of identifier: email or user_id",
            "members": "Distinct usable identifiers",
            "entered": "Members who entered: they were not in the reading before",
            "left": "Members who left: they were in the reading before",
            "rows_read": "Rows that the segment's query returned",
            "null_identifiers": "Rows without an identifier (NULL)",
            "blank_identifiers": "Rows whose identifier was empty or only white space",
            "malformed_identifiers": "Members whose email is not a valid address",
            "duplicate_rows": "Rows that repeat an identifier",
            "identifier_type": "The type of the identifier's column in the source",
            "applied_to": "Key of the destination that this reading was applied to; NULL if none",
            "released": "Whether a guard held its changes and a person released them",
            "size_note": "How its size changed more than usual; NULL if it did not",
        },
    ),
    "unread_segments": Description(
        "Segments that could not be read the last time; the next reading that succeeds removes the row.",
        {
            "activation": _ACTIVATION,
            "since": "When the first of these attempts failed",
            "failed_at": "When the last one failed",
            "failures": "How many failed in a row",
            "reason": "Why the last one failed",
        },
    ),
    "membership_changes": Description(
        "The newest change set of each activation: desired membership minus tagged contacts.",
        {
            "activation": _ACTIVATION,
            "position": "The row's number in its change set, from 1",
            "change": "entered: to tag. left: to untag",
            "identifier": "The member",
            "contact_id": "Intercom's id of the contact; NULL until the member is looked up",
        },
    ),
    "change_sets": Description(
        "How the newest change set of each activation was computed, and how far it is settled.",
        {
            "activation": _ACTIVATION,
            "destination": "Key of the activation's current destination",
            "match_by": "The setting it was computed with",
            "on_multiple_users": "The setting it was computed with",
            "number": "Counts with contacts.touched: the change set knows contacts with lower numbers",
            "settled": "Contacts touched up to this number are compared and applied",
            "hold_reason": "Why a guard holds it, as in syncs.hold_reason; NULL unless it is held",
            "held_because": "The same as a sentence",
            "look_failed": "Why Intercom could not be asked for news before it was computed; NULL if it"
            " could",
        },
    ),
    "tagged_contacts": Description(
        "The ledger: contacts that carry an activation's tag because we put it there.",
        {
            "activation": _ACTIVATION,
            "destination": _DESTINATION,
            "contact_id": _CONTACT,
            "identifier": "The member for whom the contact carries the tag",
            "tagged_at": "When Intercom confirmed the tag; NULL while a call is unconfirmed",
        },
    ),
    "activation_tags": Description(
        "The tag of each activation at every destination that it was ever sent to. In one workspace, a tag"
        " belongs to one activation.",
        {
            "activation": _ACTIVATION,
            "destination": _DESTINATION,
            "tag_id": "Intercom's id of the tag",
            "name": "The tag's name",
        },
    ),
    "pauses": Description(
        "Activations that a person has paused: neither schedules nor sensors sync them; one row each.",
        {
            "activation": _ACTIVATION,
            "paused_at": "Since when",
            "reason": "Why, as far as the person said",
        },
    ),
    "leases": Description(
        "Which run or command works on a destination, if each has a state file of its own; the newest of"
        " each.",
        {
            "destination": _DESTINATION,
            "holder": "The id of the Dagster run, or the name of the command",
            "machine": "The machine, or the container on it",
            "pid": "The process",
            "taken_at": "When it began",
            "released_at": "When it ended; NULL while it lasts, or after a kill",
        },
    ),
    "stray_tags": Description(
        "Contacts that carry a second tag, created because the first was renamed by hand during a sync; the"
        " next sync takes it off.",
        {
            "activation": _ACTIVATION,
            "destination": _DESTINATION,
            "tag_id": "Intercom's id of the second tag",
            "contact_id": _CONTACT,
        },
    ),
    "carrier_counts": Description(
        "How many contacts carry an activation's tag that we did not tag, as of the last count.",
        {
            "activation": _ACTIVATION,
            "destination": _DESTINATION,
            "counted_at": "When the contacts that carry the tag were counted",
            "others": "Contacts that carry the tag and are not in tagged_contacts, at least",
        },
    ),
    "reconciliations": Description(
        "What the last comparison with Intercom found, as `dinmo reconcile --json` prints it. While nothing"
        " differs, none is recorded.",
        {
            "activation": _ACTIVATION,
            "destination": _DESTINATION,
            "reconciled_at": "When Intercom was compared",
            "status": "ok, drift (differences remain), repaired, held, or failed",
            "reason": "Why it is not ok, if there is more to say",
            "expected": "Contacts that should carry the tag",
            "found": "Contacts that carried it",
            "missing": "Expected contacts that did not carry it",
            "unexpected": "Contacts that carried it without a row in tagged_contacts, and concern us",
            "foreign": "Contacts that carried it because somebody else put it there",
            "repaired": "Contacts that were missing or unexpected, and were repaired",
        },
    ),
    "contacts": Description(
        "Intercom's users as last seen, without leads.",
        {
            "destination": _DESTINATION,
            "contact_id": _CONTACT,
            "email": "The email, trimmed and in lower case",
            "external_id": "Intercom's external_id, which is the user id",
            "by_email": "Whether all users with this email are known, because a search for it found this one",
            "seen_at": "When Intercom first returned these values",
            "touched": "A number that rises each time any contact is new or changed",
            "checked_at": "When Intercom last returned the contact",
        },
    ),
    "rechecks": Description(
        "How far the facts about each activation's members have been read again.",
        {
            "activation": _ACTIVATION,
            "destination": _DESTINATION,
            "rechecked_at": "When the oldest facts were last read again",
        },
    ),
    "missing_members": Description(
        "Members that are not in Intercom.",
        {
            "destination": _DESTINATION,
            "match_by": "The kind of identifier: email or user_id",
            "identifier": "The member",
            "looked_at": "When the member was last looked up",
            "looks": "How often the member was looked up; the interval doubles each time",
        },
    ),
    "signup_looks": Description(
        "How far the search for new contacts has come.",
        {
            "destination": _DESTINATION,
            "looked_at": "All contacts created before this time, by Intercom's clock, have been seen",
        },
    ),
    "workspaces": Description(
        "The Intercom workspace of each destination, to which everything known of it belongs.",
        {
            "destination": _DESTINATION,
            "workspace_id": "Intercom's id of the workspace",
            "name": "The workspace's name when it was last verified",
            "access": "A digest of host and token; when it changes, the workspace is verified again",
        },
    ),
    "change_log": Description(
        "The outcome of each change that a sync tried.",
        {
            "activation": _ACTIVATION,
            "sync_id": "Id of the sync",
            "logged_at": "When the outcome was recorded",
            "change": "entered or left",
            "identifier": "The member",
            "contact_id": _CONTACT,
            "outcome": "applied: Intercom confirmed it. gone: the contact no longer exists. failed: Intercom"
            " refused it. pending: the outcome is unknown",
            "reason": "Why it was not applied: Intercom's status and code",
            "request_id": "Intercom's id of the request, for Intercom's support",
            "merged_into": "Intercom's id of the contact that this one was merged into",
        },
    ),
    "syncs": Description(
        "One row per sync of an activation.",
        {
            "sync_id": "Id of the Dagster run",
            "activation": _ACTIVATION,
            "started_at": "When the sync started",
            "finished_at": "When the sync ended; NULL while it runs",
            "status": "running, ok, held, failed, or interrupted (its process died)",
            "reason": "Why the sync is not ok",
            "members": "Members at the time",
            "to_tag": "Members to tag: they entered, signed up in Intercom since, or an earlier sync did not"
            " tag them. Each to tag or untag is tagged, untagged, skipped, not_found, failed or pending",
            "to_untag": "Members to untag",
            "tagged": "Members whose tag Intercom confirmed",
            "untagged": "Members whose untagging Intercom confirmed",
            "not_in_intercom": "Members that are not in Intercom",
            "ambiguous": "Members with several users in Intercom",
            "failed": "Members whose change Intercom refused",
            "pending": "Members whose change was not tried, or whose outcome is unknown",
            "api_calls": "Calls to Intercom",
            "seconds": "How long the sync took",
            "hold_reason": "Why it is held: empty_segment, nobody_stays, max_removed_share, shrunk,"
            " max_unidentified_share, max_growth, unanswered_members, inconsistent_counts or"
            " not_as_reviewed; NULL unless it is held",
            "other_carriers": "Contacts that carry the tag and that we did not tag, as last counted",
            "skipped": "Members to tag who have several users, and are skipped as declared",
            "not_found": "Members to tag who have no user in Intercom",
            "entered": "Members who entered the segment: they were not in the reading before; NULL in rows of"
            " earlier releases",
            "left": "Members who left the segment: they were in the reading before; NULL as above",
            "never_looked_up": "Members that Intercom has not been asked about yet; NULL as above",
            "tagged_contacts": "Contacts that carry the tag because of us, after the sync; NULL as above",
        },
    ),
    "schema_version": Description(
        "The installed versions of this schema; the highest is the current one.",
        {"version": "The version", "installed_at": "When the version was installed"},
    ),
}


def comment_statements() -> Iterator[str]:
    """`COMMENT ON …` for every table, view and column.

    `COMMENT ON TABLE dinmo.syncs IS 'One row per …'`
    """
    for name, description in DESCRIPTIONS.items():
        kind = "VIEW" if name == "membership_history" else "TABLE"
        yield f"COMMENT ON {kind} dinmo.{name} IS {literal(description.text)}"
        for column, text in description.columns.items():
            yield f'COMMENT ON COLUMN dinmo.{name}."{column}" IS {literal(text)}'
