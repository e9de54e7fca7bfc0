"""A YAML document as a small tree in which every part knows its place."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from dinmo_pipeline.config.strict_yaml.problems import Place
from dinmo_pipeline.config.strict_yaml.source_text import Position

ScalarKind: TypeAlias = Literal["null", "bool", "int", "float", "text"]


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """A single value: its text, its type in YAML 1.2, and whether it was written without quotes."""

    text: str
    kind: ScalarKind
    plain: bool
    place: Place
    end: Position
    size: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class ListNode:
    """A YAML sequence; `size` counts the values in it, aliases written out."""

    items: "tuple[Node, ...]"
    place: Place
    end: Position
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class MapNode:
    """A YAML mapping without duplicate keys, in written order."""

    entries: "tuple[tuple[Scalar, Node], ...]"
    place: Place
    end: Position
    size: int

    def get(self, key: str) -> "Node | None":
        """The value under `key`."""
        return next((value for name, value in self.entries if name.text == key), None)


Node: TypeAlias = Scalar | ListNode | MapNode


def kind_of(node: Node) -> str:
    """What a node is, in words, without its value: `a list`, `a whole number`."""
    if isinstance(node, ListNode):
        return "a list"
    if isinstance(node, MapNode):
        return "a mapping"
    words = {"null": "nothing", "bool": "true or false", "int": "a number", "float": "a number"}
    return words.get(node.kind, "text")
