"""`python -m dinmo_pipeline_tests.soak.kill`: hundreds of kills over large syncs; wrong tags must be 0."""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from dinmo_pipeline_tests.company import TOKEN, TOKEN_VARIABLE
from dinmo_pipeline_tests.soak.killing import KilledSyncs, killed_syncs

_FINISHED_EVERY = 10  # kills; in between, a killed sync goes on where another was killed


def main() -> int:
    """Kill syncs at random moments, and finish one now and then; 0 when no tag is wrong in the end."""
    parser = argparse.ArgumentParser(prog="soak-kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--changes", type=int, default=5_000, help="of each sync")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "dagster_home"
        home.mkdir()
        os.environ |= {TOKEN_VARIABLE: TOKEN, "DAGSTER_HOME": str(home)}
        with killed_syncs(
            Path(folder), users=2 * given.changes, latency_ms=2.0, seed=given.seed
        ) as syncs:
            wrong = soak(syncs, given.kills, given.changes)
    print(f"{given.kills} kills in {time.monotonic() - started:.0f} s, wrong tags: {wrong}")  # noqa: T201
    return 1 if wrong else 0


def soak(syncs: KilledSyncs, kills: int, changes: int) -> int:
    """Kill so many syncs; how many tags were wrong after all syncs that were not killed."""
    done = wrong = 0
    syncs.move(changes)
    seconds = syncs.seconds_of_a_sync()
    while done < kills:
        syncs.move(changes)
        done += _kill(syncs, changes, seconds)
        assert "running" not in syncs.statuses()[:-1]
        if done % _FINISHED_EVERY == 0 or done == kills:
            syncs.finish()
            wrong += len(syncs.wrong())
            print(f"{done} kills, wrong tags so far: {wrong}", flush=True)  # noqa: T201
    return wrong


def _kill(syncs: KilledSyncs, changes: int, seconds: float) -> bool:
    """At any second of a sync, at any call of it, or just when it writes to the state."""
    moment = syncs.choice.random()
    if moment < 0.2:
        return syncs.kill_while_it_writes()
    if moment < 0.6:
        return syncs.kill_after_calls(syncs.choice.randrange(1, changes // 2))
    return syncs.kill_after(syncs.choice.uniform(0, seconds))


if __name__ == "__main__":
    sys.exit(main())
