"""Collects the problems of all files while they are read."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from dinmo_pipeline.config.strict_yaml.nodes import ListNode, MapNode, Node, Scalar
from dinmo_pipeline.config.strict_yaml.problems import Owner, Place, Problem
from dinmo_pipeline.config.strict_yaml.source_text import SourceText
from dinmo_pipeline.text.masking import mask_credentials


@dataclass(frozen=True, slots=True)
class Subject:
    """An object that problems are about, such as `segment 'churned'`, and the report they go to.

    `owner` is the declared object that they break; None if they break all of the declarations.
    """

    name: str
    report: "Report"
    owner: Owner | None = None

    def problem(
        self,
        at: Node | Place,
        message: str,
        *,
        allowed: Iterable[str] = (),
        hint: str | None = None,
        needs_all_files: bool = False,
    ) -> None:
        """Note a problem of this object; the message is a sentence without a secret in it."""
        self.report.add(
            *(at, self.name, message),
            allowed=allowed,
            hint=hint,
            needs_all_files=needs_all_files,
            owner=self.owner,
        )

    def part(self, name: str) -> "Subject":
        """A part of this object: `destination 'main', default_activation`."""
        return Subject(f"{self.name}, {name}", self.report, self.owner)


SECRET_SETTINGS = frozenset({"access_token", "uri", "webhook", "heartbeat", "password"})
_SECRET_NAME = re.compile(
    r"token|secret|passw|credential|api_?key|webhook|heartbeat|^uri$|^dsn$|^alerts$", re.IGNORECASE
)
MAX_PROBLEMS_SHOWN = 500
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")


class Report:
    """The problems found so far, and the texts they are in."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []
        self._texts: dict[str, SourceText] = {}
        self.is_complete = True

    def watch(self, text: SourceText) -> None:
        """Show lines of this file in problems that are in it."""
        self._texts[text.file] = text

    def add(
        self,
        at: Node | Place,
        subject: str,
        message: str,
        *,
        allowed: Iterable[str] = (),
        hint: str | None = None,
        needs_all_files: bool = False,
        owner: Owner | None = None,
    ) -> None:
        """Note a problem at a node or a place; the message is a sentence without a secret in it.

        With `needs_all_files` it is dropped if a file could not be read, which may hold what is missing.
        """
        if needs_all_files and not self.is_complete:
            return
        place = at if isinstance(at, Place) else at.place
        value = at.text if isinstance(at, Scalar) else None
        self._problems.append(Problem(place, subject, message, value, tuple(allowed), hint, owner=owner))

    def hide(self, node: Node) -> None:
        """Never show the value of this node, nor anything in it."""
        if isinstance(node, Scalar):
            text = self._texts.get(node.place.file)
            if text is not None:
                text.hide((node.place.line, node.place.column), node.end)
            return
        for item in _children(node):
            self.hide(item)

    def hide_secret(self, key: str, value: Node) -> None:
        """Never show the value of a secret setting; the name of an environment variable is not secret."""
        if isinstance(value, MapNode) and is_reference(value):
            return
        if key in SECRET_SETTINGS or (isinstance(value, Scalar) and is_secret_name(key)):
            self.hide(value)

    @property
    def count(self) -> int:
        """How many problems have been noted."""
        return len(self._problems)

    @property
    def owners(self) -> set[Owner | None]:
        """The declared objects that have problems; None if there are some that break all of them."""
        return {problem.owner for problem in self._problems}

    def by_owner(self) -> dict[Owner, tuple[Problem, ...]]:
        """The problems of each declared object that has any, sorted by place, with their source lines."""
        found: dict[Owner, list[Problem]] = {}
        for problem in sorted(dict.fromkeys(self._problems), key=_order):
            if problem.owner is not None:
                found.setdefault(problem.owner, []).append(self._shown(problem))
        return {owner: tuple(problems) for owner, problems in found.items()}

    def problems(self) -> tuple[Problem, ...]:
        """Each problem once, sorted by place, with its source lines; at most MAX_PROBLEMS_SHOWN."""
        unique = sorted(dict.fromkeys(self._problems), key=_order)
        shown = [self._shown(problem) for problem in unique[:MAX_PROBLEMS_SHOWN]]
        if len(unique) > MAX_PROBLEMS_SHOWN:
            more = f"{len(unique) - MAX_PROBLEMS_SHOWN:,} more problems are not shown."
            shown.append(Problem(unique[MAX_PROBLEMS_SHOWN].place, "declarations", more))
        return tuple(shown)

    def _shown(self, problem: Problem) -> Problem:
        text = self._texts.get(problem.place.file)
        if text is None:
            return problem
        value = None if text.hides(problem.place) else problem.value
        return replace(
            problem,
            message=mask_credentials(problem.message),
            value=None if value is None else mask_credentials(value),
            excerpt=text.excerpt(problem.place),
        )


def is_secret_name(key: str) -> bool:
    """Whether a key of this name may hold a secret."""
    return _SECRET_NAME.search(key) is not None


def is_variable_name(text: str) -> bool:
    """Whether `text` can name an environment variable."""
    return _VARIABLE_NAME.fullmatch(text) is not None


def is_reference(node: MapNode) -> bool:
    """Whether a mapping is `{env: NAME}`."""
    name = node.get("env")
    return len(node.entries) == 1 and isinstance(name, Scalar) and is_variable_name(name.text)


def _order(problem: Problem) -> tuple[Place, str]:
    return problem.place, problem.message


def _children(node: ListNode | MapNode) -> Iterable[Node]:
    if isinstance(node, ListNode):
        return node.items
    return (value for _, value in node.entries)
