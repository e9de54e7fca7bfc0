"""`python -m dinmo_pipeline_tests.soak --minutes N`: run the state machine of the tests for longer."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from dinmo_pipeline.emulator import running
from dinmo_pipeline_tests.end_to_end.convergence import convergence
from dinmo_pipeline_tests.end_to_end.faults.mortal_pipeline import MortalPipeline
from dinmo_pipeline_tests.intercom.workspace import Clock

_EXAMPLES_PER_ROUND = 100


def main() -> int:
    """Run rounds of new examples until the time is up; a failure stops with its example."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--steps", type=int, default=50, help="maximum per example")
    given = parser.parse_args()
    until = time.monotonic() + 60 * given.minutes
    clock = Clock()
    rounds = 0
    with running(clock=clock) as server, tempfile.TemporaryDirectory() as folder:
        pipeline = MortalPipeline(server, clock, Path(folder))
        while rounds == 0 or time.monotonic() < until:
            run_state_machine_as_test(
                convergence(pipeline),
                settings=settings(
                    max_examples=_EXAMPLES_PER_ROUND,
                    stateful_step_count=given.steps,
                    deadline=None,
                    database=None,
                    derandomize=False,
                    suppress_health_check=list(HealthCheck),
                ),
            )
            rounds += 1
            print(f"{rounds * _EXAMPLES_PER_ROUND:,} examples passed", flush=True)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
