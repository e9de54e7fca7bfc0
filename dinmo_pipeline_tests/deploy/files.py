"""The files of `deploy/`, as the programs read them for which they are."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[2]
DEPLOY = PROJECT / "deploy"


def parsed(name: str) -> Any:
    """A YAML file, with its anchors and merges resolved."""
    return yaml.safe_load((DEPLOY / name).read_text())


def image_command(instruction: str) -> list[str]:
    """A command of the image: of `CMD`, or the check of `HEALTHCHECK`."""
    text = (DEPLOY / "Containerfile").read_text().replace("\\\n", " ")
    (line,) = re.findall(rf"^{instruction}\b.*", text, re.MULTILINE)
    return list(json.loads(line[line.index("[") :]))
