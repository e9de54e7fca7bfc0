"""`dinmo test`: run the declared unit tests of segments."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from dinmo_pipeline.cli.exit_codes import DONE, FAILED, WRONG_USAGE
from dinmo_pipeline.cli.messages import echo, report
from dinmo_pipeline.cli.project import (
    declared_by_name,
    declared_project,
    json_option,
    open_declared_source,
    print_json,
)
from dinmo_pipeline.config import Problem, render
from dinmo_pipeline.config.declarations import Project, SegmentTest
from dinmo_pipeline.text.wording import counted

if TYPE_CHECKING:
    from dinmo_pipeline.segments.tables_read import TableId
    from dinmo_pipeline.segments.unit_tests.inferred_columns import Columns
    from dinmo_pipeline.segments.unit_tests.running import Verdict


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@json_option
def test(names: tuple[str, ...], *, as_json: bool) -> int:
    r"""Run the unit tests of segments: given these rows, exactly these are members.

    \b
    Examples:
      dinmo test
      dinmo test vip_needs_three_orders --json
    """
    from dinmo_pipeline.segments import SegmentError  # noqa: PLC0415  # 0.3 s to import
    from dinmo_pipeline.segments.unit_tests.running import run_segment_test  # noqa: PLC0415

    project = declared_project()
    broken = project.broken_of("test")
    known: dict[str, SegmentTest | tuple[Problem, ...]] = {**project.tests, **broken}
    found = declared_by_name("test", names or known, known)
    wanted = [each for each in found if not isinstance(each, tuple)]
    in_source = _columns_in_source(project) if wanted else {}
    results: dict[str, Verdict | tuple[Problem, ...]] = {
        key: problems for key, problems in broken.items() if not names or key in names
    }
    for each in wanted:
        try:
            results[each.key] = run_segment_test(project, each, in_source)
        except SegmentError as error:
            results[each.key] = error.problems
    if as_json:
        print_json({key: _as_json(result) for key, result in results.items()})
    else:
        _print(results)
    return _exit_code(results.values())


def _columns_in_source(project: Project) -> "dict[TableId, Columns]":
    """The columns of the tables in the source; none if it cannot be opened."""
    from dinmo_pipeline.segments import SourceError  # noqa: PLC0415
    from dinmo_pipeline.segments.unit_tests.source_columns import columns_in_source  # noqa: PLC0415

    try:
        with open_declared_source(project) as source:
            return columns_in_source(project, source)
    except SourceError as error:
        report(f"{error} Column types are inferred from the rows of the tests instead.")
        return {}


def _as_json(result: "Verdict | tuple[Problem, ...]") -> dict[str, Any]:
    if isinstance(result, tuple):
        return {"status": "wrong", "problems": [str(problem) for problem in result]}
    return {
        "status": "ok" if result.passed else "failed",
        "segment": result.test.segment,
        "column": result.test.column,
        "missing": result.missing,
        "unexpected": result.unexpected,
    }


def _print(results: "dict[str, Verdict | tuple[Problem, ...]]") -> None:
    """Print a line for each test and how many passed; problems go to standard error."""
    if not results:
        echo("No tests are declared. Add some under `tests`.")
        return
    wrong: list[Problem] = []
    passed = 0
    for key, result in results.items():
        if isinstance(result, tuple):
            wrong += result
            echo(f"wrong   {key}")
        else:
            passed += result.passed
            echo(f"ok      {key}" if result.passed else f"failed  {result}")
    echo(f"{passed:,} of {counted(len(results), 'test')} passed.")
    if wrong:
        report(render(dict.fromkeys(wrong)))


def _exit_code(results: "Iterable[Verdict | tuple[Problem, ...]]") -> int:
    """The worst result counts: wrong declarations, then a failed test."""
    listed = list(results)
    if any(isinstance(result, tuple) for result in listed):
        return WRONG_USAGE
    failed = any(not result.passed for result in listed if not isinstance(result, tuple))
    return FAILED if failed else DONE
