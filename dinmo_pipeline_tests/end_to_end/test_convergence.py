"""Whatever happens, two quiet syncs later the tag is on the members who are users, and on nobody else."""

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from dinmo_pipeline.emulator import running
from dinmo_pipeline_tests.end_to_end.convergence import convergence
from dinmo_pipeline_tests.end_to_end.faults.mortal_pipeline import MortalPipeline
from dinmo_pipeline_tests.intercom.workspace import Clock

PARTS = 2  # of one law, so that two processes prove it
EXAMPLES_PER_PART = 20  # `make soak` plays longer
STEPS = 50


@pytest.fixture
def pipeline(tmp_path):
    """A pipeline on an emulated workspace of its own."""
    clock = Clock()
    with running(clock=clock) as server:
        pipeline = MortalPipeline(server, clock, tmp_path)
        yield pipeline
        pipeline.client.close()


@pytest.mark.parametrize("part", range(PARTS))
def test_intercom_is_right_at_each_quiet_point(pipeline, part):
    """While members move, contacts change, tags are edited, calls fail, and syncs die."""
    machine = convergence(pipeline)
    if settings.default.derandomize:
        # Repeatable, but not the same examples in each part.
        machine = seed(part)(machine)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES_PER_PART,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
