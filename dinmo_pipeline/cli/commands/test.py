"""`dinmo test`: the declared unit tests of segments."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from dinmo_pipeline.cli.exit_codes import DONE, FAILED, WRONG_USAGE
from dinmo_pipeline.cli.project import (
    declared_project,
    json_option,
    open_declared_source,
    print_json,
    tell,
    unknown_name,
)
from dinmo_pipeline.config import render
from dinmo_pipeline.config.declarations import Project, SegmentTest

if TYPE_CHECKING:
    from dinmo_pipeline.config.strict_yaml.problems import Problem
    from dinmo_pipeline.segments.unit_tests.running import Verdict
    from dinmo_pipeline.segments.unit_tests.source_columns import Columns
    from dinmo_pipeline.segments.unit_tests.tables_read import TableId


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@json_option
def test(names: tuple[str, ...], *, as_json: bool) -> int:
    """Run the unit tests of segments: given these rows, exactly these are members."""
    from dinmo_pipeline.segments import SegmentError  # noqa: PLC0415  # slow to import
    from dinmo_pipeline.segments.unit_tests.running import run_segment_test  # noqa: PLC0415

    project = declared_project()
    wanted = _chosen(project, names)
    in_source = _columns_in_source(project) if wanted else {}
    results: dict[str, Verdict | tuple[Problem, ...]] = {}
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


def _chosen(project: Project, names: Iterable[str]) -> list[SegmentTest]:
    """The tests of the names, each once; of none, all.

    Raises:
        click.UsageError: a test that is not declared.
    """
    wanted = list(dict.fromkeys(names))
    for name in wanted:
        if name not in project.tests:
            raise unknown_name("test", name, project.tests)
    return [project.tests[name] for name in wanted or project.tests]


def _columns_in_source(project: Project) -> "dict[TableId, Columns]":
    """The columns of the tables as the source has them; none where it cannot be asked."""
    from dinmo_pipeline.segments import SourceError  # noqa: PLC0415  # slow to import
    from dinmo_pipeline.segments.unit_tests.source_columns import columns_in_source  # noqa: PLC0415

    try:
        with open_declared_source(project) as source:
            return columns_in_source(project, source)
    except SourceError as error:
        tell(f"{error} Types of columns are inferred from the rows of the tests.")
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
    """A line for each test, and how many there were; what is wrong goes to standard error."""
    if not results:
        click.echo("No tests are declared. Declare some under `tests`.")
        return
    wrong: list[Problem] = []
    passed = 0
    for key, result in results.items():
        if isinstance(result, tuple):
            wrong += result
            click.echo(f"wrong   {key}")
        else:
            passed += result.passed
            click.echo(f"ok      {key}" if result.passed else f"failed  {result}")
    click.echo(f"{passed} of {len(results)} tests passed.")
    if wrong:
        click.echo(render(tuple(dict.fromkeys(wrong))), err=True)


def _exit_code(results: "Iterable[Verdict | tuple[Problem, ...]]") -> int:
    """The worst of all: wrong declarations over a failed test over done."""
    listed = list(results)
    if any(isinstance(result, tuple) for result in listed):
        return WRONG_USAGE
    failed = any(not result.passed for result in listed if not isinstance(result, tuple))
    return FAILED if failed else DONE
