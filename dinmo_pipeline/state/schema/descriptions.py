"""What each table and column means: written into the database as comments, and shown in the reference."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dinmo_pipeline.state.sql import literal

_ACTIVATION = "Key of the activation"
_DESTINATION = "Key of the destination"
_CONTACT = "Intercom's id of the contact"


@dataclass(frozen=True, slots=True)
class Description:
    """The meaning of a table or view, and of each of its columns, in their order."""

    text: str
    columns: Mapping[str, str]


DESCRIPTIONS: Mapping[str, Description] = {
    "segment_membership": Description(
        "Who is in each activation's segment now; one row per activation and identifier.",
        {
            "activation": _ACTIVATION,
            "identifier": "The member: an email, trimmed and in lower case, or a user id as it is",
            "entered_at": "When the member was first seen in it, this time",
        },
    ),
    "membership_history": Description(
        "Who was in it when: one row per stay. At an instant t, the members are those with"
        " entered_at <= t and (left_at IS NULL OR left_at > t).",
        {
            "activation": _ACTIVATION,
            "identifier": "The member",
            "entered_at": "The first instant of the stay",
            "left_at": "When the stay ended; NULL while it lasts",
        },
    ),
    "membership_departures": Description(
        "Stays that have ended; membership_history shows them with the current ones.",
        {
            "activation": _ACTIVATION,
            "identifier": "The member who left",
            "entered_at": "The first instant of the stay",
            "left_at": "When the stay ended",
        },
    ),
    "membership_sizes": Description(
        "One row per reading of a segment: its size over time, and the quality of its rows.",
        {
            "activation": _ACTIVATION,
            "materialized_at": "When it was read",
            "match_by": "What the identifiers were: email or user_id",
            "members": "Distinct usable identifiers",
            "added": "Members that were not in the reading before",
            "removed": "Members of the reading before that were not in this one",
            "rows_read": "Rows that the segment's query returned",
            "null_identifiers": "Rows without an identifier (NULL)",
            "blank_identifiers": "Rows whose identifier was empty or white space",
            "malformed_identifiers": "Members whose email cannot be an address",
            "duplicate_rows": "Rows beyond the first of an identifier",
            "identifier_type": "What the source calls the type of the identifier's column",
            "applied_to": "Key of the destination that a sync made match this reading; NULL if there is none",
        },
    ),
    "membership_changes": Description(
        "The newest change set of each activation: desired membership minus tagged contacts.",
        {
            "activation": _ACTIVATION,
            "position": "Number of the row in its change set, from 1",
            "change": "entered: to be tagged. left: to be untagged",
            "identifier": "The member",
            "contact_id": "Intercom's id of the contact; NULL when the member was never looked up",
        },
    ),
    "change_sets": Description(
        "How each activation's newest change set was computed, and how far it is settled.",
        {
            "activation": _ACTIVATION,
            "destination": "Key of the activation's present destination",
            "match_by": "The setting it was computed with",
            "on_multiple_users": "The setting it was computed with",
            "number": "From the same sequence as contacts.touched; every contact touched before it was known",
            "settled": "Contacts touched up to this number have been compared and handled",
        },
    ),
    "tagged_contacts": Description(
        "The ledger: contacts that carry an activation's tag because we put it there.",
        {
            "activation": _ACTIVATION,
            "destination": _DESTINATION,
            "contact_id": _CONTACT,
            "identifier": "The member it carries the tag for",
            "tagged_at": "When Intercom confirmed it; NULL while a call may have put it on or off",
        },
    ),
    "activation_tags": Description(
        "The tag of each activation at each destination it was ever sent to.",
        {
            "activation": _ACTIVATION,
            "destination": _DESTINATION,
            "tag_id": "Intercom's id of the tag",
            "name": "The tag's name",
        },
    ),
    "contacts": Description(
        "Intercom's users as last seen; leads are not in it.",
        {
            "destination": _DESTINATION,
            "contact_id": _CONTACT,
            "email": "The email, trimmed and in lower case",
            "external_id": "Intercom's external_id, which is our user id",
            "by_email": "Found by a search for this email, so all users who have it are known",
            "seen_at": "When Intercom first showed these values",
            "touched": "A number that grows with every change to any contact",
        },
    ),
    "missing_members": Description(
        "Members that were looked up in Intercom and not found.",
        {
            "destination": _DESTINATION,
            "match_by": "What was looked up: email or user_id",
            "identifier": "The member",
            "looked_at": "When the member was last looked up",
            "looks": "The number of lookups; the interval doubles with each",
        },
    ),
    "signup_looks": Description(
        "The progress of the search for contacts that signed up recently.",
        {
            "destination": _DESTINATION,
            "looked_at": "Contacts created before this have been seen",
        },
    ),
    "workspaces": Description(
        "The Intercom workspace of each destination; everything known about the destination belongs to it.",
        {
            "destination": _DESTINATION,
            "workspace_id": "Intercom's id of the workspace",
            "name": "The workspace's name when it was last read",
            "access": "A digest of host and token; when it changes, the workspace is read again",
        },
    ),
    "change_log": Description(
        "The outcome of each change that a sync tried.",
        {
            "activation": _ACTIVATION,
            "sync_id": "The sync",
            "logged_at": "When it was recorded",
            "change": "entered or left",
            "identifier": "The member",
            "contact_id": _CONTACT,
            "outcome": "applied: Intercom confirmed it. gone: the contact no longer exists. failed: Intercom"
            " refused it. pending: the outcome is unknown",
            "reason": "Why it was not applied: Intercom's status and code",
            "request_id": "Intercom's id of the call, for its support",
        },
    ),
    "syncs": Description(
        "One row per run of an activation's sync.",
        {
            "sync_id": "The id of the Dagster run",
            "activation": _ACTIVATION,
            "started_at": "When it started",
            "finished_at": "When it ended; NULL while it runs",
            "status": "running, ok, held, failed, or interrupted: its process died",
            "reason": "Why it is not ok",
            "members": "Members then",
            "entered": "Members to be tagged",
            "left": "Members to be untagged",
            "tagged": "Members whose tagging Intercom confirmed",
            "untagged": "Members whose untagging Intercom confirmed",
            "not_in_intercom": "Members that Intercom has no user for",
            "ambiguous": "Members that stand for several users",
            "failed": "Members whose change Intercom refused",
            "pending": "Members whose change was not tried, or has an unknown outcome",
            "api_calls": "Calls to Intercom",
            "seconds": "How long it took",
            "hold_reason": "Why it is held: empty_segment, max_removed_share, max_unidentified_share,"
            " unanswered_members, inconsistent_counts or not_as_reviewed; NULL unless it is held",
        },
    ),
    "schema_version": Description(
        "The versions of this schema that were installed; the largest is the present one.",
        {"version": "The version", "installed_at": "When it was installed"},
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
