"""The declared tests of segments in your own pytest, one test each.

from dinmo_pipeline.segments.testing import segment_tests
test_segments = segment_tests("declarations")
"""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from dinmo_pipeline.config import load_project
from dinmo_pipeline.config.declarations import Project
from dinmo_pipeline.segments.errors import SourceError
from dinmo_pipeline.segments.sources.opening import open_source
from dinmo_pipeline.segments.tables_read import TableId
from dinmo_pipeline.segments.unit_tests.inferred_columns import Columns
from dinmo_pipeline.segments.unit_tests.running import run_segment_test
from dinmo_pipeline.segments.unit_tests.source_columns import columns_in_source

_WAIT_SECONDS = 5


def segment_tests(declarations: str | Path, *, uri: str | None = None) -> Callable[[str], None]:
    """A test function for pytest, parametrized with the declared tests.

    Args:
        declarations: The YAML file, or a folder of them.
        uri: The connection URI of a remote source, to read column types from. If it is missing or the source
            cannot be opened, types are inferred from the rows.

    Raises:
        ConfigError: the declarations cannot be used.
    """
    import pytest  # noqa: PLC0415  # not a dependency: only tests have it

    project = load_project(Path(declarations))

    @cache
    def in_source() -> Mapping[TableId, Columns]:
        return _columns(project, uri)

    @pytest.mark.parametrize("name", list(project.tests))
    def test_segment(name: str) -> None:
        verdict = run_segment_test(project, project.tests[name], in_source())
        if not verdict.passed:
            pytest.fail(str(verdict), pytrace=False)

    return test_segment


def _columns(project: Project, uri: str | None) -> Mapping[TableId, Columns]:
    try:
        with open_source(project.source, uri=uri, wait_seconds=_WAIT_SECONDS) as source:
            return columns_in_source(project, source)
    except SourceError:
        return {}
