"""A real browser, for tests of what people see."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_QUIET = ("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")


def browser_in(profile: Path) -> Callable[..., str]:
    """A function that loads an address, and returns the document after its scripts ran.

    Without a browser the test is skipped.
    """
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip(f"There is no browser: none of {', '.join(_NAMES)} is installed.")

    def load(address: str, *options: str) -> str:
        words = ("--headless", "--no-sandbox", *_QUIET, f"--user-data-dir={profile}")
        found = subprocess.run(
            [program, *words, "--virtual-time-budget=25000", *options, "--dump-dom", address],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return found.stdout

    return load


def shown(document: str) -> str:
    """The text of a document, without scripts and styles."""
    text = re.sub(r"<(script|style).*?</\1>", "", document, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())
