"""What each number means, wherever it is shown: commands, JSON, the UI, the report, and the demo."""

from collections.abc import Mapping

LEGEND: Mapping[str, str] = {
    "members": "Who is in the segment: distinct identifiers at its last reading.",
    "entered": "Members who were not in the segment at the reading before.",
    "left": "Who was in the segment at the reading before, and is not any more.",
    "to_tag": "Members who should get the tag: they entered, signed up in Intercom, or an earlier sync did"
    " not tag them.",
    "to_untag": "Who should lose the tag: they left, and a contact of theirs carries it because of us.",
    "tagged": "Members whose tag Intercom confirmed in a sync; of an activation as a whole, contacts that"
    " carry it.",
    "untagged": "Who lost the tag in a sync, as Intercom confirmed.",
    "not_in_intercom": "Members who are no users in Intercom. They get the tag once they sign up there.",
    "match_rate": "The share of members that are users in Intercom, of those that Intercom was asked about.",
    "never_looked_up": "Members that Intercom has not been asked about yet.",
    "skipped": "To tag, but several users have the identifier, and `on_multiple_users` is `skip`.",
    "not_found": "To tag, but not in Intercom.",
    "failed": "To tag or untag, but Intercom refused.",
    "pending": "To tag or untag, but not tried yet, or without a definite answer. The next sync does it.",
    "stuck": "Refused by Intercom in each of the last three syncs.",
    "ambiguous": "Members whose identifier several users in Intercom have.",
    "other_carriers": "Contacts that carry the tag because somebody else put it there.",
    "api_calls": "Calls to Intercom.",
}
"""By name, as `--json` has it; in tables `not_in_intercom` is NOT IN INTERCOM.

`to_tag + to_untag` is always the sum of `tagged`, `untagged`, `skipped`, `not_found`, `failed` and `pending`.
"""
