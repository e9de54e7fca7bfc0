"""`history`: how long to keep what is over."""

from datetime import timedelta

import pytest

from dinmo_pipeline.config.declarations import History
from dinmo_pipeline_tests.config.reading import SOURCE_AND_STATE, load, refusal


def test_runs_are_kept_for_two_weeks_and_the_rest_for_ever_unless_declared():
    """Each setting by itself."""
    assert load(SOURCE_AND_STATE).history == History(timedelta(days=14), None, None)
    declared = "history: {keep_runs: forever, keep_memberships: 2 years}\n"
    assert load(SOURCE_AND_STATE + declared).history == History(None, None, timedelta(days=730))


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("12 hours", "`keep_runs` has an unknown unit, 'hours'."),
        ("0 days", "`keep_runs` must be a number above 0 and a unit."),
        ("14", "`keep_runs` must be text, not a number."),
        ("for ever", "`keep_runs` must be a number above 0 and a unit."),
    ],
)
def test_a_time_that_is_not_one_is_refused(written, problem):
    """With its place and examples."""
    assert f"project.yaml:3:22: history: {problem}" in str(
        refusal(f"{SOURCE_AND_STATE}history: {{keep_runs: {written}}}\n")
    )
