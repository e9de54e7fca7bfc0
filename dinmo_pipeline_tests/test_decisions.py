"""The index of decisions is complete and agrees with the pages."""

import re
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "docs" / "adr"
HEAD = re.compile(r"# (\d+)\. (.+)\n\nDate: (\d{4}-\d{2}-\d{2})\. Status: (.+)\.\n")
ROW = re.compile(r"^\| (\d+) \| \[(.+)\]\((.+\.md)\) \| (\S+) \| (.+) \|$", re.MULTILINE)


def test_the_index_lists_every_decision_as_its_page_states_it():
    """In order: number, title, file, date and status."""
    pages = []
    for page in sorted(FOLDER.glob("[0-9]*.md")):
        head = HEAD.match(page.read_text())
        assert head, f"{page.name} does not start with its number, title, date and status"
        number, title, date, status = head.groups()
        assert page.name.startswith(f"{int(number):04}-")
        pages.append((number, title, page.name, date, status))
    assert ROW.findall((FOLDER / "README.md").read_text()) == pages


def test_the_numbers_of_decisions_are_consecutive():
    """A number is never used twice."""
    numbers = [int(page.name[:4]) for page in sorted(FOLDER.glob("[0-9]*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))
