"""Each cause to hold a change set is put into one sentence, and has a remedy for a person."""

from datetime import UTC, datetime
from typing import get_args

import pytest

from dinmo_pipeline.state.fingerprint import Fingerprint
from dinmo_pipeline.state.readings import Reading, StoredReading
from dinmo_pipeline.state.syncs import HoldReason
from dinmo_pipeline.sync.guards.holds import (
    EmptySegment,
    Grown,
    GuardCause,
    Hold,
    InconsistentCounts,
    NobodyStays,
    OtherChanges,
    OtherSettings,
    RemovedShare,
    ReviewCause,
    Shrunk,
    Suspicion,
    UnansweredMembers,
    UnidentifiedShare,
    UnreadableFingerprint,
    remedy,
)

BEFORE = StoredReading(datetime(2026, 3, 1, tzinfo=UTC), Reading("email", 200, 0, 0, 0, 0), 200)
PLANNED = Fingerprint("salt", "digest", entered=5, left=2)

SENTENCES = [
    (
        InconsistentCounts(1_001, 1_000),
        (
            "The guard cannot be evaluated: by the counts in the state, 1,001 of 1,000 tagged contacts would"
            " lose the tag."
        ),
    ),
    (
        EmptySegment(5_000),
        "The segment became empty: all 5,000 tagged contacts would lose the tag.",
    ),
    (EmptySegment(1), "The segment became empty: the only tagged contact would lose the tag."),
    (
        UnansweredMembers(40, 30),
        (
            "The guard cannot be evaluated: Intercom did not answer for 40 members, who may be among the 30"
            " tagged contacts that would lose the tag."
        ),
    ),
    (
        NobodyStays(8),
        (
            "None of the 8 tagged contacts would keep the tag. If the segment turns over completely, set"
            " max_removed_share to 1."
        ),
    ),
    (
        Shrunk(BEFORE, 100, 0.3),
        "100 members would be left of 200 on 2026-03-01 (50% fewer); max_removed_share allows 30%.",
    ),
    (
        Grown(BEFORE, 2_000, 5.0),
        "The segment would grow from 200 to 2,000 members; max_growth allows 5 times as many.",
    ),
    (
        RemovedShare(90, 100, 0.3, "members"),
        "90 of 100 tagged members (90%) would lose the tag; max_removed_share allows 30%.",
    ),
    (
        RemovedShare(500, 1_000, 0.3),
        "500 of 1,000 tagged contacts (50%) would lose the tag; max_removed_share allows 30%.",
    ),
    (
        UnidentifiedShare(80, 1_000, 60, Suspicion.UNKNOWN, 0.05),
        (
            "80 of 1,000 tagged contacts would lose the tag, up to 60 of them (6%) for an unknown reason (no"
            " earlier row counts); max_unidentified_share allows 5%."
        ),
    ),
    (
        OtherChanges(PLANNED, Fingerprint("salt", "other", entered=6, left=2)),
        (
            "The changes differ from the reviewed plan: 5 to tag and 2 to untag in the plan, 6 to tag and"
            " 2 to untag now."
        ),
    ),
    (
        OtherChanges(PLANNED, Fingerprint("salt", "other", entered=5, left=2)),
        "The changes differ from the reviewed plan: still 5 to tag and 2 to untag, but different members.",
    ),
    (
        OtherSettings((("name", "VIP", "Gold"), ("match_by", None, "email"))),
        (
            "The changes differ from the reviewed plan: name was 'VIP' and is now 'Gold'; match_by was None"
            " and is now 'email'."
        ),
    ),
    (
        UnreadableFingerprint("1:abc"),
        "The changes differ from the reviewed plan: '1:abc' is not the fingerprint of a plan.",
    ),
]


@pytest.mark.parametrize(("cause", "sentence"), SENTENCES)
def test_a_cause_is_put_into_one_sentence(cause, sentence):
    """With its numbers."""
    assert Hold(cause).sentence == sentence


def test_every_cause_and_every_reason_has_a_sentence_here():
    """A new one needs its line above."""
    causes = {type(cause) for cause, _ in SENTENCES}
    assert causes == {*get_args(GuardCause), *get_args(ReviewCause)}
    assert {Hold(cause).reason for cause, _ in SENTENCES} == set(HoldReason)


@pytest.mark.parametrize("reason", HoldReason)
def test_a_guard_is_released_by_a_flag_and_another_plan_by_a_new_review(reason):
    """Releasing the guard does not release changes that nobody reviewed."""
    advice = remedy(reason, "vip")
    assert advice.startswith("Nothing was applied.")
    reviewed = reason is HoldReason.NOT_AS_REVIEWED
    assert ("Make a new plan and review it." in advice) is reviewed
    change = "growth" if reason is HoldReason.GROWTH else "removal"
    assert (f"`dinmo sync vip --allow-large-{change}`" in advice) is not reviewed
