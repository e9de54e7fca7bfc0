"""Findings of the probes, and the report of them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One question about Intercom, what we assume, and what we found.

    Attributes:
        question: In words.
        assumed: What the emulator does and the client expects.
        found: What the workspace did.
        holds: Whether both agree; None if the workspace's answer does not settle it.
    """

    question: str
    assumed: str
    found: str
    holds: bool | None


def report(findings: Iterable[Finding]) -> Iterator[str]:
    """The lines of the report; the last one has the totals."""
    totals: Counter[bool | None] = Counter()
    words = {True: "as assumed", False: "DIFFERS   ", None: "unsettled "}
    for finding in findings:
        totals[finding.holds] += 1
        yield f"{words[finding.holds]}  {finding.question}"
        yield f"            found:   {finding.found}"
        if not finding.holds:
            yield f"            assumed: {finding.assumed}"
    yield f"As assumed: {totals[True]}. Different: {totals[False]}. Unsettled: {totals[None]}."
