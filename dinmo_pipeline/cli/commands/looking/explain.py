"""`dinmo explain`: what a state, the reason of a hold, or a number means, and what to do about it."""

import click
from click.shell_completion import CompletionItem

from dinmo_pipeline.cli.messages import echo
from dinmo_pipeline.cli.project import json_option, print_json, unknown_name
from dinmo_pipeline.text.legend import LEGEND


def _complete(_context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    return [CompletionItem(code) for code in _meanings() if code.startswith(typed)]


@click.command()
@click.argument("code", required=False, shell_complete=_complete)
@json_option
def explain(code: str | None, *, as_json: bool) -> None:
    r"""Explain a CODE that commands show: a state, the reason of a hold, or a number. Without CODE, all.

    \b
    Examples:
      dinmo explain overdue
      dinmo explain max_removed_share
      dinmo explain not_in_intercom
    """
    meanings = _meanings()
    if code is not None:
        word = code.strip().lower().replace(" ", "_")
        if word not in meanings:
            raise unknown_name("code", code, meanings)
        meanings = {word: meanings[word]}
    if as_json:
        print_json({key: {"meaning": meaning, "to_do": to_do} for key, (meaning, to_do) in meanings.items()})
        return
    for key, (meaning, to_do) in meanings.items():
        echo(f"{key}: {meaning}{f' {to_do}' if to_do else ''}")


def _meanings() -> dict[str, tuple[str, str]]:
    """By code: what it means, and what to do. A state comes before a number of the same name."""
    from dinmo_pipeline.sync.explanations import EXPLANATIONS  # noqa: PLC0415  # slow: imports DuckDB

    explained = {str(code): (each.meaning, each.to_do) for code, each in EXPLANATIONS.items()}
    numbers = {
        name: (f"{explained[name][0]} As a number: {meaning}" if name in explained else meaning, to_do)
        for name, meaning in LEGEND.items()
        for to_do in (explained.get(name, ("", ""))[1],)
    }
    return {**explained, **numbers}
