"""What the codes mean that commands print as a state or as the reason of a hold, and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass

from dinmo_pipeline.state.syncs import HoldReason
from dinmo_pipeline.sync.standing import State


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a code means, and what a person can do about it."""

    meaning: str
    to_do: str


_RELEASE = (
    "If it is a mistake upstream, fix the source: a change set within the guards goes through by itself. If"
    " it is intended, run `dinmo sync ACTIVATION --allow-large-removal`."
)

EXPLANATIONS: Mapping[str, Explanation] = {
    State.BROKEN: Explanation(
        "Its declaration, or one that it depends on, has a mistake. Its contacts keep their tag.",
        "Correct what `dinmo check` shows.",
    ),
    State.FAILED: Explanation(
        "The segment could not be read, or its changes could not be applied. What was not done stays as it"
        " was.",
        "Read the reason, fix it, and run `dinmo sync ACTIVATION`. Whatever was left undone is done then.",
    ),
    State.HELD: Explanation(
        "A guard holds the changes: nothing of them is applied until they are within the guards, or a person"
        " releases them.",
        "The reason has its own code: see `hold_reason` in `dinmo sync --json`.",
    ),
    State.INTERRUPTED: Explanation(
        "The process of the last sync ended before the sync did.",
        "Nothing: the next sync finishes the rest.",
    ),
    State.NOBODY_MATCHED: Explanation(
        "Intercom has no user for any of the members, of whom there are 10 or more. Usually the column holds"
        " another identifier than `match_by` says, or the token belongs to another workspace.",
        "Compare a few identifiers of `dinmo segments SEGMENT` with users in Intercom, then correct `column`"
        " or `match_by`. `dinmo check --online` shows the workspace.",
    ),
    State.DRIFT: Explanation(
        "When last compared, the contacts that carry the tag in Intercom were not those that we tagged:"
        " somebody changed the tag there.",
        "Run `dinmo reconcile ACTIVATION` to compare again, with `--repair` to repair the differences.",
    ),
    State.STUCK: Explanation(
        "Intercom refused the change of some members in each of the last three syncs. The others are done.",
        "`dinmo history ACTIVATION` shows how many, `dinmo.change_log` the reason and Intercom's request id.",
    ),
    State.UNUSUAL_SIZE: Explanation(
        "The segment gained or lost more members within a day than it usually does, judging by its last nine"
        " weeks. Nothing is held for it. A size that stays is usual after a day.",
        "Look at who entered and left: `dinmo history ACTIVATION`. If a condition or a table went wrong, fix"
        " it. `report_size_change` sets another limit, or none.",
    ),
    State.OVERDUE: Explanation(
        "The activation has missed a whole interval of its schedule.",
        "Look for failed runs in the Dagster UI, and check that the schedule and the daemon are running.",
    ),
    State.UNCHECKED: Explanation(
        "The segment was read, but Intercom could not be asked what changed there, such as who signed up.",
        "Nothing, if it passes: each sync asks again. Otherwise check the token with `dinmo check --online`.",
    ),
    State.PAUSED: Explanation(
        "A person paused it: neither schedules nor sensors sync it, and its contacts keep their tag.",
        "Run `dinmo resume ACTIVATION` to go on.",
    ),
    State.RUNNING: Explanation("A sync of the activation is under way.", "Nothing."),
    State.ORPHANED: Explanation(
        "The state knows the activation, but it is no longer declared. Its contacts keep their tag.",
        "Take the tag off with `dinmo retire ACTIVATION`, or declare the activation again.",
    ),
    State.DISABLED: Explanation(
        "`enabled: false`: neither schedule nor sensor runs it, and its contacts keep their tag.",
        "Remove `enabled: false`, or run it by itself with `dinmo sync ACTIVATION`.",
    ),
    State.NEVER_SYNCED: Explanation(
        "No sync of the activation has succeeded yet.",
        "Look at `dinmo plan ACTIVATION`, then run `dinmo sync ACTIVATION`.",
    ),
    State.OK: Explanation(
        "The segment was read, its changes are applied or wait for a run that is not late, and nothing else"
        " is known to be wrong.",
        "Nothing.",
    ),
    HoldReason.EMPTY_SEGMENT: Explanation(
        "The segment has no members any more, and somebody carries the tag. Often a table was not filled.",
        _RELEASE,
    ),
    HoldReason.NOBODY_STAYS: Explanation(
        "None of three or more contacts that carry the tag would keep it. Often a column was switched or"
        " hashed.",
        f"{_RELEASE} For a segment that turns over completely, set `max_removed_share: 1`.",
    ),
    HoldReason.REMOVED_SHARE: Explanation(
        "More than 10 contacts, and more than `max_removed_share` of the tagged contacts or members, would"
        " lose the tag.",
        _RELEASE,
    ),
    HoldReason.SHRUNK: Explanation(
        "The segment would be smaller than a week ago by more than `max_removed_share`, and by more than 10"
        " members: a slow bleed, a little each time.",
        _RELEASE,
    ),
    HoldReason.UNIDENTIFIED_SHARE: Explanation(
        "More than 10 contacts, and more than `max_unidentified_share`, would lose the tag while as many rows"
        " lost their identifier, or its type changed.",
        _RELEASE,
    ),
    HoldReason.GROWTH: Explanation(
        "The segment would become more than `max_growth` times as large as at the last sync, and gain more"
        " than 1,000 members. Often a condition was lost.",
        "If it is a mistake, fix the segment. If it is intended, run `dinmo sync ACTIVATION"
        " --allow-large-growth`.",
    ),
    HoldReason.UNANSWERED_MEMBERS: Explanation(
        "Intercom did not answer for some members, and they may be the contacts that seem to leave.",
        "Run `dinmo sync ACTIVATION` again once Intercom answers.",
    ),
    HoldReason.INCONSISTENT_COUNTS: Explanation(
        "The counts in the state contradict one another, so the guards cannot be evaluated.",
        "Restore a backup of the state, or compare with Intercom: `dinmo reconcile ACTIVATION`.",
    ),
    HoldReason.NOT_AS_REVIEWED: Explanation(
        "The changes, or the settings that decide where they go, are not those of the reviewed plan.",
        "Make a new plan with `dinmo plan --out FILE`, and review it.",
    ),
}
"""By code: every state, and every reason of a hold."""
