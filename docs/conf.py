"""The site that `make docs` builds. Warnings, dead links and dead anchors fail the build.

The source folder is the whole repository, so that links to README.md, CONTRIBUTING.md or LICENSE work
both here and on a Git host.
"""

from pathlib import Path

from sphinx.application import Sphinx

project = "dinmo-pipeline"
html_title = project
html_theme = "furo"  # its own fonts and scripts: a page loads nothing from elsewhere
html_show_copyright = False
html_copy_source = False

extensions = ["myst_parser"]
myst_heading_anchors = 4  # the same anchors as a Git host makes
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**.md"]
exclude_patterns = [".*", "docs/_site", "dinmo_pipeline", "dinmo_pipeline_tests"]

PAGES = {
    "Guides": [
        "guides/start",
        "guides/segments",
        "guides/review",
        "guides/dagster-project",
        "guides/dbt",
        "guides/lineage",
        "guides/duckdb-file",
        "guides/production",
        "guides/operate",
        "guides/dagster-ui",
        "guides/for-marketers",
        "guides/moving",
        "guides/live-test",
    ],
    "Reference": [
        "reference/declarations",
        "reference/conditions",
        "reference/sources",
        "reference/csv",
        "reference/intercom",
        "reference/state",
        "reference/words",
    ],
    "Background": ["how-it-works", "measured", "adr/README"],
    "Project": ["/README", "/CHANGELOG", "/SECURITY", "/CONTRIBUTING"],
}


def add_navigation(_app: Sphinx, page: str, source: list[str]) -> None:
    """Add the table of contents here: a Git host would show it as a block of code."""
    if page == root_doc:
        source[0] += "".join(_contents(PAGES[part], f":caption: {part}") for part in PAGES)
    if page == "docs/adr/README":
        source[0] += _contents(["[0-9]*"], ":glob:")


def _contents(pages: list[str], option: str) -> str:
    return "\n".join(["\n```{toctree}", ":hidden:", option, "", *pages, "```\n"])


def redirect_to_the_front_page(app: Sphinx, error: Exception | None) -> None:
    """Let the site's root lead to docs/index.md."""
    if error is None:
        page = '<!doctype html><meta http-equiv="refresh" content="0; url=docs/">\n'
        (Path(app.outdir) / "index.html").write_text(page)


def setup(app: Sphinx) -> None:
    """Register with Sphinx."""
    app.connect("source-read", add_navigation)
    app.connect("build-finished", redirect_to_the_front_page)
