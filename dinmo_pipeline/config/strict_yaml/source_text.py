"""The text of a declarations file, shown in errors with its secrets masked."""

import re
from bisect import bisect_right

from dinmo_pipeline.config.strict_yaml.problems import Excerpt, Place
from dinmo_pipeline.text.masking import MASK, credential_spans

# PyYAML counts these as line breaks; its line numbers are only right with the same set.
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
# If the structure is unknown, whatever follows such a name is masked.
_SECRET_NAME = re.compile(
    r"""(?:token|secret|passw|credential|uri|dsn|api_key|webhook|heartbeat|alerts)[\w-]{0,40}["']?\s{0,40}[:=]\s*(?P<secret>.*)$""",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"^\{\s*env\s*:\s*[A-Za-z_][A-Za-z0-9_]*\s*\}\s*[,}]*\s*(?:#.*)?$")
_COMMENT = re.compile(r"(?:^|\s)#")
_MAX_LINES_PER_SECRET = 40
_MAX_LINE_LENGTH = 160

Position = tuple[int, int]


class SourceText:
    """The lines of one file, and which parts of them are secret."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self._lines = _LINE_BREAK.split(text)
        self._secrets: list[tuple[Position, Position]] = []
        self._secrets_of_lines: dict[int, list[Position]] = {}
        self.is_structured = False

    def hide(self, start: Position, end: Position) -> None:
        """Mask what is from `start` up to `end`, each (line, column) from 1."""
        self._secrets.append((start, end))

    def hides(self, place: Place) -> bool:
        """Whether the place is inside something masked."""
        position = (place.line, place.column)
        return any(start <= position < end for start, end in self._secrets)

    def excerpt(self, place: Place) -> Excerpt:
        """The line of `place` and up to two before it; of long lines, what is around the place.

        Call it once all secrets are known: each line is searched once.
        """
        last = min(place.line, len(self._lines))
        offset = place.column - 1
        start = max(0, offset - _MAX_LINE_LENGTH // 2) if offset > _MAX_LINE_LENGTH - 20 else 0
        lines = tuple(
            (number, self._masked(number, start, start + _MAX_LINE_LENGTH))
            for number in range(max(1, last - 2), last + 1)
        )
        return Excerpt(lines, caret=len(self._masked(last, start, offset)))

    def _masked(self, number: int, start: int, end: int) -> str:
        """A line from `start` up to `end` as it may be shown."""
        line = self._lines[number - 1]
        if number not in self._secrets_of_lines:
            self._secrets_of_lines[number] = self._secret_parts(number, line)
        parts = self._secrets_of_lines[number]
        shown, at = "", start
        for index in range(bisect_right(parts, start, key=_end), len(parts)):
            first, after = parts[index]
            if first >= end:
                break
            shown += line[at:first] + MASK
            at = after
        shown += line[at:end]
        return "".join(c if c.isprintable() else " " for c in shown)

    def _secret_parts(self, number: int, line: str) -> list[Position]:
        parts = [
            (
                start[1] - 1 if start[0] == number else 0,
                end[1] - 1 if end[0] == number else len(line),
            )
            for start, end in self._secrets
            if start[0] <= number <= end[0]
        ]
        parts += credential_spans(line)
        parts += self._guessed_parts(number, line)
        return _merged([part for part in parts if part[0] < part[1]])

    def _guessed_parts(self, number: int, line: str) -> list[Position]:
        """What may be secret without a known structure: in comments, and in a file with a syntax error."""
        if self.is_structured:
            comment = _COMMENT.search(line)
            guess = _SECRET_NAME.search(line, comment.start()) if comment else None
            return [guess.span("secret")] if guess else []
        guess = _SECRET_NAME.search(line)
        if guess is not None and not _REFERENCE.match(guess["secret"]):
            return [guess.span("secret")]
        return [(0, len(line))] if self._continues_secret(number) else []

    def _continues_secret(self, number: int) -> bool:
        """Whether the line is indented below one with a secret's name."""
        indent = _indent(self._lines[number - 1])
        for above in reversed(self._lines[max(0, number - _MAX_LINES_PER_SECRET) : number - 1]):
            if above.strip() and _indent(above) < indent:
                if _SECRET_NAME.search(above):
                    return True
                indent = _indent(above)
        return False


def _end(part: Position) -> int:
    return part[1]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _merged(parts: list[Position]) -> list[Position]:
    """Overlapping parts joined, in order."""
    joined: list[Position] = []
    for start, end in sorted(parts):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
