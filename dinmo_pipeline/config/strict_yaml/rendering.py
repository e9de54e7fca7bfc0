"""Problems as text for a person."""

import unicodedata
from collections.abc import Iterable

from dinmo_pipeline.config.strict_yaml.problems import Excerpt, Problem


def render(problems: Iterable[Problem]) -> str:
    """All problems, each with its place, its source lines, a caret, what is allowed and a hint."""
    return "\n\n".join(_render_one(problem) for problem in problems)


def _render_one(problem: Problem) -> str:
    lines = [str(problem)]
    if problem.excerpt is not None:
        lines += _render_excerpt(problem.excerpt)
    if problem.allowed:
        lines.append(f"  Allowed: {', '.join(problem.allowed)}")
    if problem.hint:
        lines.append(f"  {problem.hint}")
    return "\n".join(lines)


def _render_excerpt(excerpt: Excerpt) -> list[str]:
    width = len(str(excerpt.lines[-1][0]))
    shown = [f"  {number:>{width}} | {text}".rstrip() for number, text in excerpt.lines]
    before_caret = excerpt.lines[-1][1][: excerpt.caret]
    return [*shown, f"  {'':>{width}} | {' ' * _cells(before_caret)}^"]


def _cells(text: str) -> int:
    """How many terminal cells `text` takes: wide characters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )
