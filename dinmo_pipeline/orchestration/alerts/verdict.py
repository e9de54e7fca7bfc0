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
    """A run failed without being interrupted; `held` when a change set was held."""

    job: str
    summary: str
    held: bool = False


Finding = CheckEvaluated | ChangesComputed | TagsApplied | RunFailed

Verdict = Mapping[Trouble, str | None]
"""By kind of trouble: a sentence when it was found, None when it is over. Other kinds stay as they were."""


def verdict(findings: Iterable[Finding]) -> Verdict:
    """What a finished run says about its activation, from its findings in order."""
    found: dict[Trouble, str | None] = {}
    for finding in findings:
        found |= _of(finding)
    return found


def troubles_after(kinds: Iterable[str], verdicts: Iterable[tuple[str, Verdict]]) -> dict[str, Seen]:
    """How the troubles of an activation were last seen after some runs, by id (oldest first).

    `kinds` are those that it was in before; a trouble that no run mentions stays, without a sentence. Being
    behind the schedule, or broken as declared, is left out, since no run shows that.
    """
    seen = {kind: Seen("") for kind in kinds if kind not in (Trouble.BEHIND, Trouble.DECLARATIONS)}
    for run_id, each in verdicts:
        seen |= {kind: Seen(sentence, run_id) for kind, sentence in each.items()}
    return seen


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
        case RunFailed(job, summary, held):
            kind = Trouble.HELD if held else _FAILED_JOB.get(job, Trouble.MEMBERSHIP)
            return {kind: summary}


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
