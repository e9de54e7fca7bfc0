"""Pieces of JSON Schema in which one mistake is one error, at its own place and in words.

Alternatives are chosen by `if` and `then`, never by `anyOf`: a validator reports the errors of every branch
of an `anyOf`, or those of a branch that it guesses. `errorMessage` is not a keyword of JSON Schema; the YAML
language server shows it in place of its own words, and other validators ignore it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

JsonSchema: TypeAlias = dict[str, Any]


def object_of(
    properties: Mapping[str, Any],
    *,
    rules: Sequence[JsonSchema] = (),
    nullable: bool = False,
    wrong_type: str | None = None,
    unknown_key: str | None = None,
    other_words: Mapping[str, str] | None = None,
) -> JsonSchema:
    """An object with these keys and no others.

    Args:
        properties: The schema of each key.
        rules: What must hold among the keys. Checked once every key is known: a misspelt key is one
            mistake, not also a missing one.
        nullable: Whether `key:` alone is such an object.
        wrong_type: What to say of a value that is not an object.
        unknown_key: What to say of a key that is not in `properties`.
        other_words: For keys that people write for one of `properties`: the right one.
    """
    names = list(properties)
    listed = ", ".join(names)
    meant = {
        word: {"enum": [], "errorMessage": f"Write `{right}`.", "doNotSuggest": True}
        for word, right in (other_words or {}).items()
        if word not in properties
    }
    return {
        "type": ["object", "null"] if nullable else "object",
        "errorMessage": wrong_type or f"This must be a mapping. Its keys: {listed}.",
        "properties": dict(properties),
        "if": {"propertyNames": {"enum": names}},
        "then": {"allOf": list(rules)} if rules else {},
        "else": {
            "properties": {**dict.fromkeys(names, True), **meant},
            "additionalProperties": False,
            "errorMessage": unknown_key or f"This is not a known key here. Known: {listed}.",
        },
    }


def has(*keys: str) -> JsonSchema:
    """Holds of an object with all of the keys."""
    return {"type": "object", "required": list(keys)}


def has_any(keys: Sequence[str]) -> JsonSchema:
    """Holds of an object with one of the keys. For conditions only: as a rule it would report badly."""
    return {"anyOf": [has(key) for key in keys]}


def needs(key: str, message: str) -> JsonSchema:
    """The rule that an object has a key."""
    return {"required": [key], "errorMessage": message}


def without(keys: Sequence[str], message: str) -> JsonSchema:
    """The rule that an object has none of the keys."""
    return {"properties": dict.fromkeys(keys, False), "errorMessage": message}


def first_of(cases: Sequence[tuple[JsonSchema, JsonSchema]], otherwise: JsonSchema) -> JsonSchema:
    """The schema of the first case whose condition holds."""
    schema = otherwise
    for condition, then in reversed(cases):
        schema = {"if": condition, "then": then, "else": schema}
    return schema


def exactly_one(keys: Sequence[str], *, none: str, several: str) -> JsonSchema:
    """The rule that an object has one of the keys, and not two."""
    cases = [(has(key), without(keys[n + 1 :], several)) for n, key in enumerate(keys[:-1])]
    return first_of(cases, first_of([(has(keys[-1]), {})], needs(keys[0], none)))


def matching(pattern: str, message: str, *examples: str) -> JsonSchema:
    """Text that matches a pattern; editors offer the examples."""
    schema: JsonSchema = {"type": "string", "pattern": pattern, "errorMessage": message}
    return {**schema, "examples": list(examples)} if examples else schema


def any_case(word: str) -> str:
    """A pattern of a word in any case: JSON Schema has no flags for patterns.

    >>> any_case("ago")
    '[aA][gG][oO]'
    """
    return "".join(f"[{c}{c.upper()}]" if c.islower() else c for c in word)


def one_word_of(words: Sequence[str]) -> str:
    """A pattern of any of the words, in any case."""
    return f"(?:{'|'.join(any_case(word) for word in words)})"


_NO_TENS = "0?"


def number_from_to(lowest: int, highest: int) -> str:
    """A pattern of a whole number below 100, with or without a leading zero.

    >>> number_from_to(1, 31)
    '(?:0?[1-9]|1[0-9]|2[0-9]|3[0-1])'
    """
    tens = range(lowest // 10, highest // 10 + 1)
    digits = {n: (max(lowest - 10 * n, 0), min(highest - 10 * n, 9)) for n in tens}
    return f"(?:{'|'.join(f'{n or _NO_TENS}[{first}-{last}]' for n, (first, last) in digits.items())})"


def dotted(separator: str, *, fewest: int = 1, most: int | None = None) -> str:
    """A pattern of parts with a separator between them, a character; no part is blank.

    >>> import re
    >>> [bool(re.search(dotted(".", fewest=2), text)) for text in ("a", "a.b", "a.", "a. .b")]
    [False, True, False, False]
    """
    part = rf"[^{separator}]*[^{separator}\s][^{separator}]*"
    last = "" if most is None else most - 1
    return f"^{part}(?:[{separator}]{part}){{{fewest - 1},{last}}}$"
