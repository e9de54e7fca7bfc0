"""A YAML text to a tree of nodes: strict, bounded, and with the place of everything."""

import re
from collections.abc import Iterator
from typing import Any, NoReturn

import yaml

from dinmo_pipeline.config.strict_yaml.nodes import ListNode, MapNode, Node, Scalar
from dinmo_pipeline.config.strict_yaml.problems import Place
from dinmo_pipeline.config.strict_yaml.report import Report
from dinmo_pipeline.config.strict_yaml.scalars import scalar_kind
from dinmo_pipeline.config.strict_yaml.source_text import Position
from dinmo_pipeline.text.wording import shown

# Far more than a person writes, and low enough that hostile input costs little time and memory.
MAX_DEPTH = 150
MAX_ALIASES = 1_000
MAX_VALUES = 100_000

_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_UNUSABLE = re.compile("[\x00\ud800-\udfff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_SUBJECT = "file"


class UnreadableYamlError(Exception):
    """The document cannot be read any further; the problem is already in the report."""


def compose(file: str, text: str, report: Report) -> Node:
    """Parse the only document in `text`.

    Duplicate keys, tags and merge keys are reported, and reading continues.

    Raises:
        UnreadableYamlError: the text is not YAML, is empty, contains several documents, or is too large.
    """
    try:
        return _Composer(file, yaml.parse(text, Loader=_fast_parser()), report).document()
    except yaml.YAMLError:
        # libyaml is twelve times as fast, but is not always installed and words its errors differently, so
        # the Python parser always finds the error to show.
        return compose_in_python(file, text, report)


def _fast_parser() -> Any:
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def compose_in_python(file: str, text: str, report: Report) -> Node:
    """What `compose` does, without libyaml."""
    try:
        return _Composer(file, yaml.parse(text, Loader=yaml.SafeLoader), report).document()
    except yaml.MarkedYAMLError as error:
        report.add(_place_of(file, error), _SUBJECT, *_syntax_message(error))
    except yaml.reader.ReaderError as error:
        place = _place_at(file, text, error.position)
        report.add(place, _SUBJECT, "YAML does not allow this character. Delete it.")
    except (yaml.YAMLError, ValueError, OverflowError):
        report.add(
            Place(file, 1, 1),
            _SUBJECT,
            "Invalid YAML: an escape sequence in quotes is wrong.",
        )
    raise UnreadableYamlError


def _place_of(file: str, error: yaml.MarkedYAMLError) -> Place:
    mark = error.problem_mark or error.context_mark
    return Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)


def _place_at(file: str, text: str, index: int) -> Place:
    before = _LINE_BREAK.split(text[:index])
    return Place(file, len(before), len(before[-1]) + 1)


_SYNTAX_MESSAGES = (
    ("'\\t' that cannot start", "YAML does not allow a tab here. Indent with spaces."),
    (
        "mapping values are not allowed",
        "This line has a second ': '. Put the value in quotes, or start a new line.",
    ),
    ("could not find expected ':'", "This key needs a ':' after it."),
    ("unexpected end of stream", "This text has no closing quote."),
    ("expected <block end>", "The indentation does not match the lines above."),
    (
        "that cannot start any token",
        "Text without quotes cannot start with this character. Put it in quotes.",
    ),
    ("expected ',' or '}'", "Expected a ',' or the closing '}'."),
    ("expected ',' or ']'", "Expected a ',' or the closing ']'."),
    ("incompatible YAML document", "Only YAML 1 is supported. Delete the %YAML line."),
)


def _syntax_message(error: yaml.MarkedYAMLError) -> tuple[str]:
    """The parser's complaint in plain words; its own may quote the text, which may be a secret."""
    problem = str(error.problem)
    for part, message in _SYNTAX_MESSAGES:
        if part in problem:
            return (message,)
    return ("Invalid YAML: something is missing or misplaced here.",)


class _Composer:
    """Builds the tree from the parser's events, depth first."""

    def __init__(self, file: str, events: Iterator[Any], report: Report) -> None:
        self._file = file
        self._events = events
        self._report = report
        self._anchors: dict[str, Node | None] = {}  # None while its value is still being read
        self._aliases = 0
        self._values = 0

    def document(self) -> Node:
        """The only document."""
        next(self._events)
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            self._stop(
                Place(self._file, 1, 1),
                "The file is empty.",
                "Add declarations, or delete the file.",
            )
        node = self._node(next(self._events), depth=1)
        next(self._events)
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            self._stop(
                self._place(event),
                "A second document starts here. A file may contain only one.",
                "Delete the '---', or move what follows to another file.",
            )
        return node

    def _node(self, event: Any, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if depth > MAX_DEPTH:
            self._stop(self._place(event), f"This is nested more than {MAX_DEPTH} levels deep.")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._refuse_tag(event)
        node = self._value(event, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _value(self, event: Any, depth: int) -> Node:
        self._values += 1
        self._refuse_too_many(event, self._values)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(event, depth)
        return self._mapping(event, depth)

    def _scalar(self, event: Any) -> Scalar:
        place, plain = self._place(event), not event.style
        text = _with_joined_surrogates(event.value)
        if _UNUSABLE.search(text):
            self._report.add(
                place,
                _SUBJECT,
                "This text contains a character that databases cannot store. Delete it.",
            )
        kind = scalar_kind(text, plain=plain)
        return Scalar(text, kind, plain, place, _end(event))

    def _list(self, event: Any, depth: int) -> ListNode:
        items: list[Node] = []
        size = 1
        while not isinstance(after := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(after, depth + 1))
            size += items[-1].size
            self._refuse_too_many(event, size)
        return ListNode(tuple(items), self._place(event), _end(after), size)

    def _mapping(self, event: Any, depth: int) -> MapNode:
        entries: dict[str, tuple[Scalar, Node]] = {}
        size = 1
        while not isinstance(after := next(self._events), yaml.MappingEndEvent):
            key = self._node(after, depth + 1)
            value = self._node(next(self._events), depth + 1)
            size += key.size + value.size
            self._refuse_too_many(event, size)
            self._add_entry(entries, key, value)
        return MapNode(tuple(entries.values()), self._place(event), _end(after), size)

    def _add_entry(self, entries: dict[str, tuple[Scalar, Node]], key: Node, value: Node) -> None:
        if not isinstance(key, Scalar):
            self._report.add(key, _SUBJECT, "A key must be text, not a list or a mapping.")
        elif key.plain and key.text == "<<":
            hint = "Repeat the settings, or move shared ones to `default_activation`."
            self._report.add(key, _SUBJECT, "Merge keys ('<<') are not part of YAML 1.2.", hint=hint)
        elif key.text in entries:
            first = entries[key.text][0].place
            message = f"The key '{shown(key.text)}' is used twice in one mapping. The first is at {first}."
            self._report.add(key, _SUBJECT, message, hint="Delete or rename one of them.")
            self._report.hide_secret(key.text, value)
        else:
            entries[key.text] = (key, value)
            self._report.hide_secret(key.text, value)

    def _alias(self, event: Any) -> Node:
        self._aliases += 1
        place = self._place(event)
        if self._aliases > MAX_ALIASES:
            self._stop(place, f"The file uses more than {MAX_ALIASES} aliases.")
        if event.anchor not in self._anchors:
            self._stop(
                place,
                "No anchor above has this alias's name.",
                "If it is text, put it in quotes.",
            )
        node = self._anchors[event.anchor]
        if node is None:
            self._stop(place, "This alias is inside the value that it repeats.")
        return node

    def _refuse_tag(self, event: Any) -> None:
        if event.tag is not None:
            hint = "Delete the tag. If it is text, put it in quotes."
            self._report.add(self._place(event), _SUBJECT, "Tags ('!…') are not supported.", hint=hint)

    def _refuse_too_many(self, event: Any, size: int) -> None:
        if size > MAX_VALUES:
            message = f"The file has more than {MAX_VALUES:,} values, counting what aliases repeat."
            self._stop(self._place(event), message)

    def _place(self, event: Any) -> Place:
        return Place(self._file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _stop(self, place: Place, message: str, hint: str | None = None) -> NoReturn:
        self._report.add(place, _SUBJECT, message, hint=hint)
        raise UnreadableYamlError


def _with_joined_surrogates(text: str) -> str:
    """Join the two escapes that JSON, which is YAML, uses for a character beyond 16 bits."""
    if not _SURROGATES.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _end(event: Any) -> Position:
    return event.end_mark.line + 1, event.end_mark.column + 1
