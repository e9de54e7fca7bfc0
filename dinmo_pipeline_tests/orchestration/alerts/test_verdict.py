"""What finished runs say about an activation, decided from values alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dinmo_pipeline.orchestration.alerts.troubles import Seen, Trouble
from dinmo_pipeline.orchestration.alerts.verdict import (
    ChangesComputed,
    CheckEvaluated,
    Judged,
    Passing,
    RunFailed,
    TagsApplied,
    troubles_after,
    verdict,
)

BY_RUNS = [kind for kind in Trouble if kind not in (Trouble.BEHIND, Trouble.DECLARATIONS)]
SENTENCES = st.sampled_from([None, "Trouble.", Passing("Away.")])
VERDICTS = st.dictionaries(st.sampled_from(BY_RUNS), SENTENCES)


def test_a_run_without_findings_says_nothing():
    """It was interrupted, say: what was wrong before still is."""
    assert verdict([]) == {}


@pytest.mark.parametrize(
    ("job", "trouble"),
    [
        ("sync_membership", Trouble.MEMBERSHIP),
        ("apply_tag_changes", Trouble.TAGS),
        ("reconcile_tags", Trouble.RECONCILIATION),
        ("a_job_of_the_project", Trouble.MEMBERSHIP),
    ],
)
def test_a_failed_run_is_the_trouble_of_its_job(job, trouble):
    """With the summary of the failure."""
    assert verdict([RunFailed(job, "It broke.")]) == {trouble: "It broke."}


def test_a_run_that_failed_because_it_was_held_is_held():
    """Its tags are not in trouble."""
    failed = RunFailed("apply_tag_changes", "held. Too many.", held=True)
    assert verdict([failed]) == {Trouble.HELD: "held. Too many."}


def test_a_computed_change_set_ends_trouble_with_the_membership():
    """Changes that Intercom refused before are still to apply."""
    assert verdict([ChangesComputed(3)]) == {Trouble.MEMBERSHIP: None}


def test_a_change_set_without_changes_ends_trouble_with_the_tags_too():
    """What failed before is no longer needed."""
    assert verdict([ChangesComputed(0)]) == {Trouble.MEMBERSHIP: None, Trouble.TAGS: None}


def test_applied_tags_end_trouble_with_the_tags_and_any_hold():
    """A person may have released it."""
    assert verdict([TagsApplied()]) == {Trouble.TAGS: None, Trouble.HELD: None}


def test_the_removal_guard_holds_and_releases():
    """A held change set does not fail the run that computed it."""
    held = CheckEvaluated("removal_guard", passed=False, description="The segment became empty.")
    assert verdict([ChangesComputed(5), held]) == {
        Trouble.MEMBERSHIP: None,
        Trouble.HELD: "held. The segment became empty.",
    }
    released = CheckEvaluated("removal_guard", passed=True, description="")
    assert verdict([released]) == {Trouble.HELD: None}


@pytest.mark.parametrize(("passed", "drift"), [(True, None), (False, "1 of 2 lacks the tag.")])
def test_a_reconciliation_reports_drift_and_that_it_got_through(passed, drift):
    """Whatever it found, Intercom could be asked."""
    evaluated = CheckEvaluated("drift", passed, "1 of 2 lacks the tag.")
    assert verdict([evaluated]) == {Trouble.DRIFT: drift, Trouble.RECONCILIATION: None}


def test_other_checks_are_not_news():
    """They warn in the UI."""
    assert verdict([CheckEvaluated("only_our_carriers", passed=False, description="40.")]) == {}


@pytest.mark.parametrize(
    ("passed", "is_error", "expected"), [(True, False, None), (False, False, None), (False, True, "None.")]
)
def test_that_nobody_is_found_is_news_and_that_few_are_is_not(passed, is_error, expected):
    """In many workspaces most members are no users."""
    found = CheckEvaluated("match_rate", passed, "None.", is_error)
    assert verdict([found]) == {Trouble.NOBODY_MATCHED: expected}


@pytest.mark.parametrize(("passed", "expected"), [(True, None), (False, "It grew.")])
def test_an_unusual_size_is_news(passed, expected):
    """Until it is as usual again."""
    assert verdict([CheckEvaluated("usual_size", passed, "It grew.")]) == {Trouble.SIZE: expected}


def test_the_last_finding_counts():
    """A run may evaluate a check and fail afterwards."""
    failed = RunFailed("apply_tag_changes", "It broke.")
    assert verdict([TagsApplied(), failed]) == {Trouble.TAGS: "It broke.", Trouble.HELD: None}


def test_a_trouble_that_no_run_mentions_stays_without_a_sentence():
    """It was told before."""
    seen, waiting = troubles_after([Trouble.DRIFT], {}, [Judged(1.0, "run-1", {Trouble.TAGS: None})])
    assert seen == {Trouble.DRIFT: Seen(""), Trouble.TAGS: Seen(None, "run-1")}
    assert waiting == {}


def test_a_failure_that_may_pass_is_trouble_when_it_comes_twice():
    """Intercom was away for a minute, say. One that passes in between is none."""
    failed = verdict([RunFailed("apply_tag_changes", "Away.", may_pass=True)])
    first, second = (Judged(float(n), f"run-{n}", failed) for n in (1, 2))
    over = Judged(1.5, "run-over", {Trouble.TAGS: None})
    seen, waiting = troubles_after([], {}, [first])
    assert (seen, list(waiting)) == ({}, [Trouble.TAGS])
    assert troubles_after([], waiting, [second]) == ({Trouble.TAGS: Seen("Away.", "run-2")}, {})
    seen, waiting = troubles_after([], waiting, [over, second])
    assert (seen, waiting[Trouble.TAGS].run_id) == ({Trouble.TAGS: Seen(None, "run-over")}, "run-2")


def test_what_is_known_to_be_in_trouble_stays_so_when_it_fails_again():
    """For whichever reason."""
    failed = Judged(1.0, "run-1", verdict([RunFailed("apply_tag_changes", "Away.", may_pass=True)]))
    assert troubles_after([Trouble.TAGS], {}, [failed]) == ({Trouble.TAGS: Seen("Away.", "run-1")}, {})


def test_being_behind_is_left_to_the_schedule():
    """No run shows that it is over."""
    assert troubles_after([Trouble.BEHIND], {}, []) == ({}, {})


@given(st.sets(st.sampled_from(BY_RUNS)), st.lists(VERDICTS))
def test_judging_runs_in_one_tick_or_in_several_gives_the_same_troubles(before, verdicts):
    """So it does not matter how often the sensor ticks."""

    def after(kinds, waiting, judged):
        seen, waits = troubles_after(kinds, waiting, judged)
        return {kind for kind, each in seen.items() if each.sentence is not None}, waits

    judged = [Judged(float(n), f"run-{n}", each) for n, each in enumerate(verdicts)]
    at_once, waits_at_once = after(before, {}, judged)
    kinds, waiting = before, {}
    for each in judged:
        kinds, waiting = after(kinds, waiting, [each])
    assert waiting == waits_at_once
    assert kinds == at_once
