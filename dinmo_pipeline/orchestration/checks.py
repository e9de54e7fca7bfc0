"""Asset checks: what a person should look at, per activation."""

import warnings
from typing import Any

import dagster as dg

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.orchestration.metadata import identifier_metadata
from dinmo_pipeline.orchestration.naming import (
    DRIFT,
    INTERCOM_TAGS,
    MATCH_RATE,
    MEMBERSHIP_CHANGES,
    REMOVAL_GUARD,
    SEGMENT_MEMBERSHIP,
    UP_TO_DATE,
    USUAL_SIZE,
    Names,
)
from dinmo_pipeline.orchestration.runs.errors import Failed
from dinmo_pipeline.state.readings import Reading, StoredReading
from dinmo_pipeline.state.stuck import stuck_members
from dinmo_pipeline.state.syncs import SyncResult
from dinmo_pipeline.sync.carriers import other_carriers_note
from dinmo_pipeline.sync.guards.holds import remedy
from dinmo_pipeline.sync.guards.lost_identifiers import lost_identifiers, type_change, what_changed
from dinmo_pipeline.sync.guards.usual_size import SizeChange
from dinmo_pipeline.sync.operations.compute_changes import ComputedChanges
from dinmo_pipeline.sync.standing import MIN_MEMBERS_TO_MATCH, nobody_matched

# A few rows without an identifier are in every warehouse: guests, imports, tests. More than one in a hundred
# is a column that is going wrong; `max_unidentified_share`, 5 by default, then holds the changes. Rows that
# repeat an identifier are no loss, as in a table with one row per order.
MAX_UNUSABLE_SHARE = 0.01
MAX_USUAL_LOSSES = 10
# A smaller share of members found in Intercom points to a wrong column or a wrong `match_by`.
MIN_MATCH_SHARE = 0.5


def check_specs(
    names: Names, asset: str, partitions: dg.PartitionsDefinition[str]
) -> list[dg.AssetCheckSpec]:
    """The checks of an asset, each evaluated per partition."""
    with warnings.catch_warnings():
        # Partitioned checks are a preview feature; without them the UI would show one activation's
        # result for all of them.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(name, asset=names.key(asset), description=text, partitions_def=partitions)
            for name, text in _CHECKS[asset].items()
        ]


def check_keys(names: Names, asset: str) -> list[dg.AssetCheckKey]:
    """The keys of those checks."""
    return [dg.AssetCheckKey(names.key(asset), name) for name in _CHECKS[asset]]


def all_check_keys(names: Names) -> list[dg.AssetCheckKey]:
    """The keys of all checks, also those that sensors and jobs of their own evaluate."""
    alone = [dg.AssetCheckKey(names.key(INTERCOM_TAGS), name) for name in (UP_TO_DATE, DRIFT)]
    return [key for asset in _CHECKS for key in check_keys(names, asset)] + alone


_CHECKS = {
    SEGMENT_MEMBERSHIP: {
        "usable_identifiers": (
            "Rows without an identifier, malformed emails and duplicate rows, and whether the identifier's"
            " type changed. It warns above 10 rows and 1 % of all rows without a usable identifier, or that"
            " lost theirs since the reading last applied, and at a new type. The description says what is"
            " new since."
        ),
        USUAL_SIZE: (
            "Whether the size changed within a day by no more than is usual, judging by the last nine weeks."
        ),
    },
    MEMBERSHIP_CHANGES: {
        REMOVAL_GUARD: (
            "Whether a guard holds the changes: nobody would keep the tag; more than max_removed_share of the"
            " tagged contacts or members would lose it, at once or over a week; more than"
            " max_unidentified_share, while rows lost their identifier or its type changed; or the segment"
            " would grow to more than max_growth times its size."
        ),
    },
    INTERCOM_TAGS: {
        "changes_carried_out": "Whether Intercom carried out every change.",
        "only_our_carriers": (
            "Whether nobody carries the tag but contacts that we tagged; see `on_existing_carriers`."
        ),
        MATCH_RATE: (
            "The share of members that exist as users in Intercom. From 10 members up it warns below a half,"
            " and fails if nobody was found."
        ),
    },
}


def evaluation(
    names: Names, asset: str, check: str, activation: str, **values: Any
) -> dg.AssetCheckEvaluation:
    """The evaluation of a check for the partition of an activation."""
    return dg.AssetCheckEvaluation(
        asset_key=names.key(asset), check_name=check, partition=activation, **values
    )


def unread(names: Names, activation: str, failed: Failed) -> dg.AssetCheckEvaluation:
    """Fail because the segment could not be read, so that its partition does not look right."""
    return evaluation(
        *(names, SEGMENT_MEMBERSHIP, "usable_identifiers", activation),
        passed=False,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"The segment was not read. {failed.reason}",
    )


def usable_identifiers(
    names: Names, activation: str, rows: Reading, applied: StoredReading | None
) -> dg.AssetCheckEvaluation:
    """Warn about rows without a usable identifier of their own, and about a new type of the identifier."""
    unusable = rows.null_identifiers + rows.blank_identifiers + rows.malformed_identifiers
    lost = lost_identifiers(rows, applied)
    news = " ".join(what_changed(rows, applied))
    is_much = (
        _is_much(unusable, rows.rows_read)
        or (applied is not None and _is_much(lost.lost, rows.rows_read))
        or type_change(rows, applied) is not None
    )
    return evaluation(
        *(names, SEGMENT_MEMBERSHIP, "usable_identifiers", activation),
        passed=not is_much,
        severity=dg.AssetCheckSeverity.WARN,
        description=news or None,
        metadata=identifier_metadata(rows),
    )


def _is_much(rows: int, of: int) -> bool:
    """Whether a number of rows is beyond what is usual; most rows of a small segment always are."""
    return rows * 2 > of or (rows > MAX_USUAL_LOSSES and rows > of * MAX_UNUSABLE_SHARE)


def usual_size(
    names: Names, activation: str, members: int, change: SizeChange | None
) -> dg.AssetCheckEvaluation:
    """Warn when the size changed more within a day than it usually does."""
    return evaluation(
        *(names, SEGMENT_MEMBERSHIP, USUAL_SIZE, activation),
        passed=change is None,
        severity=dg.AssetCheckSeverity.WARN,
        description=change.sentence if change else None,
        metadata={"members": members},
    )


def removal_guard(names: Names, activation: str, computed: ComputedChanges) -> dg.AssetCheckEvaluation:
    """Fail when a guard holds the change set, with the reason and the remedy."""
    hold = computed.hold
    return evaluation(
        *(names, MEMBERSHIP_CHANGES, REMOVAL_GUARD, activation),
        passed=hold is None,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{hold.sentence} {remedy(hold.reason, activation)}" if hold else None,
        metadata={
            "leaving_contacts": computed.changes.leaving_contacts,
            "tagged_contacts": computed.changes.tagged_contacts,
        },
    )


def changes_carried_out(
    names: Names, activation: str, result: SyncResult, stuck: int = 0
) -> dg.AssetCheckEvaluation:
    """Warn when Intercom refused changes or gave no definite answer; fail when the sync did not succeed.

    `stuck` members were refused in several syncs in a row.
    """
    succeeded = result.status == "ok"
    sentences = (result.reason, stuck_members(stuck) if stuck else None)
    return evaluation(
        *(names, INTERCOM_TAGS, "changes_carried_out", activation),
        passed=succeeded and not (result.numbers.failed or result.numbers.pending),
        severity=dg.AssetCheckSeverity.WARN if succeeded else dg.AssetCheckSeverity.ERROR,
        description=" ".join(filter(None, sentences)) or None,
        metadata={
            "failed": result.numbers.failed,
            "pending": result.numbers.pending,
            "stuck": stuck,
        },
    )


def up_to_date(names: Names, activation: str) -> dg.AssetCheckEvaluation:
    """Pass as soon as a sync has succeeded; a sensor evaluates it when none does."""
    return evaluation(
        *(names, INTERCOM_TAGS, UP_TO_DATE, activation),
        passed=True,
        severity=dg.AssetCheckSeverity.WARN,
        description="Up to date: just synced.",
    )


def only_our_carriers(names: Names, activation: Activation, others: int | None) -> dg.AssetCheckEvaluation:
    """Warn when contacts carry the tag that we did not tag, until a person decides about them."""
    return evaluation(
        *(names, INTERCOM_TAGS, "only_our_carriers", activation.key),
        passed=not others or activation.on_existing_carriers == "keep",
        severity=dg.AssetCheckSeverity.WARN,
        description=other_carriers_note(activation, others) if others else None,
        metadata={"other_carriers": others} if others is not None else {},
    )


def match_rate(names: Names, activation: str, result: SyncResult) -> dg.AssetCheckEvaluation:
    """Warn when few members were found, and fail when nobody was: often a wrong column or workspace."""
    numbers, rate = result.numbers, result.numbers.match_rate
    few = (
        f"Only {rate:.0%} of {numbers.members:,} members were found in Intercom."
        if rate is not None and rate < MIN_MATCH_SHARE and numbers.members >= MIN_MEMBERS_TO_MATCH
        else None
    )
    nobody = nobody_matched(numbers.members, numbers.not_in_intercom)
    return evaluation(
        *(names, INTERCOM_TAGS, MATCH_RATE, activation),
        passed=not (nobody or few),
        severity=dg.AssetCheckSeverity.ERROR if nobody else dg.AssetCheckSeverity.WARN,
        description=nobody or few,
        metadata={} if rate is None else {"match_rate": rate},
    )
