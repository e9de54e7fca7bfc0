"""`python -m dinmo_pipeline_tests.soak.kill`: kill hundreds of large syncs; no tag may be wrong."""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from dinmo_pipeline.text.wording import counted
from dinmo_pipeline_tests.company import TOKEN, TOKEN_VARIABLE
from dinmo_pipeline_tests.soak.killing import KilledSyncs, killed_syncs

_KILLS_PER_FINISH = 10  # in between, each sync continues where the last one was killed


def main() -> int:
    """Kill syncs at random moments, and finish one now and then; 0 if no tag was wrong."""
    parser = argparse.ArgumentParser(prog="soak-kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--changes", type=int, default=5_000, help="per sync")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "dagster_home"
        home.mkdir()
        os.environ |= {TOKEN_VARIABLE: TOKEN, "DAGSTER_HOME": str(home)}
        with killed_syncs(Path(folder), users=2 * given.changes, latency_ms=2.0, seed=given.seed) as syncs:
            wrong = soak(syncs, given.kills, given.changes)
    seconds = time.monotonic() - started
    print(f"{counted(given.kills, 'kill')} in {seconds:.0f} s. Wrong tags: {wrong}.")  # noqa: T201
    return 1 if wrong else 0


def soak(syncs: KilledSyncs, kills: int, changes: int) -> int:
    """Kill so many syncs; how many tags were wrong after the syncs that finished."""
    done = wrong = 0
    syncs.move(changes)
    seconds = syncs.seconds_of_a_sync()
    while done < kills:
        syncs.move(changes)
        done += _kill(syncs, changes, seconds)
        assert "running" not in syncs.statuses()[:-1]
        if done % _KILLS_PER_FINISH == 0 or done == kills:
            syncs.finish()
            wrong += len(syncs.wrong())
            print(f"{counted(done, 'kill')}. Wrong tags so far: {wrong}.", flush=True)  # noqa: T201
    return wrong


def _kill(syncs: KilledSyncs, changes: int, seconds: float) -> bool:
    """Kill a sync at a random second, at a random call, or as it writes to the state."""
    moment = syncs.choice.random()
    if moment < 0.2:
        return syncs.kill_while_it_writes()
    if moment < 0.6:
        return syncs.kill_after_calls(syncs.choice.randrange(1, changes // 2))
    return syncs.kill_after(syncs.choice.uniform(0, seconds))


if __name__ == "__main__":
    sys.exit(main())
