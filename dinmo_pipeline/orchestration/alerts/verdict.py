"""What finished runs say about an activation: pure decisions over values, without Dagster."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dinmo_pipeline.orchestration import naming
from dinmo_pipeline.orchestration.alerts.troubles import Seen, Trouble

_FAILED_JOB = {
    naming.APPLY_TAG_CHANGES: Trouble.TAGS,
    naming.RECONCILE_TAGS: Trouble.RECONCILIATION,
}


@dataclass(frozen=True, slots=True)
class CheckEvaluated:
    """A run evaluated an asset check; `is_error` if it failed with more than a warning."""

    check: str
    passed: bool
    description: str
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class ChangesComputed:
    """A run computed the change set; `to_apply` is what a sync has to do in Intercom."""

    to_apply: int


@dataclass(frozen=True, slots=True)
class TagsApplied:
    """A run applied the change set."""


@dataclass(frozen=True, slots=True)
class RunFailed:
    """A run failed without being interrupted; `held` when a change set was held.

    If it `may_pass`, the run is repeated.
    """

    job: str
    summary: str
    held: bool = False
    may_pass: bool = False


Finding = CheckEvaluated | ChangesComputed | TagsApplied | RunFailed


class Passing(str):
    """A sentence about trouble that may pass by itself."""

    __slots__ = ()


Verdict = Mapping[Trouble, str | None]
"""By kind of trouble: a sentence when it was found, None when it is over. Other kinds stay as they were."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a run that ended at a time (a timestamp) says of an activation."""

    ended: float
    run_id: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Waiting:
    """Trouble that began at a time (a timestamp), and may pass by itself."""

    since: float
    sentence: str
    run_id: str


def verdict(findings: Iterable[Finding]) -> Verdict:
    """What a finished run says about its activation, from its findings in order."""
    found: dict[Trouble, str | None] = {}
    for finding in findings:
        found |= _of(finding)
    return found


def troubles_after(
    kinds: Iterable[str], waiting: Mapping[str, Waiting], judged: Iterable[Judged]
) -> tuple[dict[str, Seen], dict[str, Waiting]]:
    """How the troubles of an activation were last seen after some runs (oldest first), and what waits then.

    `kinds` are those that it was in before; a trouble that no run mentions stays, without a sentence. One
    that may pass by itself waits until another run fails in the same way. Being behind the schedule, or
    broken as declared, is left out, since no run shows that.
    """
    seen = {kind: Seen("") for kind in kinds if kind not in (Trouble.BEHIND, Trouble.DECLARATIONS)}
    waits = dict(waiting)
    for each in judged:
        for kind, sentence in each.verdict.items():
            is_new = kind not in seen or seen[kind].sentence is None
            if isinstance(sentence, Passing) and is_new and kind not in waits:
                waits[kind] = Waiting(each.ended, sentence, each.run_id)
            else:
                waits.pop(kind, None)
                seen[kind] = Seen(sentence, each.run_id)
    return seen, waits


def _of(finding: Finding) -> Verdict:
    match finding:
        case CheckEvaluated():
            return _of_check(finding)
        case ChangesComputed(to_apply):
            over: Verdict = {Trouble.MEMBERSHIP: None}
            # Without changes, those that failed before are no longer needed.
            return over if to_apply else {**over, Trouble.TAGS: None}
        case TagsApplied():
            return {Trouble.TAGS: None, Trouble.HELD: None}
        case RunFailed(job, summary, held, may_pass):
            kind = Trouble.HELD if held else _FAILED_JOB.get(job, Trouble.MEMBERSHIP)
            return {kind: Passing(summary) if may_pass else summary}


def _of_check(evaluated: CheckEvaluated) -> Verdict:
    trouble = None if evaluated.passed else evaluated.description
    match evaluated.check:
        case naming.DRIFT:
            return {Trouble.DRIFT: trouble, Trouble.RECONCILIATION: None}
        case naming.REMOVAL_GUARD:
            return {Trouble.HELD: None if trouble is None else f"held. {trouble}"}
        case naming.MATCH_RATE:
            # That few are found is usual in many workspaces; that nobody is, is an error.
            return {Trouble.NOBODY_MATCHED: trouble if evaluated.is_error else None}
        case naming.USUAL_SIZE:
            return {Trouble.SIZE: trouble}
    return {}
