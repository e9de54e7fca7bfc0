"""What a deployment of several machines did, counted after it has come to rest."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import dagster as dg

from dinmo_pipeline.orchestration.runs.pauses import LAUNCHED_BY
from dinmo_pipeline.text.wording import counted

_BUSY = ("in use by another process", "worked on the destination")
_FAILURES = {dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.STEP_FAILURE}
_LONGEST_REASON = 120


@dataclass(frozen=True)
class Verdict:
    """What was found; `turns` and `violations` are lines of the audit.

    Attributes:
        wrong: how many contacts have a tag and should not, or should and do not, by segment.
        stats: what each emulated Intercom counted, by destination.
        reasons: why each failed run failed, in full.
    """

    wrong: Mapping[str, int]
    stats: Mapping[str, Mapping[str, Any]]
    turns: Sequence[Mapping[str, Any]]
    violations: Sequence[Mapping[str, Any]]
    runs: Sequence[dg.DagsterRun]
    reasons: Sequence[str]

    @property
    def failures(self) -> dict[str, int]:
        """What must not happen, and how often it did."""
        idle = sum(not list(self._machines(destination)) for destination in self.stats)
        return {
            "wrong tags": sum(self.wrong.values()),
            "calls over Intercom's limit (429)": sum(
                stats["rate"]["refused"] for stats in self.stats.values()
            ),
            "second writers of a state file": len(self.violations),
            "runs that failed because the state was busy": sum(
                any(words in reason for words in _BUSY) for reason in self.reasons
            ),
            "destinations that nobody worked on": idle,
        }

    def lines(self) -> Iterator[str]:
        """The figures, in words."""
        statuses = Counter(run.status.value.lower() for run in self.runs)
        by_people = sum(run.tags.keys().isdisjoint(LAUNCHED_BY) for run in self.runs)
        yield f"{counted(len(self.runs), 'run')}, {by_people} of them by people: {dict(statuses)}."
        for line, count in Counter(_first_line(reason) for reason in self.reasons).most_common():
            yield f"  failed, {counted(count, 'run')}: {line}"
        for destination, stats in self.stats.items():
            machines = list(self._machines(destination))
            moves = sum(one != other for one, other in pairwise(machines))
            calls, most = sum(stats["calls"].values()), stats["rate"]["windows"]
            yield (
                f"{destination}: {counted(len(machines), 'lease')} on"
                f" {counted(len(set(machines)), 'machine')}; it went from one to another"
                f" {counted(moves, 'time')}. {calls:,} calls; at most {most} in a window."
            )
        yield from map(str, self.violations)
        yield from (f"{what}: {count}" for what, count in self.failures.items())

    def _machines(self, destination: str) -> Iterator[str]:
        """The machines that worked on a destination, in turn."""
        for turn in self.turns:
            if turn["destination"] == destination and turn["event"] == "taken":
                yield turn["machine"]


def reasons_of(instance: dg.DagsterInstance, runs: Sequence[dg.DagsterRun]) -> list[str]:
    """Why each failed run failed."""
    return [_reason(instance, run) for run in runs if run.status == dg.DagsterRunStatus.FAILURE]


def _reason(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    entries = instance.all_logs(run.run_id, of_type=_FAILURES)
    events = [entry.dagster_event for entry in entries if entry.dagster_event]
    steps = [event.step_failure_data.error_display_string for event in events if event.is_step_failure]
    said = steps or [event.message or "" for event in events] or [""]
    return said[0].replace(run.run_id, "…")


def _first_line(reason: str) -> str:
    return (reason.strip().splitlines() or ["no reason"])[0][:_LONGEST_REASON]
