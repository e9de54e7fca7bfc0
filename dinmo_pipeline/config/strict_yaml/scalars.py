"""Which plain scalars are numbers, booleans and null: the core schema of YAML 1.2, and nothing more.

`NO`, `on`, `yes`, `12:30`, `0777`, `0x1F`, `1_000`, `+33` and `2024-01-01` are text: what a country code,
a switch, a time, a postcode and a phone number are to the person who wrote them.
"""

import re

from dinmo_pipeline.config.strict_yaml.nodes import ScalarKind

_PATTERNS: tuple[tuple[ScalarKind, re.Pattern[str]], ...] = (
    ("null", re.compile(r"|~|null|Null|NULL")),
    ("bool", re.compile(r"true|True|TRUE|false|False|FALSE")),
    ("int", re.compile(r"0|-?[1-9][0-9]*")),
    ("float", re.compile(r"-?(?:0|[1-9][0-9]*)?\.[0-9]+(?:[eE][-+]?[0-9]+)?")),
    ("float", re.compile(r"-?(?:0|[1-9][0-9]*)[eE][-+]?[0-9]+")),
    ("float", re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")),
)


def scalar_kind(text: str, *, plain: bool) -> ScalarKind:
    """What a scalar is; `plain` is false for quoted and block text, which is always text."""
    if plain:
        for kind, pattern in _PATTERNS:
            if pattern.fullmatch(text):
                return kind
    return "text"
