"""The table of activation settings in the reference. Run this module to write it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.config.strict_yaml.declared_fields import members_of

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "declarations.md"
_START = "<!-- The settings of an activation: generated from the fields of Activation. -->\n"
_END = "<!-- End of the generated table. -->\n"


def activation_table() -> str:
    """The settings of an activation, one row per setting."""
    head = "| Setting | Default | Meaning |\n| --- | --- | --- |\n"
    return head + "".join(f"| {row} |\n" for row in _rows(Activation, ""))


def _rows(cls: type[Any], prefix: str) -> Iterator[str]:
    for member in members_of(cls):
        setting = member.setting
        if member.part:
            yield from _rows(member.part, f"{setting.key}.")
            continue
        default = setting.default_doc or _code(setting.default)
        unit = f" ({setting.unit})" if setting.unit else ""
        yield f"`{prefix}{setting.key}` | {default} | {setting.doc}{unit}"


def _code(default: Any) -> str:
    """A default as it is written in YAML."""
    if default is None:
        return "none"
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def with_table(page: str) -> str:
    """The page with the current table."""
    before, _, rest = page.partition(_START)
    _, _, after = rest.partition(_END)
    return f"{before}{_START}{activation_table()}{_END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text("utf-8")), "utf-8")
