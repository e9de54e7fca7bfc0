"""How a sync ended is decided once, from what stopped it and from the outcomes of its changes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dinmo_pipeline.state.changes import ChangeSet
from dinmo_pipeline.state.readings import Moves
from dinmo_pipeline.state.syncs import HoldReason, LoggedOutcomes, SyncNumbers, SyncResult
from dinmo_pipeline.sync.guards.holds import EmptySegment, Hold
from dinmo_pipeline.sync.operations.sync_result import (
    CurrentMembers,
    Failed,
    LookedUp,
    Spent,
    summary,
    sync_numbers,
    sync_result,
)

CHANGES = ChangeSet(
    members=100,
    entered=8,
    left=4,
    unknown=0,
    not_in_intercom=3,
    tagged_contacts=90,
    leaving_contacts=4,
    tagged_members=90,
    skipped=0,
)
NUMBERS = SyncNumbers(members=100, to_tag=10, to_untag=10, tagged=10, untagged=8, failed=1, pending=1)


def numbers(outcomes):
    """The numbers of a sync of CHANGES; of eleven to tag, two have no user, and one has several."""
    found = CurrentMembers(not_in_intercom=3, ambiguous=1)
    return sync_numbers(CHANGES, LookedUp(2, 1), outcomes, found, Spent(7, 1.23456), moves=Moves(7, 5))


def test_the_numbers_of_a_sync_that_was_carried_out_are_those_that_were_logged():
    """Members to tag who are not in Intercom count as to be tagged, and not as pending."""
    logged = LoggedOutcomes(tagged=6, untagged=3, gone=1, failed=1, pending=1)
    assert numbers(logged) == SyncNumbers(
        members=100,
        entered=7,
        left=5,
        to_tag=11,
        to_untag=4,
        tagged=6,
        untagged=3,
        skipped=1,
        not_found=3,
        not_in_intercom=3,
        ambiguous=1,
        failed=1,
        pending=1,
        api_calls=7,
        seconds=1.235,
    )


def test_changes_that_a_stopped_sync_did_not_try_are_pending():
    """Twelve changes, five outcomes, one of them unknown."""
    logged = LoggedOutcomes(tagged=3, untagged=0, gone=0, failed=1, pending=1)
    assert numbers(logged).pending == 1 + 7


@given(*[st.integers(0, 3)] * 5)
def test_the_numbers_add_up(tagged, untagged, gone, failed, pending):
    """Whatever became of the changes, everybody to tag or untag is counted once."""
    assert adds_up(numbers(LoggedOutcomes(tagged, untagged, gone, failed, pending)))


def adds_up(found):
    """To tag + to untag = tagged + untagged + skipped + not_found + failed + pending."""
    settled = found.tagged + found.untagged + found.skipped + found.not_found + found.failed
    return found.to_tag + found.to_untag == settled + found.pending


def test_a_hold_gives_its_reason_as_a_value_and_in_words():
    """Whatever the numbers are."""
    hold = Hold(EmptySegment(90))
    assert sync_result(NUMBERS, hold, max_failed_share=0.0) == SyncResult(
        "held", hold.sentence, HoldReason.EMPTY_SEGMENT, NUMBERS
    )


def test_what_could_not_be_carried_through_failed_with_its_own_reason():
    """Not with the share of failed changes."""
    assert sync_result(NUMBERS, Failed("Intercom is down."), 0.0) == SyncResult(
        "failed", "Intercom is down.", numbers=NUMBERS
    )


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_failed_changes_within_the_share_are_ok(share):
    """2 of 20 are 10 %."""
    assert sync_result(NUMBERS, None, share) == SyncResult("ok", numbers=NUMBERS)


def test_a_larger_share_of_failed_changes_fails_the_sync():
    """The sentence has the numbers and the limit, and says where to read on."""
    assert sync_result(NUMBERS, None, 0.05) == SyncResult(
        "failed",
        "2 of 20 changes failed or had no definite answer; max_failed_share allows 5%. `dinmo.change_log`"
        " has the reason for each.",
        numbers=NUMBERS,
        is_transient=True,
    )
    refused = replace(NUMBERS, failed=NUMBERS.failed + NUMBERS.pending, pending=0)
    assert not sync_result(refused, None, 0.05).is_transient, "Intercom refuses the same again"


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (SyncResult("failed", "Intercom is down."), "failed. Intercom is down."),
        (
            SyncResult("held", "Other members.", HoldReason.NOT_AS_REVIEWED),
            "held. Other members. Nothing was applied. Make a new plan and review it.",
        ),
    ],
)
def test_the_summary_adds_the_remedy_of_a_hold(result, expected):
    """The same words in the terminal, in Dagster and in alerts."""
    assert summary("vip", result) == expected


def test_a_sync_without_changes_is_ok_even_if_no_share_may_fail():
    """Nothing of nothing is within every share."""
    assert sync_result(SyncNumbers(), None, 0.0).status == "ok"
