"""The keys that objects are declared under, and sections of them."""

import re
from collections.abc import Iterator

from dinmo_pipeline.config.strict_yaml.json_schemas import JsonSchema
from dinmo_pipeline.config.strict_yaml.nodes import MapNode, Node, Scalar, kind_of
from dinmo_pipeline.config.strict_yaml.report import Report, Subject
from dinmo_pipeline.text.wording import shown

# Keys become partition keys, and parts of the names of schedules and files.
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
MAX_KEY_LENGTH = 60
KEY_PATTERN = f"^[A-Za-z][A-Za-z0-9_]{{0,{MAX_KEY_LENGTH - 1}}}$"


def section_schema(item: JsonSchema) -> JsonSchema:
    """The JSON Schema of a section: objects by their keys."""
    return {
        "type": ["object", "null"],
        "errorMessage": "This must be a mapping: write each object as key: {…}.",
        "propertyNames": {
            "pattern": KEY_PATTERN,
            "errorMessage": "A key must start with a letter and contain only letters, digits and '_',"
            f" at most {MAX_KEY_LENGTH} characters.",
        },
        "patternProperties": {KEY_PATTERN: item},
    }


def check_key(key: Scalar, subject: Subject) -> bool:
    """Whether a key can name an object; otherwise a problem is noted."""
    if not _KEY.fullmatch(key.text):
        hint = f"For example: {_suggestion(key.text)}."
        message = "A key must start with a letter and contain only letters, digits and '_'."
        subject.problem(key, message, hint=hint)
        return False
    if len(key.text) > MAX_KEY_LENGTH:
        message = f"A key must be at most {MAX_KEY_LENGTH} characters long; this one has {len(key.text)}."
        subject.problem(key, message)
        return False
    return True


def _suggestion(text: str) -> str:
    parts = re.findall(r"[A-Za-z0-9]+", text)
    joined = "_".join(parts)[:MAX_KEY_LENGTH].lower()
    return joined if _KEY.fullmatch(joined) else f"a_{joined}"[:MAX_KEY_LENGTH] if joined else "my_key"


def named(kind: str, key: str, report: Report) -> Subject:
    """`segment 'churned'`."""
    return Subject(f"{kind} '{shown(key)}'", report, (kind, key))


def objects_in(section: Node, kind: str, report: Report) -> Iterator[tuple[Scalar, Node, Subject]]:
    """Key, value and subject of each object in a section; a problem if it is not a mapping."""
    if isinstance(section, Scalar) and section.kind == "null":
        return
    if not isinstance(section, MapNode):
        hint = f"Write each {kind} as `key: {{…}}`."
        report.add(section, f"{kind}s", f"This must be a mapping, not {kind_of(section)}.", hint=hint)
        return
    for key, value in section.entries:
        yield key, value, named(kind, key.text, report)
