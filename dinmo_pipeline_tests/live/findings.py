"""What a probe found, and how it is printed."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One question, what Intercom answered, and whether that is what we assume.

    Attributes:
        question: In words.
        assumed: What the emulator does and the client expects.
        found: What the workspace did.
        holds: None when the answer settles nothing.
    """

    question: str
    assumed: str
    found: str
    holds: bool | None


def report(findings: Iterable[Finding]) -> Iterator[str]:
    """The lines of a report, and a last one that counts."""
    counted: Counter[bool | None] = Counter()
    words = {True: "as assumed", False: "DIFFERS   ", None: "unsettled "}
    for finding in findings:
        counted[finding.holds] += 1
        yield f"{words[finding.holds]}  {finding.question}"
        yield f"            found:   {finding.found}"
        if not finding.holds:
            yield f"            assumed: {finding.assumed}"
    yield (f"{counted[True]} as assumed, {counted[False]} differ, {counted[None]} unsettled.")
